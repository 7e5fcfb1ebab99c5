"""Every server listens on IPv4 and on IPv6, so that a cluster may have either or both."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from dev.paths import ROOT
from dev.service_process import free_port
from dev.waiting import wait_for
from gather_brain.settings import Settings as BrainSettings
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.http_door.door_settings import DoorSettings
from gather_bridge.settings import Settings as BridgeSettings
from gather_clients.web.metrics_server import metrics_app, serves_metrics
from gather_operator.health import Health
from gather_operator.probe_server import serving

ROOMS = (BrainSettings, BridgeSettings, DoorSettings, CelerySettings)
HOSTS = ("127.0.0.1", "[::1]")

pytestmark = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


def answers(port: int, path: str = "/metrics") -> list[int]:
    """The status by each family."""
    return [httpx.get(f"http://{host}:{port}{path}", timeout=30).status_code for host in HOSTS]


def test_metrics_are_served_on_both() -> None:
    """In the rooms that have a port of their own for them."""
    port = free_port()
    with serves_metrics(CollectorRegistry(), BrainSettings.model_fields["host"].default, port):
        assert answers(port) == [200, 200]


@pytest.mark.parametrize("settings", ROOMS, ids=lambda kind: kind.__module__)
def test_uvicorn_serves_both_at_the_rooms_default(settings: type[BrainSettings]) -> None:
    """An IPv4 client keeps its address in IPv4's form, by which proxies and limits know it."""
    port = free_port()
    with _served(settings.model_fields["host"].default, port) as seen:
        assert answers(port) == [200, 200]
    assert seen == ["127.0.0.1", "::1"]


async def test_the_operator_s_probes_are_served_on_both() -> None:
    """It has no setting for it."""
    port = free_port()
    async with serving(cast("Health", None), port) as bound:  # /metrics asks nothing of it
        assert bound == port
        assert await asyncio.to_thread(answers, port) == [200, 200]


def test_no_server_is_bound_to_ipv4_alone() -> None:
    """But a free port, which only tests ask for."""
    found = [
        str(path.relative_to(ROOT))
        for room in ("clients", "operator", "worker", "brain", "bridge", "demo")
        for path in (ROOT / room).rglob("*.py")
        if '"0.0.0.0"' in path.read_text("utf-8")
    ]
    assert found == ["operator/gather_operator/probe_server.py"]


@contextmanager
def _served(host: str, port: int) -> Iterator[list[str]]:
    seen: list[str] = []
    inner = metrics_app(CollectorRegistry())

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        seen.append(scope["client"][0])  # type: ignore[index]
        await inner(scope, receive, send)  # type: ignore[arg-type]

    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for("the server", lambda: server.started, 60)
        yield seen
    finally:
        server.should_exit = True
        thread.join(10)
