"""JSON Lines: one object a line, each note with its document as it is stored (MongoDB Extended JSON)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from gather_bridge.exports.department_reports import Cover, Department
from gather_bridge.exports.export_formats import Ended, Format
from gather_bridge.exports.note_records import Record, as_json
from gather_clients.notes.note_reading import Unread

_WHOLE: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=True, unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)
_LINE_ENDS: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""Legal in JSON, but some readers end a line there, or drop them."""


class JsonLines(Format):
    """`{"type": "export"}`, then departments and notes in order, then `{"type": "end"}`."""

    media_type = "application/x-ndjson; charset=utf-8"
    is_raw = True

    def begin(self, cover: Cover, departments: Sequence[Department]) -> bytes:
        """Return what the export is of, and every department with its scores and gaps."""
        head = {"project_id": cover.project_id, "run": cover.run, "department": cover.department}
        lines = [_line("export", head | {"facts": dict(cover.facts)})]
        lines += [_line("department", _report(each)) for each in departments]
        return b"".join(lines)

    def note(self, record: Record) -> bytes:
        """Return the note."""
        return _line("note", as_json(record), _stored(record.document))

    def unread(self, why: Unread, document: Mapping[str, Any]) -> bytes:
        """Return a document that is no note, but for another project's."""
        if why is Unread.OTHER_PROJECT:
            return b""
        return _line("unread", {"why": str(why)}, _stored(document))

    def end(self, ended: Ended) -> bytes:
        """Return the last line, without which the file is cut."""
        return _line("end", {"notes": ended.notes, "left_out": dict(ended.left_out)})


def _report(department: Department) -> dict[str, Any]:
    return {**asdict(department), "parts": dict(department.parts)}


def _stored(document: Mapping[str, Any]) -> str:
    """Return the document as JSON, "null" where it is damaged."""
    try:
        whole = dict(document)
        if isinstance(document, RawBSONDocument):
            whole = bson.decode(document.raw, codec_options=_WHOLE)
        return json_util.dumps(whole, json_options=json_util.CANONICAL_JSON_OPTIONS, ensure_ascii=False)
    except (BSONError, RecursionError):
        return "null"


def _line(kind: str, fields: Mapping[str, Any], document: str = "") -> bytes:
    text = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    if document:
        text = f'{text[:-1]},"document":{document}}}'
    safe = _LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return safe.encode("utf-8", "backslashreplace") + b"\n"
