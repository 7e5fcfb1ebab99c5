"""Events as they stand in Redis: read at the edge, handed on as the text that they are.

Anyone may write to a channel or a stream. What is no event is known here, once, and never raises further in;
what is an event of a newer type, or has more fields, stays whole.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from gather_contracts.events import EVENT_MAX_BYTES, Event, decode_event

OFFSET_MAX: Final = 2**53 - 1
"""The largest number that a browser keeps exactly."""
WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""What a type, a project or an epoch may be: they stand in headers and frames of ours."""
FRAMES: Final = frozenset({"hello", "heartbeat"})
"""Types that mean something else to those who listen."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One entry of a project's log, or one message of its channel."""

    offset: int
    epoch: str = ""
    project_id: str = ""
    """In lower case."""
    type: str = ""
    run_uid: str = ""
    text: str = ""
    """The JSON object as it is stored; "" where the entry is no event: its place is passed over."""
    id: str = ""
    """Its identity; "" from an older version."""
    run: str = ""
    """The GatherRun's name."""

    @property
    def is_event(self) -> bool:
        """Return whether there is something to hand on."""
        return bool(self.text)

    def decode(self) -> Event:
        """Return the event with its fields; raises ValueError for a type that this version does not know."""
        return decode_event(self.text)


def read_entry(entry_id: bytes, fields: dict[bytes, bytes], project_id: str) -> StoredEvent:
    """Return an entry of a project's stream; it has its place whatever it holds."""
    offset = _offset_of(entry_id)
    try:
        event = read_message(fields.get(b"event", b""), project_id)
    except ValueError:
        return StoredEvent(offset)
    return event if event.offset == offset else StoredEvent(offset)


def read_message(data: object, project_id: str) -> StoredEvent:
    """Return the event that `data` holds; raises ValueError if it is none, or another project's."""
    if not isinstance(data, bytes) or len(data) > EVENT_MAX_BYTES:
        raise ValueError("no bytes, or too many")
    text = data.decode()
    try:
        body = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(body, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - one kind of error for all that is foreign
    found = StoredEvent(
        offset=_whole(body.get("offset")),
        epoch=_word(body.get("epoch")),
        project_id=_word(body.get("project_id")).lower(),
        type=_word(body.get("type")),
        run_uid=str(body.get("run_uid") or ""),
        id=_word(body["id"]) if body.get("id") else "",
        run=str(body.get("run") or ""),
        text=text,
    )
    if found.project_id != project_id.lower() or found.type in FRAMES:
        raise ValueError("an event of another project, or none")
    return found


def _offset_of(entry_id: bytes) -> int:
    """Return the offset in a stream's id, `<offset>-0`; foreign ids are times, far above ours."""
    return int(entry_id.partition(b"-")[0])


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 < value <= OFFSET_MAX:
        raise ValueError("no offset")
    return value


def _word(value: Any) -> str:
    if not isinstance(value, str) or WORD.fullmatch(value) is None:
        raise ValueError("a field is missing or no word")
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
