"""The doors' calls about GatherRuns of one namespace: create, get, watch and patch, and no others."""

import logging
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from prometheus_client import Counter

from gather_bridge.errors import NameTaken, TaskRefused
from gather_clients.configuration import ConfigurationError
from gather_clients.kube_api.api_access import NoAccess, load_access
from gather_clients.kube_api.api_calls import MERGE_PATCH, ApiCalls, Request
from gather_clients.kube_api.api_errors import COUNTED
from gather_clients.kube_api.cluster_errors import AlreadyExists, Conflict, Missing, Refused
from gather_clients.web.metric_series import begin_at_zero
from gather_contracts import names

logger = logging.getLogger(__name__)

FIELD_MANAGER: Final = "gather-door"
WATCH_WINDOW_S: Final = 240
"""The server ends a watch after this time; the next goes on from the last version."""
FIELD: Final = re.compile(r"\bspec\.(\w+(?:\.\w+)*)\S*: (?:Invalid value: .*?: )?([^\]]+)")
"""Of the API server's sentence about a wrong resource: the field, and what to do."""
CREATE_TRIES: Final = 2
CREATE: Final = "create gatherrun"
GET: Final = "get gatherrun"
PATCH: Final = "patch gatherrun"
WATCH: Final = "watch gatherruns"
CALLS: Final = (CREATE, GET, PATCH, WATCH)
"""The calls as metrics name them."""


class TaskRuns:
    """One namespace's GatherRuns."""

    def __init__(self, calls: ApiCalls, namespace: str) -> None:
        self._calls = calls
        self._path = (
            f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{quote(namespace, safe='')}/{names.PLURAL}"
        )

    async def create(self, manifest: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the task's run and whether it was made now; one that exists is the same run.

        Raises:
            TaskRefused: the API server names a field that is wrong.
            NameTaken: a GatherRun of that name is not this task's.
            ClusterError: likewise as for every call; Refused if the door may not, or a quota is used up.
        """
        for _ in range(CREATE_TRIES):
            try:
                query = {"fieldManager": FIELD_MANAGER}
                request = Request(CREATE, "POST", self._path, query, dict(manifest))
                return await self._calls.call_json(request), True
            except AlreadyExists:
                found = await self._same(manifest)
                if found is not None:
                    return found, False
            except Refused as refused:
                raise _named_field(refused) from None
        raise Missing("a GatherRun comes and goes under that name")

    async def get(self, name: str) -> dict[str, Any]:
        """Return a run as it stands; raises Missing."""
        return await self._calls.call_json(Request(GET, "GET", self._named(name), {}))

    async def cancel(self, name: str) -> dict[str, Any]:
        """Cancel a run, as often as one likes; what it made stays. Raises Missing."""
        return await self._patch(name, {"spec": {"cancel": True}})

    async def mark(
        self,
        name: str,
        uid: str,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Set labels and annotations of that very run; raises Missing, or Conflict if it is another one."""
        metadata = {"uid": uid, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
        try:
            return await self._patch(name, {"metadata": metadata})
        except Refused as refused:
            if "metadata.uid" in str(refused):
                raise Conflict(str(refused)) from refused
            raise

    async def watch(
        self, query: Mapping[str, str], on_open: Callable[[], None]
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Yield (type, object) of a watch; it ends when the server or the connection ends it.

        `on_open` is called once the server has taken it.
        Raises ClusterError where going on from the last version would not be right.
        """
        fixed = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_WINDOW_S)}
        request = Request(WATCH, "GET", self._path, {**fixed, **query})
        async with aclosing(self._calls.watch(request, on_open)) as events:
            async for event in events:
                yield event["type"], event["object"]

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _same(self, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the run that exists, None if it has gone meanwhile; raises NameTaken for another's."""
        wanted = manifest["metadata"]
        try:
            found = await self.get(wanted["name"])
        except Missing:
            return None
        if _identity(found["metadata"]) != _identity(wanted):
            raise NameTaken(f"the GatherRun {wanted['name']} exists and is not of this task: use another id")
        return found

    async def _patch(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        query = {"fieldManager": FIELD_MANAGER}
        request = Request(PATCH, "PATCH", self._named(name), query, body, MERGE_PATCH)
        return await self._calls.call_json(request)

    def _named(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"


async def check_access() -> None:
    """Raise ConfigurationError unless there are credentials for the Kubernetes API; nothing is called."""
    try:
        await load_access()
    except (NoAccess, OSError) as error:
        raise ConfigurationError(f"no way to the Kubernetes API: {error}") from None


async def open_task_runs(namespace: str, timeout_s: float, errors: Counter) -> TaskRuns:
    """Return calls with the pod's service account, else the kubeconfig's; raises ConfigurationError.

    `errors` has the labels `call` and `error`; each call takes `timeout_s` at most.
    """
    begin_at_zero(errors, call=CALLS, error=COUNTED)
    try:
        calls = ApiCalls(
            await load_access(),
            load_access,
            timeout_s,
            user_agent=f"{FIELD_MANAGER}/{version('gather')}",
            count=lambda call, error: errors.labels(call=call, error=error).inc(),
        )
    except (NoAccess, OSError) as error:
        raise ConfigurationError(f"no way to the Kubernetes API: {error}") from None
    return TaskRuns(calls, namespace)


def _identity(metadata: Mapping[str, Any]) -> tuple[object, object]:
    """Return what says whose run it is: the door and the task's id."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return labels.get(names.LABEL_DOOR), annotations.get(names.ANNOTATION_TASK_ID)


def _named_field(refused: Refused) -> Exception:
    """Return TaskRefused if the API server names a field of the spec, else what it said."""
    found = FIELD.search(str(refused))
    return TaskRefused(found[1], found[2].strip()) if found else refused
