"""The only place that calls the Kubernetes API for anything but kopf's watch of GatherRuns.

Every call has a timeout and raises `ClusterError`s alone. What is already there counts as created, what is
already gone counts as deleted. A service-account token is read again from its file when the API refuses it.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import httpx2
import msgspec
from lightkube import ApiError, AsyncClient
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import ConfigMap, Event, Pod
from lightkube.types import CascadeType, PatchType

from gather_contracts import names
from gather_operator.decisions.facts import JobFacts, PodFacts
from gather_operator.errors import ClusterError, ClusterUnavailable, Conflict, Missing, Refused
from gather_operator.kube.conversion import job_facts, pod_facts
from gather_operator.metrics import API_ERRORS

logger = logging.getLogger(__name__)

PAGE_SIZE: Final = 500
WATCH_WINDOW_S: Final = 60
"""The server ends a watch after this time; a dead connection is noticed a little later."""
OURS: Final = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
REFUSALS: Final = frozenset({400, 403, 405, 413, 422})

CLIENT_ERRORS: Final = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    msgspec.MsgspecError,
    ConfigError,
    OSError,
    # The client trips over error answers without a content type, with a torn body or without metadata.
    KeyError,
    ValueError,
    AttributeError,
)

GatherRunResource: Final[Any] = create_namespaced_resource(
    names.GROUP, names.VERSION, names.KIND, names.PLURAL
)


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

    def __init__(self, client: AsyncClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    # --- GatherRuns

    async def list_runs(self) -> tuple[list[dict[str, Any]], str]:
        """Return all GatherRuns of the namespace as they stand, and the list's resourceVersion."""
        with _mapped("list gatherruns"):
            pages = self._client.list(GatherRunResource, namespace=self._namespace, chunk_size=PAGE_SIZE)
            return [dict(item) async for item in pages], pages.resourceVersion

    async def get_run(self, name: str) -> dict[str, Any]:
        """Return a GatherRun as it stands; raises Missing."""
        with _mapped("get gatherrun"):
            return dict(await self._client.get(GatherRunResource, name, namespace=self._namespace))

    async def put_finalizers(self, name: str, resource_version: str, finalizers: list[str]) -> dict[str, Any]:
        """Replace a GatherRun's finalizers; raises Conflict if it changed since `resource_version`."""
        metadata = {"resourceVersion": resource_version, "finalizers": finalizers}
        with _mapped("patch gatherrun"):
            return dict(
                await self._client.patch(
                    GatherRunResource,
                    name,
                    {"metadata": metadata},
                    namespace=self._namespace,
                    patch_type=PatchType.MERGE,
                )
            )

    async def put_status(self, name: str, resource_version: str, status: dict[str, Any]) -> dict[str, Any]:
        """Write a GatherRun's status; raises Conflict if the resource changed since `resource_version`."""
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        with _mapped("patch gatherruns/status"):
            return dict(
                await self._client.patch(
                    GatherRunResource.Status,
                    name,
                    body,
                    namespace=self._namespace,
                    patch_type=PatchType.MERGE,
                )
            )

    async def delete_run(self, name: str, uid: str, resource_version: str) -> None:
        """Delete that very version of a GatherRun; raises Conflict if it has changed, Missing if gone."""
        metadata = (await self.get_run(name))["metadata"]
        if (metadata["uid"], metadata["resourceVersion"]) != (uid, resource_version):
            raise Conflict(f"delete gatherrun: {name} has changed")
        with _mapped("delete gatherrun"):
            await self._client.delete(
                GatherRunResource, name, namespace=self._namespace, cascade=CascadeType.BACKGROUND
            )

    # --- what a run owns

    async def get_config_map(self, name: str) -> dict[str, str]:
        """Return a ConfigMap's data; raises Missing."""
        with _mapped("get configmap"):
            found = await self._client.get(ConfigMap, name, namespace=self._namespace)
        return dict(found.data or {})

    async def create_config_map(self, manifest: dict[str, Any]) -> None:
        """Create a ConfigMap; one of that name is taken for ours, since the name carries the run's UID."""
        await self._create(ConfigMap, manifest, "create configmap")

    async def create_job(self, manifest: dict[str, Any]) -> None:
        """Create a Job; one of that name is adopted, since the name carries the run's UID."""
        await self._create(Job, manifest, "create job")

    async def delete_config_map(self, name: str) -> None:
        """Delete a ConfigMap if it exists."""
        await self._delete(ConfigMap, name, "delete configmap")

    async def delete_job(self, name: str) -> None:
        """Delete a Job if it exists, and its pods through the garbage collector."""
        await self._delete(Job, name, "delete job")

    async def delete_pod(self, name: str) -> None:
        """Delete a pod if it exists, with its own grace period."""
        await self._delete(Pod, name, "delete pod")

    async def create_event(self, manifest: dict[str, Any]) -> None:
        """Create a Kubernetes Event."""
        await self._create(Event, manifest, "create event")

    async def list_jobs(self, run_uid: str | None = None) -> tuple[list[JobFacts], str]:
        """Return our Jobs, of one run if named, and the resourceVersion of the list."""
        items, version = await self._list(Job, run_uid, "list jobs")
        return [job_facts(job) for job in items], version

    async def list_pods(self, run_uid: str | None = None) -> tuple[list[PodFacts], str]:
        """Return our pods, of one run if named, and the resourceVersion of the list."""
        items, version = await self._list(Pod, run_uid, "list pods")
        return [pod_facts(pod) for pod in items], version

    async def watch_jobs(self, since: str) -> AsyncIterator[tuple[str, JobFacts]]:
        """Yield (type, facts) for each change of our Jobs after `since`; ends by raising ClusterError."""
        async for kind, job in self._watch(Job, since, "watch jobs"):
            yield kind, job_facts(job)

    async def watch_pods(self, since: str) -> AsyncIterator[tuple[str, PodFacts]]:
        """Yield (type, facts) for each change of our pods after `since`; ends by raising ClusterError."""
        async for kind, pod in self._watch(Pod, since, "watch pods"):
            yield kind, pod_facts(pod)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _create(self, resource: type[Any], manifest: dict[str, Any], what: str) -> None:
        create: Any = self._client.create  # its overloads do not cover "one of several kinds"
        try:
            with _mapped(what):
                await create(resource.from_dict(manifest), namespace=self._namespace)
        except Conflict:
            logger.debug(
                "object exists already", extra={"call": what, "object": manifest["metadata"].get("name")}
            )

    async def _delete(self, resource: Any, name: str, what: str) -> None:
        try:
            with _mapped(what):
                await self._client.delete(
                    resource, name, namespace=self._namespace, cascade=CascadeType.BACKGROUND
                )
        except Missing:
            logger.debug("object is gone already", extra={"call": what, "object": name})

    async def _list(self, resource: Any, run_uid: str | None, what: str) -> tuple[list[Any], str]:
        labels = {**OURS, names.LABEL_RUN_UID: run_uid} if run_uid else OURS
        with _mapped(what):
            pages = self._client.list(
                resource, namespace=self._namespace, labels=dict(labels), chunk_size=PAGE_SIZE
            )
            return [item async for item in pages], pages.resourceVersion

    async def _watch(self, resource: type[Any], since: str, what: str) -> AsyncIterator[tuple[str, Any]]:
        with _mapped(what):
            watch = self._client.watch(
                resource,
                namespace=self._namespace,
                labels=dict(OURS),
                server_timeout=WATCH_WINDOW_S,
                resource_version=since,
            )
            async for event in watch:
                yield event


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    """Turn what the client raises into our errors, and count them."""
    try:
        yield
    except CLIENT_ERRORS as e:
        error = _translated(what, e)
        if isinstance(error, ClusterUnavailable | Refused):  # the others are answers, and expected
            API_ERRORS.labels(call=what, error=type(error).__name__).inc()
        raise error from e


def _translated(what: str, error: Exception) -> ClusterError:
    code = None
    if isinstance(error, ApiError):
        code = error.status.code
    elif isinstance(error, httpx2.HTTPStatusError):
        code = error.response.status_code
    message = f"{what}: {str(error) or type(error).__name__}"
    if code == httpx2.codes.NOT_FOUND:
        return Missing(message)
    if code in {httpx2.codes.CONFLICT, httpx2.codes.GONE}:
        return Conflict(message)
    return Refused(message) if code in REFUSALS else ClusterUnavailable(message)
