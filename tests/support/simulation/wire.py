"""Every call to the outside: its time, its faults, and the line that it leaves in the trace.

The effect of a call happens at the service, at one moment. So a request that was sent arrives although its
sender has given up or died meanwhile, and an answer can be lost after the effect.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, TypeVar

from tests.support.simulation.fault_plan import FaultPlan
from tests.support.simulation.processes import CURRENT, Killed, Process

T = TypeVar("T")

LATENCY_S: Final = {
    "api": (0.004, 0.04),
    "mongodb": (0.002, 0.02),
    "redis": (0.001, 0.005),
    "brain": (0.02, 0.6),
    "model": (0.8, 12.0),
    "cms": (0.05, 0.5),
}
"""From sending to answering, without faults."""
BLOCKED_RETRY_S: Final = 0.05


class Unreachable(Exception):  # noqa: N818 - a state, said as one
    """No answer: `kind` is "refused" (nothing was sent), "reset" or "timeout" (perhaps after the effect)."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class RefusedBy(Exception):  # noqa: N818
    """The service answered with an error of its own and did nothing."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Blocked(Exception):  # noqa: N818
    """The effect cannot happen yet; the service tries it again."""


class Wire:
    """The network of one simulation."""

    def __init__(self, plan: FaultPlan, *, is_verbose: bool = False) -> None:
        self.plan = plan
        self.calls = 0
        self.lines: list[str] = []
        self._is_verbose = is_verbose
        self._digest = hashlib.blake2b(digest_size=16)

    @property
    def trace(self) -> str:
        """Return a hash over all that has happened, in order."""
        return self._digest.hexdigest()

    def note(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        line = f"{asyncio.get_running_loop().time():.6f} {who} {what}"
        self._digest.update(line.encode())
        if self._is_verbose:
            self.lines.append(line)

    async def call(
        self,
        service: str,
        what: str,
        effect: Callable[[], T],
        *,
        limit_s: float = 3600.0,
        refusals: tuple[str, ...] = (),
    ) -> T:
        """Return what the effect returned at the service; raises Unreachable, RefusedBy, and as it does."""
        process = CURRENT.get()
        if process is not None and process.thawed is not None:
            await process.thawed.wait()
        if process is not None and process.is_dead:
            raise Killed
        self.calls += 1
        request = _Request(self, service, what, effect, process, limit_s, refusals)
        answer: T = await request.send()
        return answer


class _Request:
    """One call on its way."""

    def __init__(  # noqa: PLR0917 - it is the call's arguments
        self,
        wire: Wire,
        service: str,
        what: str,
        effect: Callable[[], Any],
        process: Process | None,
        limit_s: float,
        refusals: tuple[str, ...],
    ) -> None:
        self._wire, self._service, self._what, self._effect = wire, service, what, effect
        self._process, self._limit_s, self._refusals = process, limit_s, refusals
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Any] = self._loop.create_future()
        self._fault: str | None = None
        rng, latency_s = wire.plan.rng, LATENCY_S[service]
        whole_s = rng.uniform(*latency_s)
        self._way_s, self._back_s = whole_s * 0.4, whole_s * 0.6
        self._gives_up_s = self._loop.time() + limit_s

    async def send(self) -> Any:
        plan, process = self._wire.plan, self._process
        self._fault = fault = plan.draw(
            self._service,
            self._loop.time(),
            may_kill=process is not None,
            may_refuse=bool(self._refusals),
        )
        if fault == "killed before" and process is not None:
            self._note(fault)
            process.kill()
            raise Killed
        if fault == "refused":
            return await self._refuse()
        if fault == "slow":
            self._way_s += plan.rng.choice((2.0, 8.0, 25.0)) * plan.rng.random()
        self._later(self._way_s, self._arrive)
        timer = self._loop.call_later(self._limit_s, self._fail, "timeout")
        try:
            return await self._answer
        finally:
            timer.cancel()
            if process is not None and process.thawed is not None:
                await process.thawed.wait()

    async def _refuse(self) -> Any:
        kind = self._wire.plan.rng.choice(self._refusals)
        self._note(f"refused {kind}")
        await asyncio.sleep(self._way_s)
        raise RefusedBy(kind)

    def _arrive(self) -> None:
        """The request reaches the service, or does not."""
        outage = self._wire.plan.outage(self._service, self._loop.time())
        if outage is not None or self._fault == "lost":
            self._note("away" if outage is not None else "lost")
            if outage is None or not outage.is_hanging:
                self._later(self._back_s, self._fail, "reset" if outage is None else "refused")
            return
        try:
            result = self._effect()
        except Blocked:
            if self._loop.time() < self._gives_up_s:
                self._later(BLOCKED_RETRY_S, self._arrive)
            return
        except Exception as error:  # noqa: BLE001 - it is the answer
            self._note(f"{type(error).__name__}")
            self._later(self._back_s, self._deliver, None, error)
            return
        self._note(self._fault or "ok")
        self._depart(result)

    def _depart(self, result: Any) -> None:
        rng = self._wire.plan.rng
        if self._fault == "killed after" and self._process is not None:
            self._process.kill()
        elif self._fault == "unanswered":
            self._later(self._back_s, self._fail, "reset")
        elif self._fault == "late answer":
            self._later(rng.choice((1.0, 5.0, 60.0)) * rng.random(), self._deliver, result, None)
        else:
            self._later(self._back_s, self._deliver, result, None)

    def _deliver(self, result: Any, error: Exception | None) -> None:
        if self._answer.done():
            return
        if error is not None:
            self._answer.set_exception(error)
        else:
            self._answer.set_result(result)

    def _fail(self, kind: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(Unreachable(kind))

    def _later(self, delay_s: float, then: Callable[..., None], *arguments: Any) -> None:
        # In no process's context: what happens at a service belongs to none.
        self._loop.call_later(delay_s, then, *arguments, context=Context())

    def _note(self, outcome: str) -> None:
        who = self._process.name if self._process is not None else "-"
        self._wire.note(who, f"{self._service} {self._what}: {outcome}")
