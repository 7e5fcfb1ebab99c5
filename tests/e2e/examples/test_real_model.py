"""`make demo MODEL=…` against an endpoint that wants a key: the demo's model, outside of the cluster."""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from dev.cluster.node.layout import NODE_NAME
from dev.cluster.real_model import DEPARTMENT, KEY, SECRET, URL
from dev.paths import ROOT
from dev.waiting import wait_for
from gather_demo.llm.chat_api import build_app
from gather_demo.llm.material import read_material
from tests.support.deployed_gather import DeployedGather

MODEL = "openai/gpt-4o-mini"
DEMO_TIMEOUT_S = 1800
"""Two installations, a run, and images that changed since."""

pytestmark = pytest.mark.long


@dataclass
class Endpoint:
    """Answers as the demo's model to those who send its key, and remembers who came."""

    key: str = field(default_factory=lambda: f"sk-{secrets.token_hex(16)}")
    keys: list[str] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            self.keys.append(headers.get(b"authorization", b"").decode())
            if self.keys[-1] != f"Bearer {self.key}":
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b'{"error": {"message": "no key"}}'})
                return
        await self._app(scope, receive, send)

    def __post_init__(self) -> None:
        """Make the application behind it."""
        self._app = build_app(read_material())


@contextmanager
def _serving(endpoint: Endpoint) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(endpoint, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_for("the endpoint", lambda: server.started, 30)
            yield
        finally:
            server.should_exit = True
            thread.join()


def test_one_department_is_written_by_the_model_and_nobody_sees_the_key(gather: DeployedGather) -> None:
    """Neither in what the command prints, nor in any object that it leaves."""
    if NODE_NAME not in gather.kubectl("get", "nodes", "-o", "name"):
        pytest.skip("pods in Docker do not reach this machine's loopback")
    endpoint = Endpoint()
    before = set(_runs(gather))
    with _serving(endpoint):
        command = [sys.executable, "-m", "dev", "demo", "--namespace", gather.namespace, "--model", MODEL]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, KEY: endpoint.key, URL: endpoint.url},
            capture_output=True, text=True, timeout=DEMO_TIMEOUT_S, check=False,
        )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert f"of at most 0.50 USD, for {MODEL} at 127.0.0.1." in said
    assert endpoint.keys
    assert set(endpoint.keys) == {f"Bearer {endpoint.key}"}

    (name,) = set(_runs(gather)) - before
    run = gather.run(name)
    assert [(d.slug, d.model) for d in run.status.departments] == [(DEPARTMENT, MODEL)]
    assert 0 < run.status.cost_usd <= 0.5
    assert f"{run.status.cost_usd:.4f} of at most" in said

    kinds = "pods,jobs,configmaps,deployments,events,gatherruns,secrets"
    assert endpoint.key not in said + gather.kubectl("get", kinds, "-o", "json")
    settings = json.loads(gather.kubectl("get", "configmap", "gather-worker", "-o", "json"))["data"]
    assert "demo-llm" in settings["GATHER_LLM_BASE_URL"]
    assert "GATHER_LLM_PROXY" not in settings
    assert not gather.kubectl("get", "secret", SECRET, "--ignore-not-found", "-o", "name")


def _runs(gather: DeployedGather) -> list[str]:
    return [item["metadata"]["name"] for item in gather.objects("gatherruns")]
