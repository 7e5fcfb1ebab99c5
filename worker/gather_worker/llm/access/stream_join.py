"""The chunks of a streamed chat completion, joined into the body that would have come at once; pure.

What providers do otherwise than OpenAI: reasoning beside the content, under several names; usage in every
chunk, or in one without choices; content in parts; a whole message at the end; tool calls without an index;
an error in the middle, behind which what came before it is kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gather_worker.llm.access.native_streams import as_chunk, objects_in

CHOICES_MAX: Final = 16
JOINED: Final = frozenset(
    {"content", "reasoning", "reasoning_content", "reasoning_text", "thinking", "refusal"}
)
"""Texts of a delta that go on with those before; another field is whole each time."""


def is_chunk(document: Mapping[str, Any]) -> bool:
    """Return whether a document is a part of a stream, and no whole completion."""
    return any("delta" in choice for choice in objects_in(document.get("choices")))


def are_chunks(entries: list[Any]) -> bool:
    """Return whether a JSON list is a stream: Google's, unless it is asked for events."""
    if len(entries) <= 1 or not all(isinstance(each, dict) for each in entries):
        return False
    return is_chunk(entries[0]) or "candidates" in entries[0]


def join_chunks(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one body; of what comes several times, such as usage, each number is at its highest."""
    body: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in map(as_chunk, chunks):
        for name, value in chunk.items():
            if isinstance(value, dict) and name not in {"message", "error"}:
                body[name] = _highest(body.get(name), value)
            elif value and name != "choices" and not (name == "message" and isinstance(value, dict)):
                body.setdefault(name, value)
        for choice in _choices(chunk):
            index = choice.get("index")
            index = index if isinstance(index, int) else 0
            if index in choices or len(choices) < CHOICES_MAX:
                choices.setdefault(index, _Choice()).add(choice)
    body["object"] = "chat.completion"
    body["choices"] = [choices[index].joined(index) for index in sorted(choices)]
    return body


def _choices(chunk: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a chunk's parts of answers; Ollama's own form has one, without a list around it."""
    if "choices" not in chunk and isinstance(chunk.get("message"), dict):
        return [{"index": 0, "delta": chunk["message"], "finish_reason": chunk.get("done_reason")}]
    return objects_in(chunk.get("choices"))


class _Choice:
    """One answer on its way."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {"role": "assistant"}
        self._said: dict[str, list[Any]] = {}
        self._calls = _Calls()
        self._whole: dict[str, Any] = {}
        self._end: dict[str, Any] = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        """Take one chunk's part of the answer."""
        for name, value in choice.items():
            if name == "delta" and isinstance(value, dict):
                self._add_delta(value)
            elif name == "message" and isinstance(value, dict):
                self._whole = value
            elif name not in {"index", "logprobs", "delta", "message"} and value is not None:
                self._end[name] = value

    def _add_delta(self, delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                self._calls.add(value)
            elif isinstance(value, list):
                self._said.setdefault(name, []).extend(value)
            elif name in JOINED and isinstance(value, str):
                self._said.setdefault(name, []).append(value)
            elif value is not None:
                self._message[name] = value

    def joined(self, index: int) -> dict[str, Any]:
        """Return the answer; a whole message has all, unless it is only a frame."""
        message = self._message | {name: _text(pieces) for name, pieces in self._said.items()}
        if calls := self._calls.joined():
            message["tool_calls"] = calls
        message |= {name: value for name, value in self._whole.items() if value or name not in message}
        return {"index": index, "finish_reason": None, **self._end, "message": message}


class _Calls:
    """The tool calls of one answer on their way."""

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []
        self._at: dict[int, int] = {}
        """Which call an index means at present: some providers give all calls the index 0."""

    def add(self, parts: Any) -> None:
        """Take one delta's parts."""
        for part in objects_in(parts):
            named, index = part.get("id"), part.get("index")
            index = index if isinstance(index, int) else max(len(self._calls) - (not named), 0)
            at = self._at.get(index)
            if at is None or (named and self._calls[at]["id"] not in {None, named}):
                at = self._at[index] = len(self._calls)
                self._calls.append({"id": None, "name": [], "arguments": []})
            call, function = self._calls[at], part.get("function")
            call["id"] = named if isinstance(named, str) else call["id"]
            for name, text in (function if isinstance(function, dict) else {}).items():
                if isinstance(text, str) and name in {"name", "arguments"}:
                    call[name].append(text)

    def joined(self) -> list[dict[str, Any]]:
        """Return the calls in their order."""
        return [
            {
                "id": call["id"] or "",
                "type": "function",
                "function": {"name": "".join(call["name"]), "arguments": "".join(call["arguments"])},
            }
            for call in self._calls
        ]


def _text(pieces: list[Any]) -> str | list[Any]:
    """Return texts as one; among parts, each text as a part."""
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    return [{"type": "text", "text": piece} if isinstance(piece, str) else piece for piece in pieces]


def _highest(known: Any, new: Any) -> Any:
    """Return two reports as one: most providers count upwards, and some end with an empty report."""
    if isinstance(known, dict) and isinstance(new, dict):
        return {name: _highest(known.get(name), new.get(name)) for name in {**known, **new}}
    if isinstance(known, int | float) and isinstance(new, int | float):
        return max(known, new)
    return known if new is None else new
