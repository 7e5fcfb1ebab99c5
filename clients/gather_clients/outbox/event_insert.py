"""An event's way into the outbox: what workers need of it, and the operator too."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from gather_contracts import names
from gather_contracts.events import EVENT_MAX_BYTES, Event, encode_event

KEPT: Final = timedelta(days=8)
"""How long an event is known after it was written or delivered; the event log knows its keys for 7 days."""


async def insert_event(client: AsyncMongoClient[dict[str, Any]], event: Event, url: str) -> bool:
    """Write an event for the webhook at `url`; return False if it was written before.

    Raises PyMongoError, and ValueError for one that is too large or has no identity.
    """
    text = encode_event(event)
    if not event.id or len(text.encode()) > EVENT_MAX_BYTES:
        raise ValueError(f"{event.type} has no identity, or more than {EVENT_MAX_BYTES} bytes")
    now = datetime.now(UTC)
    document = {
        "_id": event.id,
        # The server's own clock, unique and growing: what is written later stands later.
        "order": Timestamp(0, 0),
        "waiting": True,
        "run": event.run_uid,
        "runName": event.run,
        "project": event.project_id.lower(),
        "url": url,
        "type": event.type,
        "text": text,
        "writtenAt": now,
        "expireAt": now + KEPT,
    }
    try:
        await client[names.OUTBOX_DATABASE][names.OUTBOX_EVENTS].insert_one(document)
    except DuplicateKeyError:
        return False
    return True
