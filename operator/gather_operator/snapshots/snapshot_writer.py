"""Writes what stands in each run's status to where the bridge reads it: in the background, the latest wins.

Nothing waits for it. What a store does not take is tried again later, run by run, so that one that no store
takes holds up no other; beyond `WAITING_MAX` runs the oldest waiting one is left out, until its status
changes again.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
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
OWN_TROUBLE_MAX: Final = 2
"""Runs that may each have a trouble of their own; with more it is the store's, which is asked less often."""


class Store(Protocol):
    """Where snapshots are kept."""

    async def put(self, state: RunState, created_s: float) -> None:
        """Keep the state; raises whatever its store raises."""


@dataclass(eq=False)
class _Waiting:
    """A run's latest state; its failures are those of its states before, too."""

    state: RunState
    created_s: float
    failures: int = 0
    due_s: float = 0.0
    """By the loop's clock."""


@dataclass(eq=False)
class _Sink:
    store: Store
    waiting: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    failing: set[str] = field(default_factory=set)
    """Runs whose state was not taken since the last one that was."""

    def offer(self, state: RunState, created_s: float) -> None:
        """Have a state written in the place of the one that waits."""
        before = self.waiting.pop(state.run_uid, None)
        after = _Waiting(state, created_s)
        if before is not None:
            after.failures, after.due_s = before.failures, before.due_s
        self.waiting[state.run_uid] = after
        if len(self.waiting) > WAITING_MAX:
            self.waiting.popitem(last=False)
        self.filled.set()

    async def next(self) -> _Waiting:
        """Wait for a state that is due; return the one that has waited longest."""
        loop = asyncio.get_running_loop()
        while True:
            for each in self.waiting.values():
                if each.due_s <= loop.time():
                    return each
            self.filled.clear()
            first_s = min((each.due_s for each in self.waiting.values()), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(first_s):
                    await self.filled.wait()


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
            sink.offer(state, _created_s(run))

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
    while True:
        each = await sink.next()
        uid = each.state.run_uid
        try:
            await sink.store.put(each.state, each.created_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, a snapshot is optional
            _put_off(sink, uid, error)
            if (others := len(sink.failing) - OWN_TROUBLE_MAX) > 0:
                await asyncio.sleep(RETRY.wait_s(others))
        else:
            sink.failing.clear()
            if sink.waiting.get(uid) is each:  # a later one may have come meanwhile
                del sink.waiting[uid]


def _put_off(sink: _Sink, uid: str, error: Exception) -> None:
    """Let the run's latest state wait, behind the others."""
    if (latest := sink.waiting.get(uid)) is None:
        return
    latest.failures += 1
    latest.due_s = asyncio.get_running_loop().time() + RETRY.wait_s(latest.failures)
    sink.waiting.move_to_end(uid)
    if latest.failures == 1 and not sink.failing:
        extra = {"run_uid": uid, "error": why_unavailable(error)}
        logger.warning("a snapshot cannot be written", extra=extra)
    sink.failing.add(uid)


def _created_s(run: GatherRun) -> float:
    try:
        return datetime.fromisoformat(run.metadata.creation_timestamp).timestamp()
    except ValueError:
        return 0.0
