"""A film's project as MongoDB has it, for exports: a run of three departments, and notes of people."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson import ObjectId

from gather_contracts import names
from tests.support.application_documents import LEXICAL, Document, person_note

RUN: Final = "the-salt-road"
RUN_UID: Final = "5f0c7d1e-8a57-4d0e-9f3a-2b1c4d5e6f70"
BEGAN: Final = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
DEPARTMENTS: Final = (("story", "Story", 1), ("character", "Character", 2), ("sound", "Sound", 5))
MODEL: Final = "anthropic/claude-sonnet-4.5"

NOTES: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "story": (
        (
            "Marta hears the debt before she sees it",
            "The film opens on the sound of the pump in the dark. Marta counts the strokes aloud, loses count at "
            "forty, and begins again. Only when the light comes do we see that the trough is dry: she has been "
            "counting for nothing, and she knows.\n\nThe debt collector's mule is tied at the gate.",
            "Sets the count of forty that returns in the last scene.",
        ),
        (
            "The road is the antagonist",
            "Nobody in the village opposes Marta. What opposes her is distance: three days of salt, each with its "
            "own rule.\n1. By day you do not speak.\n2. By night you do not sleep.\n3. You do not look back at "
            "the sea.",
            "",
        ),
        (
            "A middle that turns on a gift",
            "Halfway, the mule driver gives Marta his water and says it is a loan. Scene 31 must play as kindness; "
            "scene 58 shows what it cost.",
            "Follows from the note on the debt.",
        ),
    ),
    "character": (
        (
            "Marta never asks",
            "She states what she will do and waits to be stopped. In the first act nobody stops her. In the second "
            "the mule driver does, by agreeing.",
            "",
        ),
        (
            "مارتا لا تنظر إلى الوراء",
            "تعد مارتا ضربات المضخة كل ليلة، حتى 40 ضربة، ثم تبدأ من جديد. لا أحد في القرية يسمع Marta.",
            "الليل هو وقت الحساب.",
        ),
    ),
    "sound": (
        (
            "A room tone made of salt",
            "Record dry salt poured on tin, slowed to a quarter, under every interior. -6 dB beneath dialogue; it "
            "stops when she lies.",
            "",
        ),
    ),
}
"""By department: summary, content, context."""

PEOPLES: Final[tuple[tuple[str, Document], ...]] = (
    ("plain", {"summary": "Salt is money here", "content": "Salt is money here. Every price in the script in "
               "measures of salt, please - no coins."}),
    ("Lexical", {"summary": "", "content": LEXICAL}),
    ("Thai", {"summary": "เสียงของทะเล", "content": "ทะเลต้องได้ยินก่อนที่จะเห็นเสมอ และไม่เคยเห็นทั้งหมดในคราวเดียว"}),
    ("Hebrew", {"summary": "הים", "content": "אסור לה להסתכל אחורה אל הים. שלושה ימים של מלח."}),
    ("Japanese", {"summary": "", "content": "塩の道は三日かかる。夜は眠らない。"}),
    ("emoji", {"summary": "Mood 🧂🌊", "content": "Mood for the poster: 🧂 🌊 🐴 and the 👩🏽\u200d🌾 at dawn."}),
    ("formula", {"summary": "=SUM(A1:A9)", "content": "=HYPERLINK(\"https://example.org\",\"click\")"}),
    ("markdown", {"summary": "# Not a heading | nor a cell", "content": "- a list\n- of *stars*\n\n---\n```\n"
                  "code\n```\n<b>bold</b> [a](javascript:alert(1)) &amp; $x$ @marta"}),
    ("upload", {"summary": "", "content": "", "imageUrl": "https://example.org/uploads/gate_at_dawn.jpg",
                "extractedText": "SLUICE GATE No. 4 - CLOSED AT NIGHT"}),
    ("settled", {"locked": True, "summary": "The film is called The Salt Road", "department": "story",
                 "content": "The title is settled: The Salt Road."}),
)  # fmt: skip
UNREAD: Final[tuple[Document, ...]] = (
    {"content": "", "imageUrl": "https://example.org/uploads/untitled.png"},
    {"canon": False, "content": "Marta has a brother."},
)


def item_documents(project_id: str) -> list[Document]:
    """Return the run's notes as Gather writes them."""
    documents = []
    minute = 0
    for slug, name, _ in DEPARTMENTS:
        for place, (summary, content, context) in enumerate(NOTES[slug]):
            minute += 3
            made = BEGAN + timedelta(minutes=minute)
            documents.append({
                "_id": ObjectId(names.item_id(RUN_UID, slug, 1 + place // 2, place)), "projectId": project_id,
                "content": content, "summary": summary, "context": context, "createdAt": made,
                "lastUpdated": made, "createdBy": "user-123", "isAutomated": True, "automationMetadata": {
                    "taskId": f"gather-{slug}-1", "department": slug, "departmentName": name,
                    "iteration": 1 + place // 2, "qualityScore": 71.5 + 4 * place,
                    "basedOnNodes": [f"{n:024x}" for n in range(place)], "model": MODEL, "run": RUN,
                    "runUid": RUN_UID, "prompt": "generate.v3",
                },
            })  # fmt: skip
    return documents


def people_documents(project_id: str) -> list[Document]:
    """Return notes as people leave them, and documents that are no notes."""
    written = [fields for _, fields in PEOPLES] + list(UNREAD)
    return [
        person_note(
            project_id,
            _id=ObjectId(f"{0x69000000 + place:08x}{place:016x}"),
            createdAt=BEGAN - timedelta(days=30) + timedelta(hours=place),
            **fields,
        )
        for place, fields in enumerate(written)
    ]


def checkpoint_documents() -> list[Document]:
    """Return the run's checkpoints, as far as exports read them."""
    scores = {"story": [71.5, 79.0, 84.2], "character": [64.0, None, 77.3], "sound": []}
    gap = {"aspect": "the ending", "coverage": 34.0, "severity": "high", "suggestion": "Say what Marta owes at the end."}
    return [
        {
            "_id": names.checkpoint_id(RUN_UID, slug), "run": RUN, "runUid": RUN_UID, "department": slug,
            "departmentNumber": number, "threshold": 80.0, "iterations": len(scores[slug]),
            "scores": scores[slug], "itemsCreated": len(NOTES[slug]), "beganAt": BEGAN, "updatedAt": BEGAN,
            "finished": {"story": "ThresholdReached", "character": "QualityFlat"}.get(slug),
            "quality": {"score": 84.2, "coverage": 80.0, "depth": 86.5, "coherence": 91.0, "actionability": 80.0}
            if scores[slug] else None,
            "gaps": ["the ending"] if slug == "story" else [],
            "findings": {
                "iteration": 3, "coverage": 80.0, "gaps": [gap], "recommendations": ["Write the last scene."],
                "contradictions": [{"notes": ["a", "b"], "sentences": ["The mule is lame.", "The mule runs."]}],
            } if slug == "story" else None,
        }
        for slug, _, number in reversed(DEPARTMENTS)
    ]  # fmt: skip
