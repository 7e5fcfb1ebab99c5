"""The bridge beside a Redis that is full, hangs or is a Cluster: what it says, and how it goes on."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.service_process import ServiceProcess, free_port
from gather_clients.event_log import EventLog
from gather_clients.issued_secrets import secret_hash
from gather_clients.redis_calls import CLUSTER
from gather_contracts.events import Deduplicating
from tests.contract.bridge.conftest import ServeBridge
from tests.support.events.redis_servers import ask, redis_server, stopped

PROJECT = "d" * 24
EVENT = Deduplicating(project_id=PROJECT, run="film", run_uid="u-1", department="story")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A Redis of the test's own."""
    server = redis_server(tmp_path / "redis", "--save", "")
    with server.running():
        yield server


async def test_readiness_includes_a_write(server: ServiceProcess, serve_bridge: ServeBridge) -> None:
    """A Redis that is full answers every ping."""
    async with serve_bridge(redis_url=server.uri) as serving:
        assert (await serving.get("/readyz")).status_code == 200
        ask(server, "CONFIG", "SET", "maxmemory", "1")
        await serving.until_live(is_live=False)
        ready = await serving.get("/readyz")
        assert (ready.status_code, "REDIS_URL: this Redis is full" in ready.text) == (503, True)
        assert (await serving.get("/healthz")).status_code == 200
        ask(server, "CONFIG", "SET", "maxmemory", "0")
        await serving.until_live()


async def test_a_hung_redis_is_said_and_nothing_is_lost(
    server: ServiceProcess, serve_bridge: ServeBridge
) -> None:
    """Heartbeats say that it is not live; when it goes on, so do the clients, without a gap."""
    log = EventLog(server.uri)
    async with serve_bridge(redis_url=server.uri, heartbeat_interval_s=0.1) as serving:
        await log.append(EVENT)
        async with serving.client(PROJECT) as client:
            assert (await client.frame())["type"] == "hello"
            with stopped(server):
                async with asyncio.timeout(20):  # 4 s, and what a busy machine adds
                    while (await client.frame())["live"]:
                        pass
            await serving.until_live()
            assert await log.append(EVENT) == 2
            assert await client.offsets(1) == [2]
    await log.close()


def test_a_cluster_is_refused_at_the_start(tmp_path: Path) -> None:
    """In one line that names the setting."""
    tokens = [{"name": "app", "sha256": secret_hash("token"), "projects": ["*"]}]
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    options = ["--save", "", "--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    server = redis_server(tmp_path / "redis", *options)
    with server.running():
        environment = {
            "PATH": os.environ["PATH"],
            "REDIS_URL": server.uri,
            "GATHER_WEBHOOK_SECRET": "a-secret-of-some-length",
            "GATHER_BRIDGE_TOKENS_FILE": str(tmp_path / "tokens.json"),
        }
        command = [sys.executable, "-m", "gather_bridge.main"]
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 64
    assert ended.stderr == f"gather-bridge: {CLUSTER}\n"
