"""A small Kubernetes API that serves GatherRuns and breaks its watches in scripted ways."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from gather_clients.event_log import EventLog
from gather_contracts import names
from gather_operator.event_publisher import WebhookRegistry

RESOURCES = f"/apis/{names.GROUP}/{names.VERSION}"
RUNS = f"{RESOURCES}/namespaces/films/{names.PLURAL}"


class Api:
    """Lists `runs`; each watch plays the next script, and the last one stays open."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.scripts: list[list[dict[str, Any] | str]] = []
        self.watches = 0
        self.lists = 0
        self.port = 0
        self.written: dict[str, Any] = {}

    def run(self, name: str, version: int) -> dict[str, Any]:
        """A GatherRun; it joins the list."""
        body = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "metadata": {"name": name, "namespace": "films", "uid": name, "resourceVersion": str(version)},
            "spec": {"projectId": "0" * 24, "userId": "me"},
        }
        self.runs = [r for r in self.runs if r["metadata"]["name"] != name] + [body]
        return body

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([
            web.get("/version", self._version),
            web.get("/api", self._core),
            web.get("/api/v1", self._core_resources),
            web.get("/apis", self._groups),
            web.get(RESOURCES, self._resources),
            web.get(RUNS, self._runs),
            web.route("*", "/{path:.*}", self._other),
        ])  # fmt: skip
        return app

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})

    async def _core(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def _core_resources(self, _: web.Request) -> web.Response:
        # kopf waits until it has found these two, although it is set to watch neither.
        kinds = [("namespaces", "Namespace", False), ("events", "Event", True)]
        resources = [_resource(plural, kind, namespaced) for plural, kind, namespaced in kinds]
        return web.json_response({"kind": "APIResourceList", "resources": resources})

    async def _groups(self, _: web.Request) -> web.Response:
        version = {"groupVersion": f"{names.GROUP}/{names.VERSION}", "version": names.VERSION}
        group = {"name": names.GROUP, "versions": [version], "preferredVersion": version}
        return web.json_response({"kind": "APIGroupList", "groups": [group]})

    async def _resources(self, _: web.Request) -> web.Response:
        resource = _resource(names.PLURAL, names.KIND, True)
        return web.json_response({"kind": "APIResourceList", "resources": [resource]})

    async def _other(self, request: web.Request) -> web.StreamResponse:
        """Keep what is written, for a Lease; of all other kinds there is nothing, and nothing happens."""
        collection, _, name = request.path.rpartition("/")
        if request.method in {"POST", "PUT"}:
            body = await request.json()
            body["metadata"]["resourceVersion"] = "1"
            self.written[request.path if request.method == "POST" else collection] = body
            return web.json_response(body)
        if name.startswith("gather-"):
            found = self.written.get(collection)
            return web.json_response(found or {"kind": "Status", "code": 404}, status=200 if found else 404)
        if request.query.get("watch") == "true":
            return await self._silence(request)
        return web.json_response({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []})

    async def _silence(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async def _runs(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            self.lists += 1
            body = {"kind": "GatherRunList", "metadata": {"resourceVersion": "1000"}, "items": self.runs}
            return web.json_response(body)
        self.watches += 1
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in self.scripts.pop(0) if self.scripts else []:
            text = line if isinstance(line, str) else json.dumps(line)
            await response.write(f"{text}\n".encode())
        await asyncio.Event().wait()
        return response


def _resource(plural: str, kind: str, namespaced: bool) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "patch", "create"]
    return {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs}


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The API on a free port, and a kubeconfig that leads to it."""
    served = Api()
    runner = web.AppRunner(served.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.port = runner.addresses[0][1]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{served.port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "films"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield served
    await runner.cleanup()


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[EventLog]:
    log = EventLog(redis_url, timeout_s=2)
    yield log
    await log.close()


@pytest.fixture
async def webhooks(redis_url: str) -> AsyncIterator[WebhookRegistry]:
    registry = WebhookRegistry(redis_url, timeout_s=2)
    yield registry
    await registry.close()
