"""Writes into a run's conditions which events its webhook will not get; a class of error, and no content."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pydantic import ValidationError

from gather_clients.kube_api.cluster_errors import Missing
from gather_clients.outbox.outbox_entries import GivenUp, OutboxUnavailable
from gather_contracts.reasons import ConditionType, Reason
from gather_contracts.resource import GatherRun, GatherRunStatus, dump_status, parse_run
from gather_operator.decisions.status.conditions import ConditionSet, shorten
from gather_operator.errors import EXPECTED

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 30.0
STRANGERS_MAX: Final = 10_000


class Outbox(Protocol):
    """What was given up; each call raises OutboxUnavailable."""

    async def given_up(self) -> list[GivenUp]:
        """Return it, of runs that do not say so yet."""

    async def report(self, told: GivenUp) -> None:
        """Note that the run says so."""


class Cluster(Protocol):
    """The runs; each call raises OperatorError."""

    async def get_run(self, name: str) -> dict[str, Any]:
        """Return a run's resource."""

    async def put_status(self, name: str, resource_version: str, status: dict[str, Any]) -> dict[str, Any]:
        """Replace its status."""


def said_in(run: GatherRun, given_up: GivenUp, now: datetime) -> GatherRunStatus:
    """Return the run's status with the condition that says so."""
    conditions = ConditionSet(run.status, run.metadata.generation, now)
    message = shorten(f"Events that the webhook does not get: {given_up.events}. Last: {given_up.reason}.")
    conditions.put(ConditionType.WEBHOOK_DELIVERED, False, Reason.WEBHOOK_GIVEN_UP, message)
    return run.status.model_copy(update={"conditions": conditions.listed()})


class GivenUpReports:
    """Looks now and then, for all runs of its shard (`is_ours`) at once, while this replica may write."""

    def __init__(
        self,
        outbox: Outbox,
        cluster: Cluster,
        is_leading: Callable[[], bool],
        is_ours: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._is_ours = is_ours
        self._outbox = outbox
        self._cluster = cluster
        self._is_leading = is_leading
        self._strangers: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            if self._is_leading():
                await self.look()

    async def look(self) -> None:
        """Write what is new; what could not be written is there the next time."""
        try:
            for told in await self._outbox.given_up():
                if self._is_ours(told.run_uid) and told.run_uid not in self._strangers:
                    await self._tell(told)
        except (OutboxUnavailable, *EXPECTED) as error:
            logger.info("what webhooks did not get is said later", extra={"error": str(error)[:300]})
        except Exception:
            # Nothing optional may end the operator.
            logger.exception("looking at what webhooks did not get failed unexpectedly")

    async def _tell(self, told: GivenUp) -> None:
        """Write one run's condition, unless the run is gone or another operator's."""
        try:
            run = parse_run(await self._cluster.get_run(told.run))
        except (Missing, ValidationError):
            run = None
        if run is None or run.metadata.uid != told.run_uid:
            if len(self._strangers) < STRANGERS_MAX:
                self._strangers.add(told.run_uid)
            return
        status = dump_status(said_in(run, told, datetime.now(UTC)))
        await self._cluster.put_status(run.metadata.name, run.metadata.resource_version, status)
        await self._outbox.report(told)
