"""How the attempt ended, in the words that the operator reads."""

from gather_contracts.result import DepartmentResult, ExitCode, StopReason
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.quality import unquoted_words

MESSAGE_MAX = 256


class Outcome:
    """Filled as the attempt goes on, so that the numbers so far are reported whatever ends it."""

    def __init__(self) -> None:
        self.checkpoint: Checkpoint | None = None
        self.reason = StopReason.INTERNAL_ERROR
        self.exit_code = ExitCode.TRY_AGAIN
        self.left = ""
        """What a finished department leaves to the project's next worker, and what must be changed for it."""
        self._message = ""

    def ended(self, reason: StopReason, exit_code: ExitCode, message: str = "") -> None:
        """Note the end."""
        self.reason, self.exit_code, self._message = reason, exit_code, message

    def result(self) -> DepartmentResult:
        """Return the termination message's content: the department's numbers over all its attempts."""
        checkpoint = self.checkpoint or Checkpoint(id="")
        told = [*filter(None, [self.left]), *unquoted_words(checkpoint.quality)]
        return DepartmentResult(
            iterations=checkpoint.iterations,
            items_created=checkpoint.items_created,
            quality_score=checkpoint.quality_score,
            cost_usd=round(checkpoint.ledger.total_usd, 6),
            tokens=checkpoint.ledger.tokens,
            reason=self.reason,
            message=(self._message or "; ".join(told))[:MESSAGE_MAX],
            meters=checkpoint.meters if checkpoint.epoch else None,
        )
