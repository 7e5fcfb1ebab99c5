"""What strangers leave behind: nothing in /metrics, and in the log who they were."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.service_process import ServiceProcess, free_port
from gather_bridge.access.token_store import new_token
from gather_clients.issued_secrets import secret_hash
from gather_clients.web.metrics_server import serves_metrics
from tests.contract.bridge.conftest import TOKEN, ServeBridge, Serving
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.http_door import KEY, PROJECT, UNLIMITED, entry, serving_door, write_keys
from tests.support.network.made_up_requests import send_made_up

COUNT = 2000
PATHS = (
    f"/api/v1/projects/{PROJECT}/events",
    f"/api/v1/projects/{PROJECT}/runs",
    f"/api/v1/projects/{PROJECT}/notes",
    "/healthz",
    "/",
)
DOOR_PATHS = (
    "/api/v1/tasks/submit",
    "/api/v1/tasks/t-1/status",
    "/api/v1/tasks/t-1",
    "/api/v1/docs",
    "/readyz",
)


class Heard(logging.Handler):
    """Keeps what our own code warns of."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, Any, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if record.levelno >= logging.WARNING and record.name.startswith("gather"):
            said = vars(record)
            self.lines.append((record.getMessage(), said.get("client"), said.get("key_fingerprint")))


@pytest.fixture
def heard() -> Iterator[Heard]:
    """All that is logged meanwhile."""
    handler = Heard()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def stranger(key: str | None) -> tuple[str, str, str | None]:
    return ("authentication failed", "127.0.0.1", secret_hash(key)[:12] if key else None)


async def test_made_up_requests_add_no_line_to_a_bridges_metrics(serve_bridge: ServeBridge) -> None:
    """After the first hundred of each kind; each was answered."""
    headers = f"Authorization: Bearer {TOKEN}\r\n"
    async with serve_bridge() as serving:
        await send_made_up(serving.port, 100, PATHS, headers)
        before = serving.metrics
        statuses = await send_made_up(serving.port, COUNT, PATHS, headers)
        assert sum(statuses.values()) == COUNT
        assert {"200", "401", "404", "405"} <= set(statuses)
        assert not [status for status in statuses if status.startswith("5")]
        assert len(serving.metrics.splitlines()) == len(before.splitlines())
        assert "made" not in serving.metrics


async def test_made_up_requests_add_no_line_to_a_doors_metrics(
    redis_url: str, kubernetes: DoorsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a valid key too; and those without one are said with their address and their key's fingerprint."""
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    write_keys(tmp_path / "keys.json", entry("app", KEY, PROJECT, limits=UNLIMITED))
    async with serving_door(redis_url, tmp_path / "keys.json") as door:
        port = int(door.url.rpartition(":")[2])
        headers = f"X-API-Key: {KEY}\r\n"
        await send_made_up(port, 100, DOOR_PATHS, headers)
        before = door.metrics
        statuses = await send_made_up(port, COUNT, DOOR_PATHS, headers)
        assert sum(statuses.values()) == COUNT
        assert {"200", "401", "404", "405"} <= set(statuses)
        assert len(door.metrics.splitlines()) == len(before.splitlines())
        assert "made" not in door.metrics


async def test_a_door_says_who_had_no_valid_key(
    redis_url: str, kubernetes: DoorsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    """The key itself is nowhere."""
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    write_keys(tmp_path / "keys.json", entry("app", KEY, PROJECT))
    async with serving_door(redis_url, tmp_path / "keys.json") as door:
        for key in ("a-key-that-was", None, KEY):
            await door.status("t-1", key)
    assert heard.lines == [stranger("a-key-that-was"), stranger(None)]


async def test_a_bridge_says_who_had_no_valid_token(serving: Serving, project: str, heard: Heard) -> None:
    """A token, a ticket, nothing; not those with a valid one, who may not use a project."""
    path = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/runs"
    async with httpx.AsyncClient() as client:
        for token in ("a-token-that-was", None, TOKEN):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            await client.get(path, headers=headers)
    with pytest.raises(Exception, match="401"):
        async with serving.client(project, token=None, subprotocols=["gather.ticket.spent"]):
            pass
    assert heard.lines == [stranger("a-token-that-was"), stranger(None), stranger("spent")]


async def test_a_token_that_cannot_be_looked_up_is_no_failed_authentication(
    serving: Serving, project: str, heard: Heard, redis_store: ServiceProcess
) -> None:
    """Redis knows tokens that commands made; the file's are known without it."""
    made = new_token()
    path = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/runs"
    with redis_store.absent():
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {made}"})
    assert answer.status_code == 503
    said = [line[0] for line in heard.lines]
    assert "tokens cannot be looked up: Redis is unavailable" in said
    assert "authentication failed" not in said


async def test_metrics_have_a_port_of_their_own(serving: Serving) -> None:
    """Callers of the API need not reach it."""
    assert (await serving.get("/metrics")).status_code == 404
    port = free_port()
    with serves_metrics(serving.bridge.metrics.registry, "127.0.0.1", port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert "\ngather_bridge_sockets 0.0" in (await client.get("/metrics")).text
            for method, other in (("GET", "/"), ("POST", "/metrics"), ("GET", "/healthz")):
                assert (await client.request(method, other)).status_code == 404
