"""The Leases of the other shards: no two operators that split the runs otherwise act at once.

Each one claims its own Lease first and looks at the others afterwards. Of two that do so at once at least the
later one sees the other's claim. The first shard's count is the one that holds: its holder keeps its claim
and waits until the shards of other counts have stopped, which they do once they see it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from gather_clients.kube_api.cluster_errors import Conflict, Missing, Refused
from gather_operator.replicas.lease_rules import LeaseRecord, Sighting, seen
from gather_operator.replicas.shards import Shard, Standing, count_of, standing

logger = logging.getLogger(__name__)


class OtherLease(Protocol):
    """One of the other shards' Leases."""

    async def read(self) -> LeaseRecord | None:
        """Return the Lease, None if there is none; raises ClusterError."""

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Write over that very version; raises ClusterError."""


class Rivals:
    """What one replica sees of the other shards' Leases."""

    def __init__(self, shard: Shard, leases: Mapping[int, OtherLease]) -> None:
        """`leases` are all that a shard of any count may hold, but this one's own, by index."""
        self.shard = shard
        self._leases = leases
        self._sightings: dict[int, Sighting | None] = dict.fromkeys(leases)
        self._said = Standing.FREE

    async def look(self, clock: Callable[[], float]) -> Standing:
        """Look at all of them; raises ClusterError."""
        await self._look_at_all(clock)
        found = standing(self.shard, self._sightings, clock())
        if found is not self._said and found is not Standing.FREE:
            logger.warning("this replica waits: %s", found.value, extra={"shards": self.shard.count})
        self._said = found
        return found

    async def look_at_first(self, clock: Callable[[], float]) -> Standing:
        """Look at the first shard's, and judge by that alone; raises ClusterError."""
        if 0 not in self._leases:
            return Standing.FREE
        await self._look(0, clock)
        return standing(self.shard, {0: self._sightings[0]}, clock())

    async def tidy(self) -> None:
        """Take the holders out that went without a word, once this is the first shard and acts.

        The next leader would have to wait for them once more. Raises ClusterError.
        """
        for index, sighting in self._sightings.items():
            if self.shard.index or sighting is None or not sighting.record.holder:
                continue
            if count_of(sighting.record.holder) != self.shard.count:
                with contextlib.suppress(Conflict, Missing):
                    await self._leases[index].write(replace(sighting.record, holder=""))

    async def _look_at_all(self, clock: Callable[[], float]) -> None:
        await asyncio.gather(*(self._look(index, clock) for index in self._leases))

    async def _look(self, index: int, clock: Callable[[], float]) -> None:
        try:
            record = await self._leases[index].read()
        except Refused:
            if self.shard.count > 1:
                raise
            record = None  # a Role from before there were shards: nobody could have used them
        self._sightings[index] = seen(self._sightings[index], record, clock())
