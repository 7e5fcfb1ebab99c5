"""The body of a chat completion out of what an endpoint sent: one JSON document, or a stream of events; pure.

Some endpoints stream though nobody asked for it, and some keep the connection open with comments
(": OPENROUTER PROCESSING") or empty lines until their one JSON document comes. Source of the events' form:
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

BOM: Final = b"\xef\xbb\xbf"
BETWEEN: Final = re.compile(r"(\s|data:)*")
FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:")


def read_body_json(content: bytes) -> Any:
    """Return the body as JSON, a stream's chunks as the body that they make; raises ValueError for others."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return _stream(_documents(content))
    return _list(whole) if isinstance(whole, list) else whole


def _list(whole: list[Any]) -> Any:
    """Return a JSON list, or the body that it makes: Google streams so, unless it is asked for events."""
    from gather_worker.llm.access.stream_join import are_chunks, join_chunks  # noqa: PLC0415

    return join_chunks(whole) if are_chunks(whole) else whole


def _stream(documents: Iterator[dict[str, Any]]) -> Any:
    from gather_worker.llm.access.stream_join import is_chunk, join_chunks  # noqa: PLC0415 - no start waits

    first = next(documents, None)
    if first is None:
        raise ValueError("neither JSON nor a stream of it")
    second = next(documents, None)
    if second is None and not is_chunk(first):
        return first
    return join_chunks(chain((first, second), documents) if second is not None else (first,))


def _documents(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream; what is none, such as half of a last one, is left out."""
    # Not str.splitlines(), which would also split at marks that may stand within a JSON text.
    lines = content.removeprefix(BOM).splitlines()
    begin = next((line for line in lines if line.strip() and not line.startswith(b":")), b"")
    if not begin.lstrip().startswith((b"{", *FIELDS)):
        return  # a page, which may have JSON somewhere
    for name, data in _events(lines):
        for document in _objects(data):
            is_error = name == "error" and "error" not in document
            yield {"error": document} if is_error else document


def _events(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield the name and the data of each event; a line outside of the form counts as data."""
    name = ""
    data: list[str] = []
    for line in chain(lines, (b"",)):
        if not line.strip():
            if data:
                yield name, "\n".join(data)
            name, data = "", []
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode("utf-8", "replace")
        elif not line.startswith((b":", b"id:", b"retry:")):
            data.append(line.removeprefix(b"data:").decode("utf-8", "replace"))


def _objects(data: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of an event's data: one, or several where empty lines between events are missing."""
    decoder, place = json.JSONDecoder(), 0
    while (begin := BETWEEN.match(data, place)) and begin.end() < len(data):
        place = begin.end()
        try:
            document, place = decoder.raw_decode(data, place) if data[place] == "{" else (None, -1)
        except (ValueError, RecursionError):
            document, place = None, data.find("\n", place)
        if document is not None:
            yield document
        if place < 0:
            return
