"""A Lease in memory; a test carries the calls of several electors out step by step, with faults."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from gather_clients.kube_api.cluster_errors import AlreadyExists, ClusterUnavailable, Conflict, Missing
from gather_operator.replicas.lease_rules import LeaseRecord

T = TypeVar("T")
Outcome = Literal["answered", "not sent", "answer lost"]


@dataclass
class LeaseInMemory:
    """What the API server has."""

    record: LeaseRecord | None = None
    writes: int = 0

    def read(self) -> LeaseRecord | None:
        return self.record

    def write(self, record: LeaseRecord) -> LeaseRecord:
        if not record.version:
            if self.record is not None:
                raise AlreadyExists("lease")
        elif self.record is None:
            raise Missing("lease")
        elif self.record.version != record.version:
            raise Conflict("lease")
        self.writes += 1
        # Two claims are never the same: real ones differ in their microseconds.
        self.record = replace(record, version=str(self.writes), renewed=f"{record.renewed}#{self.writes}")
        return self.record

    def touch(self) -> None:
        """Somebody adds a label."""
        if self.record is not None:
            self.writes += 1
            self.record = replace(self.record, version=str(self.writes))


class _Step:
    """Gives control back to the test."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class SteppedStore:
    """One elector's way to the Lease; each call stops twice, before and after it has had its effect."""

    lease: LeaseInMemory
    outcome: Outcome = "answered"

    async def read(self) -> LeaseRecord | None:
        return await self._call(self.lease.read)

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        return await self._call(lambda: self.lease.write(record))

    async def _call(self, effect: Callable[[], T]) -> T:
        await _Step()
        if self.outcome == "not sent":
            raise ClusterUnavailable("not sent")
        refusal: Exception | None = None
        try:
            answer = effect()
        except (Conflict, Missing) as error:
            refusal = error
        await _Step()
        if self.outcome == "answer lost":
            raise ClusterUnavailable("504")
        if refusal is not None:
            raise refusal
        return answer


@dataclass
class DirectStore:
    """A way to the Lease for tests with a running event loop; it can be told to fail or to hang."""

    lease: LeaseInMemory
    error: Exception | None = None
    hangs: bool = False
    calls: list[str] = field(default_factory=list)

    async def read(self) -> LeaseRecord | None:
        return await self._call("read", self.lease.read)

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        return await self._call("write", lambda: self.lease.write(record))

    async def _call(self, name: str, effect: Callable[[], T]) -> T:
        self.calls.append(name)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return effect()


class Stepper:
    """Carries one coroutine out, from one step to the next."""

    def __init__(self) -> None:
        self._running: Coroutine[Any, Any, None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return self._running is None

    def begin(self, attempt: Awaitable[None]) -> None:
        """Take a coroutine up."""
        assert self._running is None
        self._running = attempt  # type: ignore[assignment] # coroutines are the only awaitables here
        self.step()

    def step(self) -> Exception | None:
        """Go on to the next step; return the error with which it ended, if it did."""
        if self._running is None:
            return None
        try:
            self._running.send(None)
        except StopIteration:
            self._running = None
        except (ClusterUnavailable, Conflict, Missing) as error:
            self._running = None
            return error
        return None

    def drop(self) -> None:
        """End it where it stands, as a timeout does."""
        if self._running is not None:
            self._running.close()
            self._running = None
