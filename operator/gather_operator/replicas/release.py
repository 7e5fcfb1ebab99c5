"""`gather-operator release`: before the operator is uninstalled, let go of all runs.

The chart runs it as a hook before `helm uninstall`. It takes the Leases of all shards, so that operators that
still run hold no run again; it never fails, since a failing hook would keep the release installed.
"""

import asyncio
import logging
from typing import Any, Final

from pydantic import ValidationError

from gather_clients.kube_api.cluster_errors import ClusterError, Missing
from gather_contracts import names
from gather_contracts.resource import GatherRun, parse_run
from gather_operator.decisions.status.kube_events import WARNING, KubeEvent, build_event
from gather_operator.errors import EXPECTED
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.leases import Leases
from gather_operator.replicas.elector import Elector, Lead
from gather_operator.replicas.lease_rules import LeaseTiming
from gather_operator.replicas.letting_go import let_go
from gather_operator.replicas.place import api_calls, lease_of
from gather_operator.settings import PlaceSettings

logger = logging.getLogger(__name__)

HELD_S: Final = 30
"""So long nobody takes the Lease afterwards: Helm deletes the Deployment meanwhile."""
GOING_S: Final = 30.0
"""For the operator, while it is there, to end the runs that are already being deleted."""
LOOK_S: Final = 1.0
BY_HAND: Final = """kubectl patch gatherrun NAME --type=merge -p '{"metadata":{"finalizers":[]}}'"""


async def release(settings: PlaceSettings, within_s: float) -> None:
    """Let go of all runs within that time; what is left is logged. Raises ConfigurationError alone."""
    calls = await api_calls(settings)
    leases = {index: lease_of(settings, calls, index) for index in range(names.SHARDS_MAX)}
    electors = {i: Elector(lease, settings.identity, LeaseTiming(HELD_S)) for i, lease in leases.items()}
    cluster = Cluster(calls, settings.namespace, electors[0].permit_s)
    try:
        async with asyncio.timeout(within_s):
            await _let_deletions_end(cluster, min(GOING_S, within_s / 2))
            there = [i for i, lease in leases.items() if i == 0 or await _is_there(lease)]
            await _seize_all([electors[i] for i in there], cluster)
    except TimeoutError:
        logger.error("not all runs were let go of in time", extra={"by_hand": BY_HAND})  # noqa: TRY400
    finally:
        await cluster.close()


async def _is_there(lease: Leases) -> bool:
    """Return whether a further shard's Lease exists; one that cannot be read has never been used."""
    try:
        return await lease.read() is not None
    except ClusterError as error:
        logger.warning("a shard's Lease cannot be read", extra={"error": str(error)})
        return False


async def _seize_all(electors: list[Elector], cluster: Cluster) -> None:
    """Act in the place of the operators of all shards, once they have stopped, whatever fails on the way."""
    safe, is_done = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        safe.release()
        await is_done.wait()

    async def act() -> None:
        for _ in electors[1:]:
            await safe.acquire()
        await _stop_jobs(cluster)
        released = await let_go(cluster)
        logger.info("all runs can be deleted without an operator", extra={"let_go": released})

    async def seize_first() -> None:
        try:
            await _seize(electors[0], act)
        finally:
            is_done.set()

    await asyncio.gather(seize_first(), *(_seize(elector, hold) for elector in electors[1:]))


async def _seize(elector: Elector, act: Lead) -> None:
    while True:
        try:
            return await elector.seize(act)
        except EXPECTED as error:
            logger.warning("the Lease could not be taken or was lost", extra={"error": str(error)})
            await asyncio.sleep(LOOK_S)


async def _let_deletions_end(cluster: Cluster, within_s: float) -> None:
    """Give the operator the time to end deleted runs as always, with their last event."""
    try:
        async with asyncio.timeout(within_s):
            while await _has_going(cluster):  # noqa: ASYNC110 - it is others' doing
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        logger.warning("runs that are being deleted were not ended by the operator")


async def _has_going(cluster: Cluster) -> bool:
    return any(body["metadata"].get("deletionTimestamp") for body in await _bodies(cluster))


async def _stop_jobs(cluster: Cluster) -> None:
    """Delete the Jobs that work, and say so at their runs: nobody would see what they cost."""
    runs = {run.metadata.uid: run for body in await _bodies(cluster) if (run := _read(body)) is not None}
    jobs, _ = await cluster.list_jobs()
    for job in jobs:
        run = runs.get(job.run_uid)
        if run is None or run.status.phase.is_final or job.is_finished or job.is_terminating:
            continue
        await cluster.delete_job(job.name)
        message = (
            f"The operator is being uninstalled, so Job {job.name} was stopped; its worker saves what it "
            "has. An operator that is installed again goes on from there; deleting the run ends it."
        )
        try:
            await cluster.create_event(build_event(run, KubeEvent("OperatorUninstalled", message, WARNING)))
        except ClusterError as error:
            logger.warning("Kubernetes Event not posted", extra={"error": str(error)})


async def _bodies(cluster: Cluster) -> list[dict[str, Any]]:
    """Return all runs; none without the CRD, or while the API does not say."""
    try:
        return (await cluster.list_runs(dict))[0]
    except Missing:
        return []
    except ClusterError as error:
        logger.warning("runs cannot be listed", extra={"error": str(error)})
        return []


def _read(body: dict[str, Any]) -> GatherRun | None:
    try:
        return parse_run(body)
    except ValidationError:
        return None
