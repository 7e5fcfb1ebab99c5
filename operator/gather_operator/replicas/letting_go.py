"""Takes the finalizer off runs that nobody will be there to release, since namespace or operator go."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from gather_clients.kube_api.cluster_errors import ClusterError, Conflict, Missing
from gather_contracts import names

logger = logging.getLogger(__name__)

AT_ONCE: Final = 16
RETRY_S: Final = 0.5


Body = TypeVar("Body")


class Runs(Protocol):
    """The part of the cluster that letting go needs."""

    async def list_runs(self, read: Callable[[dict[str, Any]], Body]) -> tuple[list[Body], str]:
        """Return what is read of each GatherRun; raises ClusterError."""

    async def put_finalizers(self, name: str, resource_version: str, finalizers: list[str]) -> dict[str, Any]:
        """Replace a run's finalizers; raises ClusterError."""


async def let_go(runs: Runs, is_meant: Callable[[dict[str, Any]], bool] = lambda _: True) -> int:
    """Take the finalizer off the runs that are meant; return of how many.

    Tries until none holds it: bound it from outside. Without the CRD there is nothing to do.
    """
    released = 0
    while True:
        try:
            bodies, _ = await runs.list_runs(dict)
        except Missing:
            return released
        except ClusterError as error:
            logger.warning("runs cannot be listed to let go of them", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)
            continue
        held = [body for body in bodies if names.FINALIZER in _finalizers(body) and is_meant(body)]
        if not held:
            return released
        gate = asyncio.Semaphore(AT_ONCE)
        done = await asyncio.gather(*(_release(runs, body, gate) for body in held))
        released += sum(done)
        if not all(done):
            await asyncio.sleep(RETRY_S)


async def _release(runs: Runs, body: dict[str, Any], gate: asyncio.Semaphore) -> bool:
    metadata = body["metadata"]
    others = [f for f in _finalizers(body) if f != names.FINALIZER]
    async with gate:
        try:
            await runs.put_finalizers(metadata["name"], metadata["resourceVersion"], others)
        except Missing:
            return True
        except Conflict:
            return False
        except ClusterError as error:
            logger.warning(
                "a run's finalizer stays for now", extra={"run": metadata["name"], "error": str(error)}
            )
            return False
    logger.info("let go of a run", extra={"run": metadata["name"]})
    return True


def _finalizers(body: dict[str, Any]) -> list[str]:
    found = body["metadata"].get("finalizers")
    return found if isinstance(found, list) else []
