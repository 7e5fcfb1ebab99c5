"""The application's collection `gather` as it makes it, and documents of every form of people's notes.

The forms of rich text are those that public editors store (Lexical and Slate as Payload has them,
ProseMirror, Quill, Draft.js, Editor.js, Contentful); the words are ours.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson import Int64, ObjectId
from pymongo import ASCENDING, DESCENDING, TEXT
from pymongo.database import Database

from gather_contracts import names
from gather_contracts.items import AutomationMetadata, GatherItem
from gather_demo.seed import application_collection
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.services.store import Store

Document = dict[str, Any]
NOW: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
VALIDATOR: Final[Document] = application_collection.VALIDATOR


def make_collection(database: Database[Document], *, level: str = "strict") -> None:
    """Make `gather` as the application does when it is first; `level` "off" lets other forms in."""
    collection = database.create_collection(
        names.ITEMS_COLLECTION, validator=VALIDATOR, validationLevel=level
    )  # fmt: skip
    for field in ("projectId", "isAutomated", "automationMetadata.department", "automationMetadata.taskId"):
        collection.create_index([(field, ASCENDING)])
    for field in ("lastUpdated", "createdAt"):
        collection.create_index([(field, DESCENDING)])
    collection.create_index([("summary", TEXT), ("context", TEXT), ("content", TEXT)])


def set_validation(database: Database[Document], level: str) -> None:
    """Switch the validator on ("strict") or off, for documents of before it."""
    database.command("collMod", names.ITEMS_COLLECTION, validator=VALIDATOR, validationLevel=level)


def as_json(document: Document) -> Any:
    """Return a document as JSON shows it: ObjectIds by their digits, dates as texts."""
    return json.loads(
        json.dumps(document, default=lambda v: v.isoformat() if hasattr(v, "isoformat") else str(v))
    )


def gather_item(
    note_id: str, project_id: str, content: str = "The keeper counts every lamp.", **metadata: Any
) -> GatherItem:
    """Return a note that Gather wrote."""
    fields = {
        "task_id": "t", "department": "story", "department_name": "Story", "iteration": 1, "model": "m",
        "run": "r", "run_uid": "u", **metadata,
    }  # fmt: skip
    return GatherItem(
        id=note_id, project_id=project_id, content=content, summary="", context="", created_at=NOW,
        last_updated=NOW, created_by="u", automation_metadata=AutomationMetadata(**fields),
    )  # fmt: skip


def person_note(project_id: str, **fields: Any) -> Document:
    """Return a note as the application writes a person's."""
    written = {
        "_id": ObjectId(), "projectId": project_id, "content": "A note by hand.", "summary": "",
        "context": "", "createdAt": NOW, "createdBy": "user-7", "lastUpdated": NOW, "isAutomated": False,
    }  # fmt: skip
    return {name: value for name, value in (written | fields).items() if value is not ...}


def paragraph(*texts: str) -> Document:
    leaves = [
        {
            "type": "text",
            "version": 1,
            "text": text,
            "format": place,
            "detail": 0,
            "mode": "normal",
            "style": "",
        }
        for place, text in enumerate(texts)
    ]
    return {
        "type": "paragraph",
        "version": 1,
        "direction": "ltr",
        "format": "",
        "indent": 0,
        "children": leaves,
    }


def lexical(*paragraphs: Document) -> Document:
    """Return rich text as Payload stores it today."""
    return {
        "root": {
            "type": "root", "version": 1, "direction": "ltr", "format": "", "indent": 0,
            "children": list(paragraphs),
        }
    }  # fmt: skip


LEXICAL: Final = lexical(
    {**paragraph("The pump"), "type": "heading", "tag": "h2"},
    paragraph("Marta counts ", "every", " stroke."),
    {
        "type": "list", "listType": "bullet", "tag": "ul",
        "children": [{"type": "listitem", "value": 1, "children": [{"type": "text", "text": "salt"}]}],
    },
    {
        "type": "block", "fields": {
            "id": "66f1a2b3c4d5e6f708192a3c", "blockType": "banner",
            "content": lexical(paragraph("Never show the sea.")),
        },
    },
    {"type": "upload", "relationTo": "media", "value": {"filename": "a.png", "alt": "The sluice gate"}},
)  # fmt: skip
SLATE: Final = [
    {"type": "h1", "children": [{"text": "The pump"}]},
    {"children": [{"text": "Marta counts "}, {"text": "every", "bold": True}, {"text": " stroke."}]},
    {"type": "ul", "children": [{"type": "li", "children": [{"text": "salt"}]}]},
    {"children": [
        {"text": "See "},
        {"type": "link", "url": "https://example.org/t", "newTab": True, "children": [{"text": "the tide"}]},
    ]},
]  # fmt: skip
PROSEMIRROR: Final = {
    "type": "doc",
    "content": [
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "The pump"}]},
        {"type": "paragraph", "content": [
            {"type": "text", "text": "Marta counts "},
            {"type": "text", "marks": [{"type": "bold"}], "text": "every"},
            {"type": "text", "text": " stroke."},
        ]},
    ],
}  # fmt: skip
QUILL: Final = {
    "ops": [
        {"insert": "Marta counts "},
        {"insert": "every", "attributes": {"bold": True}},
        {"insert": " stroke.\n"},
        {"insert": {"image": "https://example.org/p.png"}},
    ]
}  # fmt: skip
DRAFT_JS: Final = {
    "blocks": [
        {"key": "a1", "text": "Marta counts every stroke.", "type": "unstyled", "depth": 0,
         "inlineStyleRanges": [{"offset": 0, "length": 5, "style": "BOLD"}], "entityRanges": [], "data": {}},
    ],
    "entityMap": {},
}  # fmt: skip
EDITOR_JS: Final = {
    "time": 1732786200000, "version": "2.30",
    "blocks": [{"id": "x1", "type": "paragraph", "data": {"text": "Marta counts every stroke."}}],
}  # fmt: skip
CONTENTFUL: Final = {
    "nodeType": "document", "data": {},
    "content": [{"nodeType": "paragraph", "data": {}, "content": [
        {"nodeType": "text", "value": "Marta counts every stroke.", "marks": [], "data": {}},
    ]}],
}  # fmt: skip
COUNTS: Final = "Marta counts every stroke."

FORMS: Final[dict[str, tuple[Document, str]]] = {
    "plain": ({"content": COUNTS}, COUNTS),
    "no summary": ({"content": COUNTS, "summary": None, "context": None}, COUNTS),
    "fields left out": ({"content": COUNTS, "summary": ..., "context": ..., "isAutomated": ...}, COUNTS),
    "two words": ({"content": "More salt."}, "More salt."),
    "very long": ({"content": f"{COUNTS} " * 8000}, COUNTS),
    "JSON object": ({"content": json.dumps({"title": "The pump", "note": {"text": COUNTS}})}, COUNTS),
    "JSON list": ({"content": json.dumps([{"scene": 12, "action": COUNTS}])}, COUNTS),
    "JSON string": ({"content": json.dumps(COUNTS)}, COUNTS),
    "JSON twice": ({"content": json.dumps(json.dumps({"note": COUNTS}))}, COUNTS),
    "JSON broken": ({"content": '{"note": "' + COUNTS}, COUNTS),
    "HTML": ({"content": "<p>Marta counts <b>every</b> stroke.</p><p>Salt &amp; water.</p>"}, COUNTS),
    "Lexical": ({"content": LEXICAL}, COUNTS),
    "Lexical as JSON": ({"content": json.dumps(LEXICAL)}, COUNTS),
    "Slate": ({"content": SLATE}, COUNTS),
    "Slate as JSON": ({"content": json.dumps(SLATE)}, COUNTS),
    "ProseMirror": ({"content": PROSEMIRROR}, COUNTS),
    "Quill": ({"content": QUILL}, COUNTS),
    "Draft.js": ({"content": DRAFT_JS}, COUNTS),
    "Editor.js": ({"content": EDITOR_JS}, COUNTS),
    "Contentful": ({"content": CONTENTFUL}, COUNTS),
    "upload, read out": ({
        "content": "", "documentUrl": "https://example.org/treatment.pdf", "extractedText": COUNTS
    }, COUNTS),
    "upload with a caption": ({
        "content": "The treatment.", "documentUrl": "https://example.org/t.pdf", "extractedText": COUNTS
    }, f"The treatment.\n{COUNTS}"),
    "picture with a summary": ({
        "content": "", "imageUrl": "https://example.org/p.png", "summary": COUNTS
    }, COUNTS),
    "file of GridFS": ({
        "content": ..., "filename": "t.pdf", "length": 2048, "chunkSize": 261120, "uploadDate": NOW,
        "metadata": {"mimeType": "application/pdf"}, "extractedText": COUNTS,
    }, COUNTS),
    "id as text": ({"_id": "note-1", "content": COUNTS}, COUNTS),
    "id as number": ({"_id": Int64(41), "content": COUNTS}, COUNTS),
    "project as ObjectId": ({"projectId": "as ObjectId", "content": COUNTS}, COUNTS),
    "no project": ({"projectId": ..., "content": COUNTS}, COUNTS),
    "dates as text": ({"createdAt": "2026-01-05T09:30:00Z", "lastUpdated": ..., "content": COUNTS}, COUNTS),
    "of a department": ({"department": "story", "departmentName": "Story", "content": COUNTS}, COUNTS),
    "settled": ({"locked": True, "content": COUNTS}, COUNTS),
}  # fmt: skip
"""By name: what differs from `person_note`, and words that must be read in it."""

UNREADABLE: Final[dict[str, tuple[Document, str]]] = {
    "picture alone": ({"content": "", "imageUrl": "https://example.org/p.png"}, "no text"),
    "empty": ({"content": " \n"}, "no text"),
    "data without words": ({"content": "{}"}, "no text"),
    "another project's": ({"projectId": "f" * 24}, "of another project"),
    "an endless id": ({"_id": "x" * 65}, "an unusable id"),
}


def every_form(project_id: str) -> Iterator[Document]:
    """Yield a document of each form, each with words of its own besides."""
    for place, (name, (fields, _)) in enumerate(FORMS.items()):
        document = person_note(project_id, **fields)
        if document.get("projectId") == "as ObjectId":
            document["projectId"] = ObjectId(project_id)
        document["marker"] = name
        if isinstance(document.get("createdAt"), datetime):
            document["createdAt"] += timedelta(minutes=place)
        yield document


# --- writing, as a worker does


async def accept(store: Store, items: Sequence[GatherItem], department: str = "story") -> Checkpoint:
    """Take a department up and let notes wait in its checkpoint for being written."""
    taken = await store.take_epoch(Checkpoint(id=f"u/{department}", department=department))
    accepted = taken.accepted(list(items)).revised()
    await store.write(accepted)
    return accepted


async def publish(store: Store, accepted: Checkpoint) -> Checkpoint:
    """Write the notes that wait, and return the checkpoint in which none does."""
    while pending := accepted.pending:
        items = await store.batch_of(pending)
        saved = accepted.saved({item.id for item in items}).revised()
        await store.publish(saved, items)
        accepted = saved
    return accepted


async def save_items(store: Store, items: Sequence[GatherItem], department: str = "story") -> None:
    """Write notes, by way of a department's checkpoint."""
    await publish(store, await accept(store, items, department))
