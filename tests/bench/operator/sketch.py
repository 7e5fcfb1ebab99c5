"""A bare sketch of an operator with kopf: a ConfigMap a run, seven Jobs in turn, a status once a second.

What a Python process can do at the most with GatherRuns: it reads no CMS, sends no events, holds no run
when it is deleted, and a lost event stops a run forever. A process of its own: SERVER NAMESPACE KUBECONFIG.
"""

import asyncio
import sys
import time
from typing import Any

import kopf

from gather_contracts import names
from tests.bench.operator.jobs import STEPS, small_job
from tests.bench.operator.plain_api import PlainApi

WORKERS = 16
STATUS_INTERVAL_S = 1.0
MERGE_PATCH = "application/merge-patch+json"


class Sketch:
    """All runs of one namespace."""

    def __init__(self, api: PlainApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._names: dict[str, str] = {}
        self._done: dict[str, set[int]] = {}
        self._made: dict[str, int] = {}
        self._written: dict[str, tuple[float, int]] = {}
        self.queue: asyncio.Queue[str] = asyncio.Queue()

    def see_run(self, uid: str, name: str) -> None:
        """Take a run in."""
        if uid not in self._names:
            self._names[uid] = name
            self.queue.put_nowait(uid)

    async def follow_pods(self) -> None:
        """Take pods in."""
        query = f"&labelSelector={names.LABEL_MANAGED_BY}%3D{names.MANAGED_BY}"
        async for event in self._api.watch(f"/api/v1/namespaces/{self._namespace}/pods", query):
            pod = event["object"]
            if pod.get("status", {}).get("phase") == "Succeeded":
                labels = pod["metadata"]["labels"]
                uid = labels[names.LABEL_RUN_UID]
                self._done.setdefault(uid, set()).add(int(labels[names.LABEL_DEPARTMENT_INDEX]))
                self.queue.put_nowait(uid)

    async def work(self) -> None:
        """Carry runs forward, one step at a time."""
        while True:
            uid = await self.queue.get()
            done = len(self._done.get(uid, ()))
            if self._made.get(uid, 0) == done < STEPS:
                self._made[uid] = done + 1
                if not done:
                    await self._create(
                        f"/api/v1/namespaces/{self._namespace}/configmaps", self._document(uid)
                    )
                jobs = f"/apis/batch/v1/namespaces/{self._namespace}/jobs"
                await self._create(jobs, small_job(self._namespace, uid, done))
            await self._write(uid, done)

    async def _create(self, path: str, body: dict[str, Any]) -> None:
        await self._api.call("POST", path, body)

    def _document(self, uid: str) -> dict[str, Any]:
        metadata = {"name": f"{uid}-run", "namespace": self._namespace}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"run.json": "x" * 4000},
        }

    async def _write(self, uid: str, done: int) -> None:
        at_s, written = self._written.get(uid, (0.0, -1))
        now_s = time.monotonic()
        if written == done:
            return
        if now_s - at_s < STATUS_INTERVAL_S:
            loop = asyncio.get_running_loop()
            loop.call_later(STATUS_INTERVAL_S - (now_s - at_s), self.queue.put_nowait, uid)
            return
        self._written[uid] = (now_s, done)
        departments = [
            {"slug": f"d{i}", "phase": "Succeeded" if i < done else "Pending"} for i in range(STEPS)
        ]
        status = {"phase": "Succeeded" if done == STEPS else "Running", "departments": departments}
        path = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{self._namespace}/{names.PLURAL}"
        await self._api.call("PATCH", f"{path}/{self._names[uid]}/status", {"status": status}, MERGE_PATCH)


async def main(server: str, namespace: str) -> None:
    """Run kopf and the sketch until the process is ended."""
    async with PlainApi(server, "sketch") as api:
        sketch = Sketch(api, namespace)
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        def login(**options: Any) -> Any:
            return kopf.ConnectionInfo(server=server, insecure=True, token="sketch")  # noqa: S106 - of its own API

        @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
        async def see(body: kopf.Body, **_: Any) -> None:
            sketch.see_run(body.metadata["uid"], body.metadata["name"])

        settings = kopf.OperatorSettings()
        settings.scanning.disabled = True
        settings.posting.enabled = False
        tasks = [
            asyncio.create_task(t) for t in (sketch.follow_pods(), *(sketch.work() for _ in range(WORKERS)))
        ]
        operator = kopf.operator(
            registry=registry, settings=settings, standalone=True, namespaces=[namespace],
            identity="sketch",  # type: ignore[arg-type] # kopf keeps its NewType of str private
        )  # fmt: skip
        await asyncio.gather(operator, *tasks)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
