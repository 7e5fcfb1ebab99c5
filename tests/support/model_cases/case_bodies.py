"""The bytes of a case's answers."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import httpx

from dev.paths import ROOT
from tests.support.injectable_model import harmless
from tests.support.model_cases.case_files import Answer, Completion

Note = dict[str, str]

NOTES_FILE: Final = ROOT / "tests" / "data" / "story_notes.json"
PLACE: Final = re.compile(
    r"@(?P<encoded>json:|escaped:)?(?P<form>notes|items|note|python|single|smart|bare)"
    r":(?P<first>\d+)(?:-(?P<last>\d+))?@"
)
_VALUE: Final = re.compile(r"=(notes|items|note):(\d+)(?:-(\d+))?")
LONG: Final = "The keeper counts the waves. " * 400
"""Of 11,600 characters."""
DEEP: Final = "[" * 100_000
BROTLI_BLOCK_BYTES: Final = 1 << 16
_FAILURES: Final = {
    "connect": httpx.ConnectError,
    "read timeout": httpx.ReadTimeout,
    "broken": httpx.RemoteProtocolError,
}
GOOD: Final = Answer(completion=Completion(content="@notes:8@"))
"""What follows the answers of most cases."""


@cache
def note(number: int) -> Note:
    """Return the note of a number, from 1 on: people's notes of a film first, then the demo model's."""
    stored = json.loads(NOTES_FILE.read_text(encoding="utf-8"))["notes"]
    if number > len(stored):
        return harmless(number)
    found = stored[number - 1]
    context = f"It matters to {found['aspect'].lower()}."
    return {"content": found["content"], "summary": f"{found['summary']} ({number}).", "context": context}


def answer_bytes(answer: Answer) -> bytes:
    """Return the body as it goes over the network, before its encoding."""
    if answer.base64 is not None:
        return base64.b64decode(answer.base64)
    if answer.text is not None:
        return str(_filled(answer.text)).encode()
    if answer.events is not None:
        return "".join(map(_event, answer.events)).encode()
    body = _completion(answer.completion) if answer.completion else _filled(answer.body)
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def answer_body(answer: Answer) -> tuple[bytes, dict[str, str]]:
    """Return what goes over the network, and its headers."""
    content, headers = answer_bytes(answer), dict(answer.headers)
    if answer.encoding:
        content = _ENCODINGS[answer.encoding](content)
        headers["Content-Encoding"] = answer.encoding.removeprefix("raw ")
    headers.setdefault("Content-Type", "application/json" if answer.events is None else "text/event-stream")
    return content, headers


def response_of(answer: Answer) -> httpx.Response | Exception:
    """Return what the transport gives back."""
    if answer.fails:
        return _FAILURES[answer.fails](answer.fails)
    content, headers = answer_body(answer)
    return httpx.Response(answer.status, headers=headers, stream=httpx.ByteStream(content))


def _raw_deflate(content: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(content) + packing.flush()


def _brotli(content: bytes) -> bytes:
    """Return a brotli stream that packs nothing (RFC 7932, 9.2): blocks of plain bytes and an empty end."""
    packed = bytearray()
    for start in range(0, len(content), BROTLI_BLOCK_BYTES):
        block = content[start : start + BROTLI_BLOCK_BYTES]
        bits = (len(block) - 1) << 3 | 1 << 19
        packed += (bits if start else bits << 1).to_bytes(3, "little") + block
    return bytes(packed) + b"\x03"


_ENCODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw deflate": _raw_deflate,
    "br": _brotli,
}


def _completion(short: Completion) -> dict[str, Any]:
    message = {"role": "assistant", "content": short.content, **short.message}
    choice = {"index": 0, "message": message, "finish_reason": short.finish, **short.choice}
    body: dict[str, Any] = {"id": "gen-1", "object": "chat.completion", "choices": [choice], **short.more}
    if short.usage is not None:
        body["usage"] = short.usage
    filled: dict[str, Any] = _filled(body)
    return filled


def _event(event: Any) -> str:
    return _filled(event) if isinstance(event, str) else f"data: {json.dumps(_filled(event))}\n\n"


def _filled(value: Any) -> Any:
    """Return the value with notes in their places."""
    if isinstance(value, str):
        if whole := _VALUE.fullmatch(value):
            return _value(whole[1], _bounds(*whole.groups()))
        return PLACE.sub(_placed, value.replace("@long@", LONG).replace("@deep@", DEEP))
    if isinstance(value, list):
        return [_filled(entry) for entry in value]
    if isinstance(value, Mapping):
        return {key: _filled(entry) for key, entry in value.items()}
    return value


def _bounds(form: str, first: str, last: str | None) -> range:
    """Return the notes' numbers: one number stands for a note, or for all up to it."""
    if last is None:
        return range(int(first) if form == "note" else 1, int(first) + 1)
    return range(int(first), int(last) + 1)


def _value(form: str, numbers: range) -> Any:
    notes = [note(number) for number in numbers]
    return {"notes": {"items": notes}, "items": notes, "note": notes[0]}[form]


def _placed(place: re.Match[str]) -> str:
    notes = [note(number) for number in _bounds(place["form"], place["first"], place["last"])]
    text = _FORMS[place["form"]](notes)
    if place["encoded"] is None:
        return text
    encoded = json.dumps(text)
    return encoded if place["encoded"] == "json:" else encoded[1:-1]


def _object(notes: list[Note]) -> str:
    return json.dumps({"items": notes})


def _single(notes: list[Note]) -> str:
    return _object(notes).replace("'", r"\'").replace('"', "'")


_FORMS: Final[dict[str, Callable[[list[Note]], str]]] = {
    "notes": _object,
    "items": json.dumps,
    "note": lambda notes: ", ".join(map(json.dumps, notes)),
    "python": repr,
    "single": _single,
    "smart": lambda notes: re.sub(r'"([^"]*)"', "\u201c\\1\u201d", _object(notes)),
    "bare": lambda notes: re.sub(r'"(\w+)":', r"\1:", _object(notes)),
}
