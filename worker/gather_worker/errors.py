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
    - BudgetUsed        it was not sent: its worst case does not fit into what the budget leaves
  x AnswerInvalid       the answer does not have the required shape

BrainUnusable           the brain is unavailable or refuses; the caller goes on without it
  - BrainKeyRefused     it refuses the key: waiting does not help, a person must change something
EvaluationRefused       Celery's broker refuses for good; the evaluation is left in the checkpoint
"""

from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import BaseModel

from gather_contracts.result import ExitCode, StopReason

if TYPE_CHECKING:
    from gather_worker.llm.asking.refusal import Refusal


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
    """A newer worker has taken the department over."""

    reason = StopReason.FENCED


class Terminated(WorkerError):  # noqa: N818
    """SIGTERM."""

    reason = StopReason.TERMINATED
    exit_code = ExitCode.TERMINATED


class ModelError(Exception):
    """One request to the model gave no usable answer; `refusal` is what the endpoint said, if it refused."""

    refusal: "Refusal | None" = None


class ModelTransient(ModelError):  # noqa: N818
    """Rate limit, overload, a broken connection; `retry_after_s` is what the server asked for, if it did.

    `may_be_charged`: the request was sent and its answer never read, so that its cost is unknown.
    """

    def __init__(
        self,
        message: str,
        retry_after_s: float | None = None,
        *,
        may_be_charged: bool = False,
        refusal: "Refusal | None" = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.may_be_charged = may_be_charged
        self.refusal = refusal


class ModelRejected(ModelError):  # noqa: N818
    """The endpoint refused the request for what it is.

    `is_request_fault`: the request itself is wrong (its model's name, its form). Otherwise the owner of the
    account can lift the refusal: a wrong key, no credit.
    """

    def __init__(self, message: str, *, is_request_fault: bool, refusal: "Refusal | None" = None) -> None:
        super().__init__(message)
        self.is_request_fault = is_request_fault
        self.refusal = refusal


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
