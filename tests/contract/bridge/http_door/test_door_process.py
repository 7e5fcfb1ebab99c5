"""The door as a process: what it needs to start, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dev.service_process import free_port
from dev.waiting import wait_for
from tests.support.doors.doors_api import NAMESPACE, DoorsApi
from tests.support.doors.http_door import KEY, PROJECT, entry, submission, write_keys
from tests.support.network.connections import Connections, addresses_in


@pytest.fixture
def environment(tmp_path: Path, redis_url: str, kubernetes: DoorsApi) -> dict[str, str]:
    """What a pod has: a Secret's files, its namespace, and a way to the API server."""
    (tmp_path / "REDIS_URL").write_text(redis_url)
    write_keys(tmp_path / "keys.json", entry("app", KEY, PROJECT))
    return {
        "PATH": os.environ["PATH"],
        "GATHER_SECRETS_DIR": str(tmp_path),
        "GATHER_DOOR_KEYS_FILE": str(tmp_path / "keys.json"),
        "GATHER_NAMESPACE": NAMESPACE,
        "GATHER_DOOR_HOST": "127.0.0.1",
        "GATHER_DOOR_METRICS_PORT": str(free_port()),
        "GATHER_DOOR_DRAIN_S": "1",
        "KUBECONFIG": str(kubernetes.kubeconfig),
    }


def start(environment: dict[str, str], connections: Connections | None = None) -> "subprocess.Popen[str]":
    """Start the door."""
    command = [sys.executable, "-m", "gather_bridge.main", "http"]
    command = connections.recorded(command) if connections else command
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_it_serves_until_sigterm_and_is_not_ready_meanwhile(
    environment: dict[str, str], redis_url: str, kubernetes: DoorsApi, connections: Connections
) -> None:
    """Requests that come before the Service has heard of it are answered; it connects to nothing else."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start({**environment, "GATHER_DOOR_PORT": str(port)}, connections)

    def status(path: str) -> int:
        try:
            return httpx.get(f"{url}{path}", timeout=10).status_code
        except httpx.TransportError:
            return 0

    try:
        wait_for("the door", lambda: status("/readyz") == 200, 60)
        process.send_signal(signal.SIGTERM)
        wait_for("the door to drain", lambda: status("/readyz") == 503, 10, 0.01)
        answer = httpx.post(
            f"{url}/api/v1/tasks/submit", json=submission(), headers={"X-API-Key": KEY}, timeout=10
        )
        assert answer.status_code == 201
        metrics_url = f"http://127.0.0.1:{environment['GATHER_DOOR_METRICS_PORT']}/metrics"
        assert "gather_door_requests_total" in httpx.get(metrics_url, timeout=10).text
        _, logged = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode in {0, -signal.SIGTERM}
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {line["service"] for line in lines} == {"http-door"}
    assert "task submitted" in {line["message"] for line in lines}
    assert KEY not in logged
    assert connections.of(process.pid) == addresses_in([redis_url, kubernetes.kubeconfig.read_text("utf-8")])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"GATHER_DOOR_KEYS_FILE": "/none/keys.json"}, "GATHER_DOOR_KEYS_FILE (file /none/keys.json)"),
        ({"KUBECONFIG": "/none/kubeconfig"}, "no way to the Kubernetes API"),
    ],
    ids=["keys", "kubeconfig"],
)
def test_what_is_wrong_is_said_in_a_line(
    environment: dict[str, str], changed: dict[str, str], named: str
) -> None:
    """With the setting's name, and exit code 64."""
    process = start({**environment, **changed})
    _, said = process.communicate(timeout=60)
    assert process.returncode == 64
    assert said.startswith("gather-bridge: ")
    assert named in said
    assert said.count("\n") == 1
