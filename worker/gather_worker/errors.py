"""What can go wrong in a worker, split by what it does next.

WorkerError
  x InvalidInput        the run document, the settings or the model's name can never work: exit 64
  x WriteRefused        MongoDB does not take what is written, or not from this user: exit 64
  x TryAgain            a later attempt goes on from the checkpoint: exit 75
    - StoreUnavailable  MongoDB stayed unavailable
    - ModelUnavailable  the language model gave no usable answer
    - IndexUnavailable  the brain stayed unavailable; all notes are saved and wait to be indexed
    - EvaluationUnavailable  Celery's broker stayed unavailable; only the evaluation is left
    - DeadlineNear      the attempt's time is over
    - Fenced            a newer worker has the department; nothing more may be written
  x Terminated          SIGTERM: save and exit 143

ModelError              one answer of the model, inside the gateway
  x ModelTransient      the same request may work in a moment
  x ModelRejected       the same request will never work
    - ModelSpent        it was paid too often without an answer, over all attempts
    - BudgetUsed        it was not sent: its worst case does not fit into what the budget leaves
  x AnswerInvalid       the answer does not have the required shape

BrainUnusable           the brain is unavailable or refuses; the caller goes on without it
  - BrainKeyRefused     it refuses the key: waiting does not help, a person must change something
EvaluationRefused       Celery's broker refuses for good; the evaluation is left in the checkpoint
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from gather_contracts.result import ExitCode, StopReason
from gather_contracts.text_cleaning import shortened

MESSAGE_MAX: Final = 300
"""Shown of the endpoint's own words; a condition's message has 256 characters."""


class WorkerError(Exception):
    """An end of the attempt; knows its reason and exit code."""

    reason: ClassVar[StopReason] = StopReason.INTERNAL_ERROR
    exit_code: ClassVar[ExitCode] = ExitCode.TRY_AGAIN


class InvalidInput(WorkerError):  # noqa: N818 - these are named for what follows
    """Input that can never work."""

    reason = StopReason.INVALID_INPUT
    exit_code = ExitCode.NEVER


class WriteRefused(WorkerError):  # noqa: N818
    """MongoDB refuses a document for good; the message names the field and the rule, never the content."""

    reason = StopReason.WRITE_REFUSED
    exit_code = ExitCode.NEVER


class TryAgain(WorkerError):  # noqa: N818
    """A later attempt may get further."""


class StoreUnavailable(TryAgain):
    """MongoDB was unavailable for longer than the worker may wait."""

    reason = StopReason.STORE_UNAVAILABLE


class ModelUnavailable(TryAgain):
    """The language model gave no usable answer within the attempt."""

    reason = StopReason.MODEL_UNAVAILABLE


class IndexUnavailable(TryAgain):
    """The department is finished but for notes that the brain does not have yet."""

    reason = StopReason.INDEX_UNAVAILABLE


class EvaluationUnavailable(TryAgain):
    """The department is finished but for the message that asks for its evaluation."""

    reason = StopReason.EVALUATION_UNAVAILABLE


class DeadlineNear(TryAgain):
    """The attempt's time is nearly over."""

    reason = StopReason.DEADLINE_NEAR


class Fenced(TryAgain):
    """A newer worker has taken the department over, or the run has ended meanwhile."""

    reason = StopReason.FENCED


class Terminated(WorkerError):  # noqa: N818
    """SIGTERM."""

    reason = StopReason.TERMINATED
    exit_code = ExitCode.TERMINATED


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an endpoint said in the place of an answer; its texts are bounded, with no key in them."""

    status: int = 0
    """HTTP's, or the code that an error inside a 200 names; 0: none."""
    codes: tuple[str, ...] = ()
    """The endpoint's own codes and types, the one nearest to the cause last."""
    param: str = ""
    """The part of the request that is refused, if it is named."""
    message: str = ""
    """The endpoint's own words, those of a provider behind it included; as much as is read of them."""
    provider: str = ""
    """Who refused, behind a router."""
    retry_after_s: float | None = None
    is_in_answer: bool = False
    """Whether it came with status 200."""
    is_page: bool = False
    """Whether the body is a page for a browser, and no answer of an API."""
    is_flagged: bool = False
    """Whether a filter names what it flagged."""
    body: Any = field(default=None, repr=False, compare=False)
    """The JSON that was read, for what it says of a cost; no message shows it."""

    def __str__(self) -> str:
        """Return what a person reads: status, code, who refused, and the endpoint's own words."""
        named = [str(self.status or "an error"), *self.codes[-1:]]
        by = f" by {self.provider}" if self.provider else ""
        where = " inside its answer" if self.is_in_answer else ""
        what = "a page for browsers" if self.is_page else ""
        said = ": ".join(filter(None, (what, shortened(self.message, MESSAGE_MAX))))
        return f"the endpoint answered {' '.join(named)}{where}{by}" + (f": {said}" if said else "")


class ModelError(Exception):
    """One request to the model gave no usable answer; `refusal` is what the endpoint said, if it refused."""

    refusal: Refusal | None = None


class ModelTransient(ModelError):  # noqa: N818
    """Rate limit, overload, a broken connection; `retry_after_s` is what the server asked for, if it did.

    `may_be_charged`: the request was sent and its answer never read, so that its cost is unknown.
    `is_unsent`: there was no connection.
    """

    def __init__(
        self,
        message: str,
        retry_after_s: float | None = None,
        *,
        may_be_charged: bool = False,
        is_unsent: bool = False,
        refusal: Refusal | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.may_be_charged = may_be_charged
        self.is_unsent = is_unsent
        self.refusal = refusal


class ModelRejected(ModelError):  # noqa: N818
    """The endpoint refused the request for what it is.

    `is_request_fault`: the request itself is wrong (its model's name, its form). Otherwise the owner of the
    account can lift the refusal: a wrong key, no credit.
    """

    def __init__(self, message: str, *, is_request_fault: bool, refusal: Refusal | None = None) -> None:
        super().__init__(message)
        self.is_request_fault = is_request_fault
        self.refusal = refusal


class ModelSpent(ModelRejected):
    """Every model was asked in vain so often that no attempt asks it again; a person must act."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_request_fault=True)


class BudgetUsed(ModelRejected):
    """The run's budget leaves no room for the request, so that it was not sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_request_fault=False)


class AnswerInvalid(ModelError):  # noqa: N818
    """The answer does not have the required shape, not even after one re-ask.

    `text` is the answer, `found` what of it can be used all the same: too little.
    """

    def __init__(self, message: str, text: str = "", found: tuple[BaseModel, ...] = ()) -> None:
        super().__init__(message)
        self.text = text
        self.found = found


NO_ANSWER: Final = (AnswerInvalid, ModelRejected, ModelUnavailable)
"""What the gateway raises where there is no answer; verdicts are then done without."""


class BrainUnusable(Exception):  # noqa: N818
    """The brain is unavailable or refuses."""


class BrainKeyRefused(BrainUnusable):
    """The brain does not take the key, or not for this project; the message names the setting."""


class EvaluationRefused(Exception):  # noqa: N818
    """Celery's broker does not take the user, the password or the message; the message names the setting."""
