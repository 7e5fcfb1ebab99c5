"""One iteration of a department as a run would begin it, by the run's own steps, with nothing saved.

What the steps would write into a checkpoint stays in memory, and of the stores only reading calls are at
hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gather_clients.notes.note import Note
from gather_worker.department.task import DepartmentTask
from gather_worker.duplicates.calibration import Calibration
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts import Prompt
from gather_worker.schemas import Draft
from gather_worker.services.brain import Brain
from gather_worker.settings import Settings
from gather_worker.steps.checkpointer import InMemoryCheckpointer
from gather_worker.steps.deduplicating import Choice, Deduplicator
from gather_worker.steps.drafting import Drafter
from gather_worker.steps.measuring import Measurement, QualityMeasurer
from gather_worker.steps.opening_questions import OpeningQuestions
from gather_worker.steps.project_notes import ProjectNotes
from gather_worker.steps.treating_notes import TreatingNotes

ITERATION = 1


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote, and what would become of it."""

    drafts: Sequence[Draft]
    writer: str
    choice: Choice
    scored: Sequence[Note]
    """The department's notes with those that would be kept."""
    measurement: Measurement


class Previewer:
    """Goes through one iteration; `notes` are read already.

    `say` is called with each step as it begins, for people who wait.
    """

    def __init__(
        self,
        task: DepartmentTask,
        settings: Settings,
        notes: ProjectNotes,
        brain: Brain,
        model: ModelGateway,
        *,
        calibration: Calibration | None,
        say: Callable[[str], None],
    ) -> None:
        judge_model = settings.judge_model or task.department.model
        self._task = task
        self._notes = notes
        self._say = say
        self._kept = InMemoryCheckpointer(task.fresh_checkpoint())
        self._drafter = Drafter(task, self._kept, notes, model, OpeningQuestions(task, brain))
        self._deduplicator = Deduplicator(
            brain,
            model,
            judge_model,
            settings.duplicate_threshold,
            calibration,
            examples=task.department.example_notes,
        )
        self._treating = TreatingNotes(task, notes, brain)
        self.measurer = QualityMeasurer(task.department, brain, model, judge_model, settings.judge_repeats)

    async def prompt(self) -> Prompt:
        """Return the prompt of a run's first iteration; the model is not asked."""
        self._say("reading the project")
        await self._drafter.prepare()
        return await self._drafter.prompt([], is_flat=False)

    async def write(self) -> Written:
        """Have the notes written, compared and measured; raises WorkerError and BudgetUsed."""
        self._say(f"{self._task.department.model} writes notes")
        await self._drafter.draft([], is_flat=False)
        made = self._kept.checkpoint
        self._say("comparing them with what there is")
        choice = await self._deduplicator.choose(
            made.drafts, self._notes.known, self._task.department.slug, {},
            excluded_ids=self._notes.excluded_ids,
        )  # fmt: skip
        now = datetime.now(UTC)
        self._notes.add([
            self._task.item(made.drafts[slot], ITERATION, slot, now, writer=made.writer)
            for slot in choice.kept
        ])  # fmt: skip
        scored = [*self._notes.own, *await self._treating.find()]
        self._say("measuring the quality")
        measured = await self.measurer.measure(scored) if scored else Measurement(None, None)
        return Written(made.drafts, made.writer, choice, scored, measured)
