"""What `gather-worker preview` works on: a department of a run's document, or one in a file of its own."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import GatherRunSpec
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_worker.calibrate.record_file import checked, read_records
from gather_worker.cli.arguments import NO_PROJECT
from gather_worker.cli.score_input import ITEMS, NamedProject, as_object, read_department
from gather_worker.department.task import DepartmentTask, read_run_document
from gather_worker.errors import InvalidInput
from gather_worker.services.notes import ProjectRead

NAME: Final = "preview"
SLUGS_NAMED_MAX: Final = 8
NOTES: Final = replace(ITEMS, further=("department", "summary", "context"))


def read_preview_task(arguments: argparse.Namespace) -> DepartmentTask:
    """Return the task that the arguments name; raises InvalidInput."""
    if arguments.run_file is not None:
        document = read_run_document(arguments.run_file)
    else:
        named = checked(NamedProject, {"project": arguments.project or NO_PROJECT}, "arguments: --project")
        document = _document_of(read_department(arguments.department_file), named.project)
    return DepartmentTask(document, _index_of(arguments.department, document.departments), 1, NAME)


def _document_of(department: ResolvedDepartment, project_id: str) -> RunDocument:
    return RunDocument(
        run=RunIdentity(name=NAME, namespace=NAME, uid=NAME),
        spec=GatherRunSpec(project_id=project_id, user_id=NAME),
        departments=[department],
    )


def _index_of(slug: str | None, departments: Sequence[ResolvedDepartment]) -> int:
    slugs = [department.slug for department in departments]
    if slug is None and len(slugs) == 1:
        return 0
    if slug in slugs:
        return slugs.index(slug)
    named = ", ".join(slugs[:SLUGS_NAMED_MAX]) + (", …" if len(slugs) > SLUGS_NAMED_MAX else "")
    wrong = "is needed" if slug is None else f"{slug} is none of them"
    raise InvalidInput(f"--department: {wrong}; the run has {named}")


@dataclass(frozen=True, slots=True)
class GivenNotes:
    """Notes of a file, or none, in the place of MongoDB."""

    notes: Sequence[Note] = field(default_factory=list)

    async def read_notes(self) -> ProjectRead:
        """Return all of them."""
        return ProjectRead(list(self.notes))

    async def counting_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Return the ids: all count."""
        return frozenset(ids)

    async def changed_since(self, since: datetime) -> tuple[list[Note], frozenset[str]]:
        """Return nothing: files do not change."""
        del since
        return [], frozenset()


def read_given_notes(file: Path, project_id: str) -> GivenNotes:
    """Return the notes of a file: texts, or documents in any form that the collection `gather` has."""
    notes = list[Note]()
    for number, record in enumerate(read_records(file, NOTES), 1):
        data = as_object(record.data)
        if not isinstance(data, dict):
            raise InvalidInput(f"{record.place}: not a note; {NOTES.wanted}")
        # An `_id` in the form of a dump ({"$oid": …}) says nothing that is needed here.
        found = note_of({**data, "_id": f"item-{number}", "projectId": project_id}, project_id)
        if isinstance(found, Note):
            notes.append(found)
    return GivenNotes(sorted(notes, key=lambda note: note.created_at))
