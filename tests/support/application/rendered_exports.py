"""Exports of documents that no database has: what the exporting process does, without MongoDB."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gather_bridge.exports.export_formats import Ended
from gather_bridge.exports.export_process import format_named, plan_of
from gather_bridge.exports.note_records import Record, record_of
from gather_bridge.exports.stored_notes import Key, Scope
from gather_clients.notes.note_reading import Unread
from tests.support.application.exported_film import (
    RUN,
    RUN_UID,
    checkpoint_documents,
    item_documents,
    people_documents,
    snapshot,
)
from tests.support.application_documents import Document, person_note

PROJECT = "66f1a2b3c4d5e6f708192a3b"


def rendered(
    name: str,
    documents: Sequence[Document],
    *,
    run: str = "",
    of_run: Mapping[str, Any] | None = None,
    checkpoints: Sequence[Document] = (),
) -> bytes:
    """Return the export of documents."""
    by_text = {str(each["_id"]): each for each in documents}
    keys = [_key(each) for each in documents]
    plan = plan_of(Scope(PROJECT, RUN_UID if run else ""), run, of_run, keys, checkpoints)
    export = format_named(name)
    pieces = [export.begin(plan.cover, plan.departments)]
    left_out, notes = Counter[Unread](), 0
    for section in [*([None] if "" in plan.keys else []), *plan.departments]:
        pieces.append(export.section(section))
        for key in plan.keys.get(section.slug if section else "", ()):
            record = record_of(by_text[key.text], PROJECT)
            if isinstance(record, Record):
                notes += 1
                pieces.append(export.note(record))
            else:
                left_out[record] += 1
                pieces.append(export.unread(record, by_text[key.text]))
    return b"".join([*pieces, export.end(Ended(notes, left_out))])


def rendered_film(name: str, *, of_run: bool) -> bytes:
    """Return the export of the film's run, or of its whole project."""
    items, checkpoints = item_documents(PROJECT), checkpoint_documents()
    if of_run:
        return rendered(name, items, run=RUN, of_run=snapshot(), checkpoints=checkpoints)
    return rendered(name, [*items, *people_documents(PROJECT)], checkpoints=checkpoints)


def rendered_note(name: str, **fields: Any) -> bytes:
    """Return the export of one person's note."""
    return rendered(name, [person_note(PROJECT, **fields)])


def note_text(**fields: Any) -> Record | Unread:
    """Return the note that a document with these fields is."""
    return record_of(person_note(PROJECT, **fields), PROJECT)


def _key(document: Document) -> Key:
    metadata = document.get("automationMetadata") or {}
    return Key(
        id=document["_id"],
        text=str(document["_id"]),
        at_ms=int(document["createdAt"].timestamp() * 1000),
        size=100,
        department=metadata.get("department") or document.get("department") or "",
        department_name=metadata.get("departmentName", ""),
    )
