"""One worker's task: a department of a run, and how many iterations it may use; read once, then fixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.items import BASED_ON_MAX, AutomationMetadata, GatherItem
from gather_contracts.run_document import RUN_DOCUMENT_MAX_BYTES, RunDocument, decode_run_document
from gather_contracts.text_cleaning import clean
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import InvalidInput
from gather_worker.schemas import Draft


@dataclass(frozen=True, slots=True)
class DepartmentTask:
    """A department of a run; `allowance` is its iterations over all attempts."""

    document: RunDocument
    index: int
    allowance: int
    task_id: str

    @property
    def department(self) -> ResolvedDepartment:
        """Return the department itself."""
        return self.document.departments[self.index]

    @property
    def previous(self) -> list[str]:
        """Return the slugs of the departments before it."""
        return [department.slug for department in self.document.departments[: self.index]]

    @property
    def focus(self) -> str:
        """Return what the run wants its notes to be about, "" if it says nothing."""
        return clean(self.document.spec.focus or "")

    @property
    def language(self) -> str | None:
        """Return the tag of the language to write in, None for the one of the project's notes."""
        return self.document.spec.language

    @property
    def is_evaluated(self) -> bool:
        """Return whether reaching the threshold asks for an evaluation."""
        return self.document.spec.enable_auto_evaluation

    def is_last_attempt(self, epoch: int) -> bool:
        """Return whether the Job may start no further pod after the `epoch`-th."""
        return epoch > self.department.retries

    @property
    def is_beside_others(self) -> bool:
        """Return whether other departments of the run may be at work at the same time."""
        return self.document.spec.parallelism > 1 and len(self.document.departments) > 1

    @property
    def is_last_department(self) -> bool:
        """Return whether there may be no later worker of the run to take over what this one leaves.

        Of several at once nobody knows who is the last to end.
        """
        return self.is_beside_others or self.index + 1 == len(self.document.departments)

    def fresh_checkpoint(self) -> Checkpoint:
        """Return the checkpoint of a department that no worker has begun."""
        return Checkpoint(
            id=names.checkpoint_id(self.document.run.uid, self.department.slug),
            run=self.document.run.name,
            run_uid=self.document.run.uid,
            project_id=self.document.spec.project_id,
            department=self.department.slug,
            department_number=self.department.code_dep_number,
            user_id=self.document.spec.user_id,
            threshold=self.department.threshold,
            began_at=datetime.now(UTC),
        )

    def item(
        self,
        draft: Draft,
        iteration: int,
        slot: int,
        now: datetime,
        *,
        writer: str = "",
        prompt: str = "",
        based_on: Sequence[str] = (),
    ) -> GatherItem:
        """Return the draft as a note of this department; its id follows from its place alone.

        `writer` is the model that wrote it, the department's own if empty; `based_on` are the ids of the
        notes that it was shown. The times of one iteration's notes are a millisecond apart, the finest that
        MongoDB keeps, so that they keep their order wherever they are sorted by it.
        """
        metadata = AutomationMetadata(
            task_id=self.task_id,
            department=self.department.slug,
            department_name=self.department.name,
            iteration=iteration,
            based_on_nodes=list(based_on)[:BASED_ON_MAX],
            model=writer or self.department.model,
            run=self.document.run.name,
            run_uid=self.document.run.uid,
            prompt=prompt,
        )
        whole_ms = now.replace(microsecond=now.microsecond // 1000 * 1000)
        made_at = whole_ms + timedelta(milliseconds=slot)
        return GatherItem(
            id=self._item_id(iteration, slot),
            project_id=self.document.spec.project_id,
            content=draft.content,
            summary=draft.summary,
            context=draft.context,
            created_at=made_at,
            last_updated=made_at,
            created_by=self.document.spec.user_id,
            automation_metadata=metadata,
        )

    def _item_id(self, iteration: int, slot: int) -> str:
        return names.item_id(self.document.run.uid, self.department.slug, iteration, slot)


def read_run_document(run_file: Path) -> RunDocument:
    """Return the run document; raises InvalidInput for what can never work."""
    try:
        with run_file.open("rb") as file:
            return decode_run_document(file.read(RUN_DOCUMENT_MAX_BYTES + 1).decode())
    except OSError as error:
        raise InvalidInput(f"the run file cannot be read: {type(error).__name__}") from error
    except ValueError as error:
        raise InvalidInput(f"the run file is malformed: {type(error).__name__}") from error


def read_task(run_file: Path, index: int, allowance: int, task_id: str) -> DepartmentTask:
    """Return the task in the run document; raises InvalidInput for what can never work."""
    document = read_run_document(run_file)
    if not 0 <= index < len(document.departments):
        raise InvalidInput(f"the run has {len(document.departments)} departments, none with index {index}")
    return DepartmentTask(document, index, allowance, task_id)
