"""The arguments of an evaluation: the requirements' four, and what an application may take beside or instead.

The rest is read when the message is due: whoever sends it, be it another department's worker or a later
run's, finds it in MongoDB. The message is bounded: notes go in from the newest on, until the next one would
not fit.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from gather_clients.mongodb.refusals import trouble_of
from gather_contracts import names
from gather_worker.department.checkpoint import Checkpoint

DETAILS_MAX_BYTES: Final = 1024 * 1024
"""Of a message in a broker's memory; 300 notes of 250 words are half of it."""
NOTES_READ_MAX: Final = 2_000
THRESHOLD_DEFAULT: Final = 80.0
"""A run's own default, for a checkpoint of an older version, which does not say it."""
EARLIER_MAX: Final = 32
"""Departments that a run can have."""
GAPS_NAMED: Final = 3
SUMMARY_MAX_CHARS: Final = 500
TIMEOUT_S: Final = 10.0
NEWEST_FIRST: Final = [("lastUpdated", -1), ("_id", -1)]
PARTS: Final = ("content", "summary", "context")
UPLOADS: Final = ("imageUrl", "documentUrl")
"""What the application's own evaluation takes of a note as well; left out where there is none."""

Document = Mapping[str, Any]
_LOGGER = logging.getLogger(__name__)


def minimal_arguments(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the requirements' arguments."""
    return {
        "project_id": checkpoint.project_id,
        "department_number": checkpoint.department_number,
        "user_id": checkpoint.user_id,
        "auto_triggered": True,
    }


def application_arguments(
    checkpoint: Checkpoint, details: Mapping[str, Any], callback_url: str | None
) -> dict[str, Any]:
    """Return exactly the arguments that the application's own evaluation takes, all of them always.

    `details` are those that `read_details` found.
    """
    return {
        "project_id": checkpoint.project_id,
        "department_slug": details["department_slug"],
        "department_number": checkpoint.department_number,
        "gather_data": details["gather_data"],
        "previous_evaluations": details["previous_evaluations"],
        "threshold": details.get("threshold", THRESHOLD_DEFAULT),
        "callback_url": callback_url,
        "metadata": {"user_id": checkpoint.user_id, "auto_triggered": True},
    }


async def read_details(
    uri: str, checkpoint: Checkpoint, *, has_uploads: bool = False
) -> dict[str, Any] | None:
    """Return the further arguments of a department's evaluation, None if MongoDB gives none in time.

    `has_uploads` says whether notes are sent with the addresses of their uploads.
    """
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        uri, serverSelectionTimeoutMS=int(TIMEOUT_S * 500), appname=names.WORKER_NAME
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _read(client, checkpoint, UPLOADS if has_uploads else ())
    except (PyMongoError, TimeoutError) as error:
        _LOGGER.error("the evaluation's notes cannot be read: %s", trouble_of(error))  # noqa: TRY400
        return None
    finally:
        await client.close()


async def _read(
    client: AsyncMongoClient[dict[str, Any]], checkpoint: Checkpoint, uploads: Sequence[str]
) -> dict[str, Any]:
    database = client[names.gather_database(checkpoint.project_id)]
    slug = checkpoint.department
    mine = {"$or": [{"automationMetadata.department": slug}, {"department": slug}]}
    parts = dict.fromkeys([*PARTS, *uploads], 1) | {"_id": 0}
    found = database[names.ITEMS_COLLECTION].find(mine, parts).sort(NEWEST_FIRST).limit(NOTES_READ_MAX)
    others = {"runUid": checkpoint.run_uid, "_id": {"$ne": checkpoint.id}}
    fields = ["runUid", "department", "threshold", "scores", "iterations", "itemsCreated", "gaps"]
    rest = database[names.CHECKPOINTS_COLLECTION].find(others, fields).sort("beganAt", 1).limit(EARLIER_MAX)
    earlier = [Checkpoint.model_validate(document) for document in await rest.to_list()]
    own = {"department_slug": slug} | (
        {} if checkpoint.threshold is None else {"threshold": checkpoint.threshold}
    )
    evaluations = [evaluation_of(other) for other in earlier if any(s is not None for s in other.scores)]
    room = DETAILS_MAX_BYTES - _size([own, evaluations])
    notes: list[dict[str, str]] = []
    async with found.batch_size(100) as cursor:
        async for document in cursor:
            note = note_of(document) | _uploads_of(document, uploads)
            size = _size(note)
            if size > room:
                break
            if note["content"] or len(note) > len(PARTS):
                room -= size
                notes.append(note)
    return {**own, "gather_data": notes, "previous_evaluations": evaluations}


def note_of(document: Document) -> dict[str, str]:
    """Return a note as an evaluation takes it; a part that is no text is empty."""
    return {part: text if isinstance(text := document.get(part), str) else "" for part in PARTS}


def _uploads_of(document: Document, uploads: Sequence[str]) -> dict[str, str]:
    return {name: url for name in uploads if isinstance(url := document.get(name), str) and url}


def evaluation_of(other: Checkpoint) -> dict[str, Any]:
    """Return what is known of another department of the run: its last score, and how it came about."""
    aim = "" if other.threshold is None else f" of {other.threshold:g}"
    gaps = f"; gaps: {', '.join(other.gaps[:GAPS_NAMED])}" if other.gaps else ""
    summary = (
        f"Quality {other.quality_score:.1f}{aim} after {other.iterations} iterations, "
        f"{other.items_created} notes{gaps}"
    )
    return {
        "department": other.department,
        "rating": round(other.quality_score, 1),
        "summary": summary[:SUMMARY_MAX_CHARS],
    }


def _size(value: Any) -> int:
    """Return the value's bytes as JSON in ASCII, which is how Celery writes it, with a separator."""
    return len(json.dumps(value)) + 2
