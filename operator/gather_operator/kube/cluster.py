"""The only place that calls the Kubernetes API for anything but kopf's watch of GatherRuns.

Every call has a timeout and raises `ClusterError`s alone; one that writes also NotLeading, and then
nothing was sent. What is already there counts as created, what is already gone counts as deleted.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

from gather_clients.kube_api.api_calls import JSON, MERGE_PATCH, METADATA, ApiCalls, Request
from gather_clients.kube_api.cluster_errors import AlreadyExists, AnswerTooLong, ClusterUnavailable, Missing
from gather_contracts import names
from gather_operator.decisions.facts import JobFacts, ObjectEvent, PodFacts
from gather_operator.kube.conversion import (
    ObjectFacts,
    as_map,
    job_facts,
    object_event,
    object_facts,
    pod_facts,
    run_version,
)
from gather_operator.run_cache import RunVersion

logger = logging.getLogger(__name__)

PAGE_SIZE: Final = 250
RUNS_PAGE_SIZE: Final = 50
"""Whole GatherRuns at once; one of 32 departments has 20 KB, ten times as much once read."""
SMALL_PAGE_SIZE: Final = 16
"""Objects at once where a whole page would be too long: etcd takes objects of up to 1.5 MiB."""
EVENTS_MAX: Final = 100
"""Of one object; they are kept for an hour, in which Kubernetes lets one source write about 40."""
EVENTS_MAX_BYTES: Final = 2**20
PAGES_MAX: Final = 4000
"""Of one list: a server that never ends one is not believed."""
WATCH_WINDOW_S: Final = 30
"""The server ends a watch after this time; the next goes on from the last version, which costs one request.

Two seconds before that it sends a bookmark, but only if it knows of something newer in the whole cluster.
"""
OURS: Final = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
BOOKMARK: Final = "BOOKMARK"
"""Type of a watch event that brings a version and no object."""

T = TypeVar("T")


class Identified(Protocol):
    """Facts that the informer can keep."""

    @property
    def name(self) -> str: ...
    @property
    def run_uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


class Cluster:
    """One namespace of a Kubernetes API."""

    def __init__(self, calls: ApiCalls, namespace: str, permit_s: Callable[[], float] | None = None) -> None:
        """`permit_s` is asked before each write; it raises NotLeading where this replica must not write."""
        self._calls = calls
        self._permit_s = permit_s
        place = f"namespaces/{quote(namespace, safe='')}"
        self._runs = f"/apis/{names.GROUP}/{names.VERSION}/{place}/{names.PLURAL}"
        self._jobs = f"/apis/batch/v1/{place}/jobs"
        self._pods = f"/api/v1/{place}/pods"
        self._config_maps = f"/api/v1/{place}/configmaps"
        self._events = f"/api/v1/{place}/events"

    # --- GatherRuns

    async def list_runs(self, read: Callable[[dict[str, Any]], T]) -> tuple[list[T], str]:
        """Return what is read of each GatherRun, and the list's version; no more than a page is held."""
        return await self._list("list gatherruns", self._runs, {}, read, page_size=RUNS_PAGE_SIZE)

    async def list_versions(self) -> tuple[list[RunVersion], str]:
        """Return which GatherRuns there are, without what they say, and the list's resourceVersion."""
        accept = METADATA.format(kind="PartialObjectMetadataList")
        return await self._list("list gatherruns", self._runs, {}, run_version, accept)

    def watch_versions(self, since: str) -> AsyncGenerator[tuple[str, RunVersion], None]:
        """Yield (type, version) for each change of a GatherRun after `since`; see `watch_jobs`."""
        accept = METADATA.format(kind="PartialObjectMetadata")
        return self._watch("watch gatherruns", self._runs, since, run_version, accept, {})

    async def get_run(self, name: str) -> dict[str, Any]:
        """Return a GatherRun as it stands; raises Missing."""
        return await self._calls.call_json(Request("get gatherrun", "GET", _named(self._runs, name), {}))

    async def put_finalizers(
        self, name: str, resource_version: str, finalizers: list[str], *, is_ended: bool = False
    ) -> dict[str, Any]:
        """Replace a GatherRun's finalizers; raises Conflict if it changed since `resource_version`.

        `is_ended`: mark it, in the same write, as one for which nothing is left to do.
        """
        metadata: dict[str, Any] = {"resourceVersion": resource_version, "finalizers": finalizers}
        if is_ended:
            metadata["labels"] = {names.LABEL_ENDED: "true"}
        return await self._patch("patch gatherrun", _named(self._runs, name), {"metadata": metadata})

    async def put_status(self, name: str, resource_version: str, status: dict[str, Any]) -> dict[str, Any]:
        """Write a GatherRun's status; raises Conflict if the resource changed since `resource_version`."""
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        return await self._patch("patch gatherruns/status", f"{_named(self._runs, name)}/status", body)

    async def delete_run(self, name: str, uid: str, resource_version: str) -> None:
        """Delete that very version of a GatherRun; raises Conflict if it has changed, Missing if gone."""
        # With a body, the API server reads no option from the query.
        options = {
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": "Background",
        }
        await self._write(Request("delete gatherrun", "DELETE", _named(self._runs, name), {}, options))

    # --- what a run owns

    async def get_config_map(self, name: str) -> dict[str, str]:
        """Return a ConfigMap's data; raises Missing."""
        request = Request("get configmap", "GET", _named(self._config_maps, name), {})
        return as_map((await self._calls.call_json(request)).get("data"))

    async def create_config_map(self, manifest: dict[str, Any]) -> bool:
        """Create a ConfigMap; return False if one of that name, which has the run's UID, was there."""
        return await self._create("create configmap", self._config_maps, manifest) is not None

    async def create_job(self, manifest: dict[str, Any]) -> JobFacts | None:
        """Create a Job, return its facts; one of that name is adopted, since the name has the run's UID."""
        answer = await self._create("create job", self._jobs, manifest)
        return None if answer is None else job_facts(answer)

    async def suspend_job(self, name: str) -> None:
        """Suspend a Job if it exists, and mark it as suspended by us."""
        await self._put_suspension(name, is_suspended=True)

    async def resume_job(self, name: str) -> None:
        """Resume a Job if it exists, and take our mark off."""
        await self._put_suspension(name, is_suspended=False)

    async def delete_config_map(self, name: str) -> None:
        """Delete a ConfigMap if it exists."""
        await self._delete("delete configmap", self._config_maps, name)

    async def delete_job(self, name: str) -> None:
        """Delete a Job if it exists, and its pods through the garbage collector."""
        await self._delete("delete job", self._jobs, name)

    async def delete_pod(self, name: str) -> None:
        """Delete a pod if it exists, with its own grace period."""
        await self._delete("delete pod", self._pods, name)

    async def create_event(self, manifest: dict[str, Any]) -> None:
        """Create a Kubernetes Event."""
        await self._create("create event", self._events, manifest)

    async def list_events(self, object_name: str) -> list[ObjectEvent]:
        """Return the Events about an object of ours, the newest last; of a flood only its beginning."""
        query = {"fieldSelector": f"involvedObject.name={object_name}", "limit": str(EVENTS_MAX)}
        request = Request("list events", "GET", self._events, query, max_bytes=EVENTS_MAX_BYTES)
        items = (await self._calls.call_json(request)).get("items")
        found = [object_event(i) for i in items if isinstance(i, dict)] if isinstance(items, list) else []
        return sorted((e for e in found if e.object_name == object_name), key=lambda e: e.at)

    async def list_jobs(self, run_uid: str | None = None) -> tuple[list[JobFacts], str]:
        """Return our Jobs, of one run if named, and the resourceVersion of the list."""
        return await self._list("list jobs", self._jobs, _selected(run_uid), job_facts)

    async def list_pods(self, run_uid: str | None = None) -> tuple[list[PodFacts], str]:
        """Return our pods, of one run if named, and the resourceVersion of the list."""
        return await self._list("list pods", self._pods, _selected(run_uid), pod_facts)

    async def list_documents(self) -> tuple[list[ObjectFacts], str]:
        """Return which of our ConfigMaps there are, without what they hold, and the list's version."""
        accept = METADATA.format(kind="PartialObjectMetadataList")
        return await self._list("list configmaps", self._config_maps, _selected(None), object_facts, accept)

    def watch_documents(self, since: str) -> AsyncGenerator[tuple[str, ObjectFacts], None]:
        """Yield (type, facts) for each change of our ConfigMaps after `since`; see `watch_jobs`."""
        accept = METADATA.format(kind="PartialObjectMetadata")
        return self._watch("watch configmaps", self._config_maps, since, object_facts, accept)

    def watch_jobs(self, since: str) -> AsyncGenerator[tuple[str, JobFacts], None]:
        """Yield (type, facts) for each change of our Jobs after `since`.

        It ends where the server ends it, or the connection: go on from the last version that it brought. A
        BOOKMARK brings one and nothing else. It raises ClusterError where everything has to be listed again.
        Close it to close its connection.
        """
        return self._watch("watch jobs", self._jobs, since, job_facts)

    def watch_pods(self, since: str) -> AsyncGenerator[tuple[str, PodFacts], None]:
        """Yield (type, facts) for each change of our pods after `since`; see `watch_jobs`."""
        return self._watch("watch pods", self._pods, since, pod_facts)

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    # --- calls

    async def _patch(self, what: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        query = {"fieldManager": names.MANAGED_BY}
        request = Request(what, "PATCH", path, query, body, MERGE_PATCH, permit_s=self._permit_s)
        return await self._calls.call_json(request)

    async def _write(self, request: Request) -> None:
        await self._calls.call(replace(request, permit_s=self._permit_s))

    async def _create(self, what: str, path: str, manifest: dict[str, Any]) -> dict[str, Any] | None:
        """Return the metadata of what was created, None if it was there; its status is empty yet."""
        query, accept = {"fieldManager": names.MANAGED_BY}, METADATA.format(kind="PartialObjectMetadata")
        request = Request(what, "POST", path, query, manifest, accept=accept, permit_s=self._permit_s)
        try:
            return await self._calls.call_json(request)
        except AlreadyExists:
            name = manifest["metadata"].get("name")
            logger.debug("object exists already", extra={"call": what, "object": name})
            return None

    async def _put_suspension(self, name: str, *, is_suspended: bool) -> None:
        """Change suspension and mark in one write, so that nobody sees one without the other."""
        mark = {names.ANNOTATION_SUSPENDED: "true" if is_suspended else None}
        body = {"metadata": {"annotations": mark}, "spec": {"suspend": is_suspended}}
        try:
            await self._patch("patch job", _named(self._jobs, name), body)
        except Missing:
            logger.debug("object is gone already", extra={"call": "patch job", "object": name})

    async def _delete(self, what: str, path: str, name: str) -> None:
        try:
            query = {"propagationPolicy": "Background"}
            await self._write(Request(what, "DELETE", _named(path, name), query))
        except Missing:
            logger.debug("object is gone already", extra={"call": what, "object": name})

    async def _list(  # noqa: PLR0917 - private
        self,
        what: str,
        path: str,
        query: dict[str, str],
        read: Callable[[dict[str, Any]], T],
        accept: str = JSON,
        page_size: int = PAGE_SIZE,
    ) -> tuple[list[T], str]:
        """Return what is read from each object, page by page, so that only one page is held whole."""
        found: list[T] = []
        size, token = page_size, ""
        for _ in range(PAGES_MAX):
            page_query = {**query, "limit": str(size), **({"continue": token} if token else {})}
            try:
                page = await self._calls.call_json(Request(what, "GET", path, page_query, accept=accept))
            except AnswerTooLong:
                if size == SMALL_PAGE_SIZE:
                    raise
                size = SMALL_PAGE_SIZE
                continue
            items, metadata = page.get("items") or [], page.get("metadata") or {}
            if not isinstance(items, list) or not isinstance(metadata, dict):
                break
            found += [read(item) for item in items if isinstance(item, dict)]
            token = str(metadata.get("continue") or "")
            if not token:
                return found, str(metadata.get("resourceVersion") or "")
        raise ClusterUnavailable(f"{what}: the answer is no list, or has no end")

    async def _watch(  # noqa: PLR0917 - private
        self,
        what: str,
        path: str,
        since: str,
        read: Callable[[dict[str, Any]], T],
        accept: str = JSON,
        selected: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[tuple[str, T], None]:
        query = {
            **(_selected(None) if selected is None else selected),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_WINDOW_S),
            "resourceVersion": since,
        }
        async with aclosing(self._calls.watch(Request(what, "GET", path, query, accept=accept))) as events:
            async for event in events:
                yield event["type"], read(event["object"])


def _named(path: str, name: str) -> str:
    return f"{path}/{quote(name, safe='')}"


def _selected(run_uid: str | None) -> dict[str, str]:
    """Return the query that selects what is ours, of one run if named."""
    labels = {**OURS, names.LABEL_RUN_UID: run_uid} if run_uid else OURS
    return {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
