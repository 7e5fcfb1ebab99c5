"""One page of a project's notes, the newest first, with the mark that leads to the next page."""

import asyncio
import base64
import binascii
import json
from typing import Final

from bson.raw_bson import RawBSONDocument

from gather_bridge.exports.note_records import (
    SHOWN_FIELDS,
    Record,
    as_json,
    paged_record_of,
)
from gather_bridge.exports.stored_notes import Key, Scope, StoredNotes
from gather_clients.notes.note_reading import Unread

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
PAGE_BYTES: Final = 1024 * 1024
"""A page that has grown to so much ends; one note may be larger than that by half."""
INLINE_BYTES: Final = 16 * 1024
"""A larger document is opened in a thread: rich text of 1 MiB takes 0.1 s, in which events go on so."""
MARK_CHARS_MAX: Final = 1024
"""An id of 64 characters, each of which may be an escape of six."""


def mark_of(key: Key) -> str:
    """Return the mark of a note: behind it the next page begins."""
    text = json.dumps([key.at_ms, key.text], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(mark: str) -> tuple[int, str]:
    """Return the time and the id in a mark; raises ValueError if no page gave it."""
    if len(mark) > MARK_CHARS_MAX:
        raise ValueError("too long")
    try:
        found = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        at_ms, text = found
    except (binascii.Error, TypeError, RecursionError) as error:
        raise ValueError("no mark") from error
    is_time = isinstance(at_ms, int) and not isinstance(at_ms, bool) and abs(at_ms) < 2**63
    if not is_time or not isinstance(text, str):
        raise ValueError("no mark")
    text.encode()  # raises for half a character
    return at_ms, text


async def page_of_notes(
    stored: StoredNotes, scope: Scope, after: tuple[int, str] | None, limit: int
) -> bytes:
    """Return the page as JSON; raises NotesUnavailable.

    It holds fewer than `limit` notes where they are long; documents that are no notes are passed over.
    """
    keys = await stored.page(scope, after, limit + 1)
    shown = keys[:limit]
    notes: list[bytes] = []
    size, last = 0, shown[-1] if shown else None
    is_whole = len(keys) <= limit
    async for key, document in stored.documents(scope, shown, SHOWN_FIELDS):
        record = await _opened(stored, document, key.size, scope.project_id)
        if isinstance(record, Record):
            note = json.dumps(as_json(record), ensure_ascii=False).encode("utf-8", "replace")
            if notes and size + len(note) > PAGE_BYTES:
                is_whole = False
                break
            notes.append(note)
            size += len(note)
        last = key
        await asyncio.sleep(0)
    else:
        last = shown[-1] if shown else None
    mark = "null" if is_whole or last is None else json.dumps(mark_of(last))
    return b'{"notes":[' + b",".join(notes) + b'],"next":' + mark.encode() + b"}"


async def _opened(
    stored: StoredNotes, document: RawBSONDocument, size: int, project_id: str
) -> Record | Unread:
    if size <= INLINE_BYTES:
        return paged_record_of(document, size, project_id)
    async with stored.opening:
        return await asyncio.to_thread(paged_record_of, document, size, project_id)
