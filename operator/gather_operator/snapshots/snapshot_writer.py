"""Writes what stands in each run's status to where the bridge reads it: in the background, the latest wins.

Nothing waits for it. A store that is unavailable is tried again later; beyond `WAITING_MAX` runs the oldest
waiting one is left out, until its status changes again.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from gather_clients.backoff import Backoff
from gather_clients.snapshots.opening import why_unavailable
from gather_contracts.events import timestamp
from gather_contracts.resource import GatherRun
from gather_contracts.snapshots.run_state import RunState, state_of_run
from gather_operator.work_queue import Next

logger = logging.getLogger(__name__)

WAITING_MAX: Final = 2000
"""Some 12 KiB each at most, and usually 2."""
REMEMBERED_MAX: Final = 20_000
RETRY: Final = Backoff(1.0, 30.0)


class Store(Protocol):
    """Where snapshots are kept."""

    async def put(self, state: RunState, created_s: float) -> None:
        """Keep the state; raises whatever its store raises."""


@dataclass(eq=False)
class _Sink:
    store: Store
    waiting: OrderedDict[str, tuple[RunState, float]] = field(default_factory=OrderedDict)
    filled: asyncio.Event = field(default_factory=asyncio.Event)


class SnapshotWriter:
    """Takes runs as they are passed over, and writes those that have changed."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self._sinks = [_Sink(store) for store in stores]
        self._offered: OrderedDict[str, tuple[str, int]] = OrderedDict()
        """Each run's last version, and a hash of its status: a finalizer that comes or goes says nothing."""

    def offer(self, run: GatherRun) -> None:
        """Have the run's status written unless it was; returns at once."""
        uid, version = run.metadata.uid, run.metadata.resource_version
        last_version, last_said = self._offered.get(uid, ("", 0))
        if last_version == version:
            return
        said = hash(run.status.model_dump_json())
        self._offered[uid] = (version, said)
        self._offered.move_to_end(uid)
        if len(self._offered) > REMEMBERED_MAX:
            self._offered.popitem(last=False)
        if last_version and last_said == said:
            return
        state = state_of_run(run, timestamp(datetime.now(UTC)))
        for sink in self._sinks:
            sink.waiting[uid] = (state, _created_s(run))
            sink.waiting.move_to_end(uid)
            if len(sink.waiting) > WAITING_MAX:
                sink.waiting.popitem(last=False)
            sink.filled.set()

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run for which nothing is left to do; what waits is written still."""
        self._offered.pop(run_uid, None)

    async def run(self) -> None:
        """Write until cancelled."""
        await asyncio.gather(*(_work(sink) for sink in self._sinks))


def offering(
    writer: SnapshotWriter,
    known: Callable[[str], GatherRun | None],
    work: Callable[[str], Awaitable[Next]],
) -> Callable[[str], Awaitable[Next]]:
    """Return `work`, before which the run that it is about is offered as it is known.

    One that `known` does not know has nothing left to do: it was written in its last pass.
    """

    async def offer_and_work(uid: str) -> Next:
        if (run := known(uid)) is not None:
            writer.offer(run)
        else:
            writer.forget(uid)
        return await work(uid)

    return offer_and_work


async def _work(sink: _Sink) -> None:
    failures = 0
    while True:
        await sink.filled.wait()
        uid, (state, created_s) = next(iter(sink.waiting.items()))
        try:
            await sink.store.put(state, created_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, a snapshot is optional
            failures += 1
            if failures == 1:
                logger.warning("snapshots cannot be written", extra={"error": why_unavailable(error)})
            await asyncio.sleep(RETRY.wait_s(failures))
            continue
        failures = 0
        if sink.waiting.get(uid, (None, 0))[0] is state:  # a later one may have come meanwhile
            del sink.waiting[uid]
        if not sink.waiting:
            sink.filled.clear()


def _created_s(run: GatherRun) -> float:
    try:
        return datetime.fromisoformat(run.metadata.creation_timestamp).timestamp()
    except ValueError:
        return 0.0
