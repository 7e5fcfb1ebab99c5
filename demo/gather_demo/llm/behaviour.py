"""How the demo model misbehaves on request: faults with a count, and slowness."""

from collections import deque
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

FAULTS_MAX: Final = 1000


class Fault(StrEnum):
    """What can go wrong with one answer."""

    RATE_LIMIT = "rate_limit"
    """429 with Retry-After."""
    SERVER_ERROR = "server_error"
    """A 5xx status without a usable body."""
    ERROR_IN_200 = "error_in_200"
    """200 with an error object and no choices."""
    CHOICES_NULL = "choices_null"
    """200 with `choices: null`."""
    BROKEN_JSON = "broken_json"
    """Content that is not JSON although a schema was asked for."""
    HALF_ANSWER = "half_answer"
    """Content cut off in the middle, finish_reason `length`."""
    FINISH_ERROR = "finish_error"
    """Empty content, finish_reason `error`."""
    WRONG_SCHEMA = "wrong_schema"
    """Valid JSON that does not obey the schema."""


class FaultOrder(BaseModel):
    """One fault, for the next `count` answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault
    count: int = Field(default=1, ge=1, le=FAULTS_MAX)
    retry_after_s: float = Field(default=1, ge=0, le=3600)
    status: int = Field(default=503, ge=500, le=599)


class BehaviourOrder(BaseModel):
    """A change of behaviour; what is not named stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay_s: float | None = Field(default=None, ge=0, le=600)
    """Time before every answer from now on."""
    fault: Fault | None = None
    """A fault to add, with the three fields below."""
    count: int = Field(default=1, ge=1, le=FAULTS_MAX)
    retry_after_s: float = Field(default=1, ge=0, le=3600)
    status: int = Field(default=503, ge=500, le=599)


class BehaviourState(BaseModel):
    """How the model behaves now."""

    model_config = ConfigDict(frozen=True)

    delay_s: float
    faults: list[FaultOrder]


class Behaviour:
    """The delay and the faults still to come, in the order in which they were asked for."""

    def __init__(self, delay_s: float) -> None:
        self._default_delay_s = delay_s
        self.delay_s = delay_s
        self._faults: deque[FaultOrder] = deque(maxlen=FAULTS_MAX)

    def change(self, order: BehaviourOrder) -> None:
        """Take an order over."""
        if order.delay_s is not None:
            self.delay_s = order.delay_s
        if order.fault is not None:
            fault = FaultOrder(
                fault=order.fault, count=1, retry_after_s=order.retry_after_s, status=order.status
            )
            self._faults.extend([fault] * order.count)

    def clear(self) -> None:
        """Behave as started."""
        self.delay_s = self._default_delay_s
        self._faults.clear()

    def next_fault(self) -> FaultOrder | None:
        """Return and forget the next fault, None if the next answer is to be right."""
        return self._faults.popleft() if self._faults else None

    def state(self) -> BehaviourState:
        """Return how the model behaves now."""
        return BehaviourState(delay_s=self.delay_s, faults=list(self._faults))
