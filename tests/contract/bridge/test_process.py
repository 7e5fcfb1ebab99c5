"""The bridge as a process: what it needs to start, what it logs, and how it ends."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.service_process import free_port
from dev.waiting import wait_for
from gather_clients.issued_secrets import secret_hash
from tests.support.network.connections import Connections, addresses_in

SECRET = "a-webhook-secret-of-some-length"  # noqa: S105 - of these tests alone

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def secrets(tmp_path: Path, redis_url: str) -> Path:
    """A folder as the kubelet mounts a Secret."""
    tokens = [{"name": "app", "sha256": secret_hash("token"), "projects": ["*"]}]
    for name, text in {
        "REDIS_URL": redis_url,
        "GATHER_WEBHOOK_SECRET": SECRET,
        "tokens.json": json.dumps(tokens),
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def start(
    secrets: Path, files: str = "", connections: Connections | None = None, **changed: str
) -> "subprocess.Popen[str]":
    """Start the bridge with nothing but what a pod has; `files` are the soft and the hard limit."""
    environment = {
        "PATH": os.environ["PATH"],
        "GATHER_SECRETS_DIR": str(secrets),
        "GATHER_BRIDGE_TOKENS_FILE": str(secrets / "tokens.json"),
        "GATHER_BRIDGE_HOST": "127.0.0.1",
        "GATHER_BRIDGE_METRICS_PORT": "0",
        "GATHER_BRIDGE_ALLOW_ANONYMOUS": "false",
        "GATHER_BRIDGE_ALLOWED_ORIGINS": '["https://app.example"]',
        **changed,
    }
    limited = ["prlimit", f"--nofile={files}"] if files else []
    command = [*limited, sys.executable, "-m", "gather_bridge.main"]
    command = connections.recorded(command) if connections else command
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def test_it_starts_serves_and_ends_at_a_sigterm(secrets: Path, connections: Connections) -> None:
    """Logs are JSON lines and hold no secret; metrics have an own port; it connects to Redis alone."""
    port, metrics_port = free_port(), free_port()
    ports = {"GATHER_BRIDGE_PORT": str(port), "GATHER_BRIDGE_METRICS_PORT": str(metrics_port)}
    with start(secrets, connections=connections, **ports) as process:
        try:
            wait_for("the bridge to be ready", lambda: is_ready(port), 60)
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).text == "ok"
            metrics = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=30).text
            assert "gather_bridge_event_log_up 1.0" in metrics
            assert httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).status_code == 404
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    assert {"serving", "event log heard"} <= {line["message"] for line in lines}
    assert {line["service"] for line in lines} == {"bridge"}
    assert SECRET not in said
    assert process.returncode in {0, -signal.SIGTERM}
    assert connections.of(process.pid) == addresses_in([(secrets / "REDIS_URL").read_text("utf-8")])


def test_it_takes_as_many_files_as_it_may(secrets: Path) -> None:
    """Some container runtimes begin a process with 1,024."""
    port = free_port()
    with start(secrets, GATHER_BRIDGE_PORT=str(port), files="256:4096") as process:
        try:
            wait_for("the bridge to be ready", lambda: is_ready(port), 60)
            assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)
        finally:
            process.kill()
            _, said = process.communicate(timeout=30)
    assert "fewer open files allowed than needed" in said


@pytest.mark.parametrize(
    ("missing", "changed", "words"),
    [
        pytest.param("tokens.json", {}, "tokens file cannot be read", id="no tokens"),
        pytest.param("REDIS_URL", {}, "REDIS_URL: Field required", id="no Redis"),
        pytest.param("GATHER_WEBHOOK_SECRET", {}, "GATHER_WEBHOOK_SECRET: Field required", id="no secret"),
        pytest.param("", {"GATHER_WEBHOOK_SECRET": "short"}, "at least 16", id="short secret"),
        pytest.param("", {"GATHER_BRIDGE_PORT": "x"}, "GATHER_BRIDGE_PORT", id="no port"),
    ],
)
def test_it_refuses_to_start_and_says_why(
    secrets: Path, missing: str, changed: dict[str, str], words: str
) -> None:
    """In one line, without the values."""
    if missing:
        (secrets / missing).unlink()
    with start(secrets, "", None, **changed) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 64
    assert words in said
    assert len(said.splitlines()) == 1
    assert SECRET not in said
    assert "short" not in said
