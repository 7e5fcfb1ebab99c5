"""A film's project as MongoDB has it, for exports: a run of three departments, and notes of people."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from bson import ObjectId

from gather_contracts import names
from tests.support.application_documents import LEXICAL, Document, person_note

FILM: Final[Document] = yaml.safe_load(
    (Path(__file__).parents[2] / "data" / "exported_film" / "film.yaml").read_text("utf-8")
)
RUN: Final = "the-salt-road"
RUN_UID: Final = "5f0c7d1e-8a57-4d0e-9f3a-2b1c4d5e6f70"
BEGAN: Final = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
MODEL: Final = "anthropic/claude-sonnet-4.5"
UNREAD: Final[tuple[Document, ...]] = (
    {"content": "", "imageUrl": "https://example.org/uploads/untitled.png"},
    {"canon": False, "content": "Marta has a brother."},
)


def item_documents(project_id: str) -> list[Document]:
    """Return the run's notes as Gather writes them."""
    documents: list[Document] = []
    for department in FILM["departments"]:
        slug = department["slug"]
        for place, texts in enumerate(FILM["notes"][slug]):
            made = BEGAN + timedelta(minutes=3 * (1 + len(documents)))
            documents.append({
                "_id": ObjectId(names.item_id(RUN_UID, slug, 1 + place // 2, place)), "projectId": project_id,
                **texts, "createdAt": made, "lastUpdated": made, "createdBy": "user-123", "isAutomated": True,
                "automationMetadata": {
                    "taskId": f"gather-{slug}-1", "department": slug, "departmentName": department["name"],
                    "iteration": 1 + place // 2, "qualityScore": 71.5 + 4 * place,
                    "basedOnNodes": [f"{n:024x}" for n in range(place)], "model": MODEL, "run": RUN,
                    "runUid": RUN_UID, "prompt": "generate.v3",
                },
            })  # fmt: skip
    return documents


def people_documents(project_id: str) -> list[Document]:
    """Return notes as people leave them, and documents that are no notes."""
    written = [*FILM["people"].values(), {"content": LEXICAL}, *UNREAD]
    return [
        person_note(
            project_id,
            **{
                "_id": ObjectId(f"{0x69000000 + place:08x}{place:016x}"),
                "createdAt": BEGAN - timedelta(days=30) + timedelta(hours=place),
                **fields,
            },
        )
        for place, fields in enumerate(written)
    ]


def checkpoint_documents() -> list[Document]:
    """Return the run's checkpoints, as far as exports read them."""
    return [
        {
            "_id": names.checkpoint_id(RUN_UID, slug := department["slug"]), "run": RUN, "runUid": RUN_UID,
            "department": slug, "departmentNumber": department["number"], "threshold": 80.0,
            "iterations": len(FILM["scores"][slug]), "scores": FILM["scores"][slug], "beganAt": BEGAN,
            "updatedAt": BEGAN, "itemsCreated": len(FILM["notes"][slug]), "finished": FILM["ended"].get(slug),
            "quality": FILM["quality"] if FILM["scores"][slug] else None,
            "findings": FILM["findings"] if slug == "story" else None,
        }
        for department in reversed(FILM["departments"])
    ]  # fmt: skip


def snapshot() -> dict[str, Any]:
    """Return the run's snapshot, as the bridge puts it together."""
    return {
        "run": RUN, "run_uid": RUN_UID, "phase": "Succeeded", "reason": "Completed",
        "started_at": "2026-11-29T09:00:00.000Z", "ended_at": "2026-11-29T09:20:00.000Z",
        "quality_score": 80.75, "cost_usd": 1.234567, "departments": [
            {
                "slug": each["slug"], "name": each["name"], "threshold": 80, "phase": "Succeeded",
                "model": MODEL, "iterations": 3, "items_created": 2,
            }
            for each in FILM["departments"]
        ],
    }  # fmt: skip
