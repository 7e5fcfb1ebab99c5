"""A department's state between iterations and pods: one MongoDB document, always written whole.

The steps of an iteration leave their result here before the next step begins, so that a successor finds which
step was the last: `drafts` (paid for, not yet judged), `pending` (accepted, not yet in `gather`), `scores`
shorter than `iterations` (saved, not yet scored), `unindexed` (saved, not yet in the brain as they stand).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from gather_contracts.items import GatherItem
from gather_contracts.meters import Meters
from gather_contracts.result import StopReason
from gather_worker.department.coverage_findings import Findings
from gather_worker.department.quality import Quality
from gather_worker.department.stop_rule import last_score
from gather_worker.llm.ledger import Ledger, Stored
from gather_worker.schemas import Draft


class Evaluation(StrEnum):
    """The state of the department's evaluation message."""

    NONE = ""
    """There is none to send, or the department is not finished."""
    SENDING = "sending"
    """It is due and may have been sent; sending it again is refused by the broker's own memory of its id."""
    SENT = "sent"


class Checkpoint(Stored):
    """One department in one run."""

    id: str = Field(alias="_id")
    epoch: int = 0
    """Raised by every worker that starts; writes of an older epoch are refused."""
    revision: int = 0
    """Raised by every write, so that one that was held up on its way cannot undo a later one."""
    run: str = ""
    run_uid: str = ""
    project_id: str = ""
    department: str = ""
    department_number: int = 0
    user_id: str = ""
    """With number and threshold all that an evaluation names, so that any later worker of the project can
    send it."""
    threshold: float | None = None
    """The department's; None in a checkpoint of a version that did not keep it."""
    iterations: int = 0
    """Iterations whose notes are accepted."""
    scores: list[float | None] = Field(default_factory=list)
    """One for each scored iteration; None: could not be measured."""
    quality: Quality | None = None
    """The last measurement, with its parts and sources."""
    gaps: list[str] = Field(default_factory=list)
    """As lines for the next prompt."""
    findings: Findings | None = None
    """What the last coverage found, for people; None before there was one."""
    items_created: int = 0
    """Notes that were written into `gather`; one that a person has deleted since still counts."""
    drafts: list[Draft] = Field(default_factory=list)
    writer: str = ""
    """The model that wrote the drafts; the department's own, or the one that stood in for it."""
    prompt: str = ""
    """The prompt that asked for the drafts, with its version."""
    based_on: list[str] = Field(default_factory=list)
    """Ids of the notes that stood in that prompt."""
    token_ratio: float = Field(default=1.0, ge=1)
    """How many of its tokens the model needs for one of ours, as known when the last iteration was accepted:
    all attempts at the next one then ask in the same words, and find the answer that was paid for."""
    useless_attempts: int = 0
    """Attempts in a row that ended because no answer for new notes could be used."""
    pending: list[GatherItem] = Field(default_factory=list)
    unindexed: list[str] = Field(default_factory=list)
    """Ids of notes in `gather` that the brain does not have yet, or not yet with their score."""
    verdicts: dict[str, bool] = Field(default_factory=dict)
    """What the model has said of possible duplicates, the newest, by a hash of the question. Not in Redis
    alone, since it was paid for and the attempts after this one must not pay again."""
    ledger: Ledger = Ledger()
    meters: Meters = Meters()
    """What all attempts measured, up to this write."""
    began_at: datetime | None = None
    """When the first attempt took the department up."""
    evaluation: Evaluation = Evaluation.NONE
    finished: StopReason | None = None
    """Why the loop ended for good; None while it goes on."""
    updated_at: datetime | None = None

    @property
    def quality_score(self) -> float:
        """Return the last measured score, 0 before the first."""
        return last_score(self.scores) or 0.0

    @property
    def is_scored(self) -> bool:
        """Return whether every iteration has its score."""
        return len(self.scores) >= self.iterations

    def generated(
        self, drafts: list[Draft], writer: str = "", prompt: str = "", based_on: Sequence[str] = ()
    ) -> Self:
        """The model has written; nothing is judged yet."""
        written = {"drafts": drafts, "writer": writer, "prompt": prompt, "based_on": list(based_on)}
        return self.model_copy(update=written | {"useless_attempts": 0})

    def answered_uselessly(self) -> Self:
        """An attempt ends because no answer of the model could be used."""
        return self.model_copy(update={"useless_attempts": self.useless_attempts + 1})

    def accepted(
        self, items: list[GatherItem], verdicts: dict[str, bool] | None = None, token_ratio: float = 1.0
    ) -> Self:
        """An iteration's notes are chosen; from here on they cannot be lost. `verdicts` None: as before.

        Of the ratios seen the highest counts.
        """
        ratio = max(self.token_ratio, token_ratio)
        chosen = {
            "iterations": self.iterations + 1, "drafts": [], "pending": items, "token_ratio": ratio,
        }  # fmt: skip
        remembered = {} if verdicts is None else {"verdicts": verdicts}
        return self.model_copy(update=chosen | remembered)

    def saved(self, ids: Collection[str] | None = None) -> Self:
        """These of the pending notes are in `gather`; None: all of them."""
        saved = [item.id for item in self.pending if ids is None or item.id in ids]
        return self.model_copy(
            update={
                "pending": [item for item in self.pending if item.id not in saved],
                "unindexed": [*self.unindexed, *saved],
                "items_created": self.items_created + len(saved),
            }
        )

    def scored(
        self,
        quality: Quality | None,
        gaps: list[str] | None,
        ids: list[str],
        findings: Findings | None = None,
    ) -> Self:
        """The iteration is measured, or could not be; `gaps` and `findings` None keep the ones known.

        Its notes (`ids`) have a score now that their nodes do not have yet, so they are to be indexed again,
        together with the next iteration's.
        """
        found = findings and findings.model_copy(update={"iteration": self.iterations})
        stale = [] if quality is None else [i for i in ids if i not in self.unindexed]
        return self.model_copy(
            update={
                "scores": [*self.scores, quality.score if quality else None],
                "quality": quality or self.quality,
                "gaps": self.gaps if gaps is None else gaps,
                "findings": found or self.findings,
                "unindexed": [*self.unindexed, *stale],
            }
        )

    def indexed(self, ids: set[str]) -> Self:
        """These notes are in the brain, or can never be."""
        return self.model_copy(update={"unindexed": [i for i in self.unindexed if i not in ids]})

    def ended(self, reason: StopReason, *, is_evaluated: bool) -> Self:
        """The loop has ended for good; an evaluation that is due from now on cannot be forgotten."""
        evaluation = Evaluation.SENDING if is_evaluated else Evaluation.NONE
        return self.model_copy(update={"finished": reason, "evaluation": evaluation})

    def evaluation_sent(self) -> Self:
        """The broker has the evaluation message."""
        return self.model_copy(update={"evaluation": Evaluation.SENT})

    def measured(self, meters: Meters) -> Self:
        """All attempts together measured this until now."""
        return self.model_copy(update={"meters": meters})

    def charged(self, ledger: Ledger) -> Self:
        """The model is about to be paid, or was."""
        return self.model_copy(update={"ledger": ledger})

    def revised(self, above: int = 0) -> Self:
        """This is what is written next, under a number above that of the last write and above `above`."""
        return self.model_copy(update={"revision": max(self.revision, above) + 1})
