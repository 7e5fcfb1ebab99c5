"""An API server in memory: versioned objects, watches from any version on, finalizers and owners.

`SimulatedApiCalls` takes the place of the operator's `ApiCalls`, so that all above it is the product's own.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Mapping
from itertools import takewhile
from typing import Any, Final

from gather_clients.kube_api.api_calls import Request
from gather_clients.kube_api.api_errors import error_of_status
from gather_clients.kube_api.cluster_errors import ClusterError, ClusterUnavailable
from gather_contracts import names
from gather_contracts.events import timestamp
from tests.support.simulation.virtual_time import monotonic, true_now
from tests.support.simulation.wire import RefusedBy, Unreachable, Wire

Object = dict[str, Any]
RUNS, JOBS, PODS, DOCUMENTS, EVENTS = "gatherruns", "jobs", "pods", "configmaps", "events"
KEPT_CHANGES: Final = 2000
TIMEOUT_S: Final = 10.0
REFUSALS: Final = ("429", "500", "503")
Changed = Callable[[str, str, Object | None, Object | None], None]
"""Gets the kind, ADDED, MODIFIED or DELETED, and the object before and after."""


class ApiServer:
    """One namespace."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Object]] = defaultdict(dict)
        self.version = 1
        self.listeners: list[Changed] = []
        self.oldest: dict[str, int] = defaultdict(int)
        """Versions before this one are forgotten: a watch from there on is told to list again."""
        self._changes: dict[str, deque[tuple[int, str, Object]]] = defaultdict(
            lambda: deque(maxlen=KEPT_CHANGES)
        )
        self._waiting: dict[str, list[asyncio.Event]] = defaultdict(list)
        self.watches_broken = 0
        self.silent_until_s: dict[str, float] = defaultdict(float)
        self._uids = 0

    # --- what controllers and people do

    def get(self, kind: str, name: str) -> Object | None:
        """Return the object as it stands; it is never changed in place."""
        return self.objects[kind].get(name)

    def create(self, kind: str, manifest: Object) -> Object:
        """Add an object; raises AlreadyExists."""
        metadata = dict(manifest["metadata"])
        self._uids += 1
        name = metadata.get("name") or f"{metadata.get('generateName', 'object-')}{self._uids}"
        if name in self.objects[kind]:
            raise status_error(409, "AlreadyExists", f"{kind} {name}")
        metadata |= {"name": name, "creationTimestamp": now_text(), "generation": 1}
        metadata.setdefault("uid", f"00000000-0000-4000-8000-{self._uids:012d}")
        made = {"status": {}, **manifest, "metadata": metadata}
        return self._keep(kind, "ADDED", None, made)

    def put(self, kind: str, name: str, **changes: Any) -> Object | None:
        """Replace parts of an object; `metadata` is merged. One without finalizers that was to go goes."""
        before = self.objects[kind].get(name)
        if before is None:
            return None
        metadata = {**before["metadata"], **changes.pop("metadata", {})}
        if "spec" in changes and changes["spec"] != before.get("spec"):
            metadata["generation"] = metadata.get("generation", 1) + 1
        after = {**before, **changes, "metadata": metadata}
        if after == before:
            return before
        if kind == RUNS and metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self.remove(kind, name, after)
        return self._keep(kind, "MODIFIED", before, after)

    def delete(self, kind: str, name: str) -> Object | None:
        """Delete an object as the API does: what holds a finalizer, and pods, only begin to go."""
        before = self.objects[kind].get(name)
        if before is None:
            return None
        metadata = before["metadata"]
        if kind == PODS or metadata.get("finalizers"):
            if metadata.get("deletionTimestamp"):
                return before
            return self.put(kind, name, metadata={"deletionTimestamp": now_text()})
        return self.remove(kind, name)

    def remove(self, kind: str, name: str, last: Object | None = None) -> Object | None:
        """Take an object away at once."""
        before = self.objects[kind].pop(name, None)
        if before is None:
            return None
        return self._keep(kind, "DELETED", before, last or before)

    def _keep(self, kind: str, change: str, before: Object | None, after: Object) -> Object:
        self.version += 1
        metadata = {**after["metadata"], "resourceVersion": str(self.version)}
        after = {**after, "metadata": metadata}
        if change != "DELETED":
            self.objects[kind][metadata["name"]] = after
        kept = self._changes[kind]
        if len(kept) == KEPT_CHANGES:
            self.oldest[kind] = kept[0][0]
        kept.append((self.version, change, after))
        for event in self._waiting[kind]:
            event.set()
        for listener in self.listeners:
            listener(kind, change, before, None if change == "DELETED" else after)
        return after

    # --- watching

    def expire(self) -> None:
        """Forget all older versions, as etcd's compaction does."""
        for kind in list(self._changes):
            self.oldest[kind] = self.version

    def break_watches(self) -> None:
        """Close all connections that are open for watching."""
        self.watches_broken += 1
        for events in self._waiting.values():
            for event in events:
                event.set()

    async def changes(self, kind: str, since: int) -> AsyncGenerator[tuple[int, str, Object], None]:
        """Yield what changes after a version until the connection is closed."""
        if since < self.oldest[kind]:
            raise status_error(410, "Expired", "too old resource version")
        broken, changed = self.watches_broken, asyncio.Event()
        self._waiting[kind].append(changed)
        try:
            while self.watches_broken == broken:
                changed.clear()
                for version, change, found in self._after(kind, since):
                    since = version
                    yield version, change, found
                if self.watches_broken == broken:
                    await changed.wait()
        finally:
            self._waiting[kind].remove(changed)

    def _after(self, kind: str, version: int) -> list[tuple[int, str, Object]]:
        """Return the changes after a version, found from the end: most watches lack the last one alone."""
        later = takewhile(lambda kept: kept[0] > version, reversed(self._changes[kind]))
        return [*later][::-1]


def status_error(code: int, reason: str, message: str, retry_after_s: float | None = None) -> ClusterError:
    """Return the operator's error for what the API server answers."""
    return error_of_status("call", {"code": code, "reason": reason, "message": message}, retry_after_s)


def now_text() -> str:
    """Return the API server's time."""
    return timestamp(true_now())


def merged(before: Any, patch: Any) -> Any:
    """Return what a merge patch makes of a value."""
    if not isinstance(patch, Mapping):
        return patch
    after = dict(before) if isinstance(before, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value)
    return after


class SimulatedApiCalls:
    """What the operator calls of `ApiCalls`, over the wire to an API server in memory."""

    def __init__(self, server: ApiServer, wire: Wire) -> None:
        self._server = server
        self._wire = wire

    async def call(self, request: Request) -> bytes:
        """Return the body of the answer, which nobody reads."""
        await self.call_json(request)
        return b""

    async def call_json(self, request: Request) -> Object:
        """Return the answer; raises ClusterError."""
        kind, name, part = _parsed(request.path)
        refusals = (*REFUSALS, "409") if request.method == "PATCH" else REFUSALS
        try:
            return await self._wire.call(
                "api",
                f"{request.what} {name}",
                lambda: self._carry_out(request, kind, name, part),
                limit_s=TIMEOUT_S,
                refusals=refusals,
            )
        except Unreachable as error:
            raise ClusterUnavailable(f"{request.what}: {error.kind}") from error
        except RefusedBy as error:
            wait_s = 3.0 if error.kind == "429" else None
            raise status_error(int(error.kind), "Injected", request.what, wait_s) from error

    def _carry_out(self, request: Request, kind: str, name: str, part: str) -> Object:
        server = self._server
        if request.method == "POST":
            return server.create(kind, json.loads(json.dumps(request.body)))
        if not name:
            return self._list(kind, str(request.query.get("labelSelector", "")))
        found = server.get(kind, name)
        if found is None:
            raise status_error(404, "NotFound", f"{kind} {name}")
        if request.method == "PATCH":
            return self._patch(kind, found, request.body, part)
        if request.method == "DELETE":
            wanted = (request.body or {}).get("preconditions", {})
            if any(found["metadata"][key] != value for key, value in wanted.items()):
                raise status_error(409, "Conflict", name)
            server.delete(kind, name)
        return found

    def _list(self, kind: str, selector: str) -> Object:
        wanted = dict(each.split("=", 1) for each in selector.split(",") if each)
        items = [
            found
            for found in self._server.objects[kind].values()
            if wanted.items() <= (found["metadata"].get("labels") or {}).items()
        ]
        return {"items": items, "metadata": {"resourceVersion": str(self._server.version)}}

    def _patch(self, kind: str, found: Object, body: Object, part: str) -> Object:
        name = found["metadata"]["name"]
        metadata = dict(body.get("metadata", {}))
        version = metadata.pop("resourceVersion", None)
        if version is not None and version != found["metadata"]["resourceVersion"]:
            raise status_error(409, "Conflict", name)
        if part == "status":
            status = merged(found.get("status") or {}, json.loads(json.dumps(body["status"])))
            return self._server.put(kind, name, status=status) or found
        spec = merged(found["spec"], body["spec"]) if "spec" in body else found.get("spec")
        return self._server.put(kind, name, metadata=metadata, spec=spec) or found

    async def watch(self, request: Request) -> AsyncGenerator[Object, None]:
        """Yield the events of a watch."""
        server = self._server
        kind, _, _ = _parsed(request.path)
        since = int(request.query["resourceVersion"])
        await self.call_json(Request(request.what, "GET", request.path, {"labelSelector": "none=none"}))
        ends_s = monotonic() + float(request.query["timeoutSeconds"])
        changes = server.changes(kind, since)
        try:
            while True:
                try:
                    async with asyncio.timeout(max(0.0, ends_s - monotonic())):
                        _, change, found = await anext(changes)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    # All changes until now have been seen.
                    yield {
                        "type": "BOOKMARK",
                        "object": {"metadata": {"resourceVersion": str(server.version)}},
                    }
                    return
                await self._silence(kind)
                yield {"type": change, "object": found}
        finally:
            await changes.aclose()

    async def _silence(self, kind: str) -> None:
        if (left_s := self._server.silent_until_s[kind] - monotonic()) > 0:
            await asyncio.sleep(left_s)

    async def close(self) -> None:
        """Nothing is open."""


def _parsed(path: str) -> tuple[str, str, str]:
    """Return an address's kind, name and part; the latter two may be empty."""
    parts = path.split("/namespaces/", 1)[1].split("/")[1:]
    kind, name, part = [*parts, "", ""][:3]
    if kind not in {names.PLURAL, JOBS, PODS, DOCUMENTS, EVENTS}:
        raise NotImplementedError(path)
    return kind, name, part
