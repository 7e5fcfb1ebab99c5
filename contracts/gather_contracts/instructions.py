"""What a production wants of a department's notes: instructions and example notes, as a CMS has them; pure.

The field may hold text or rich text, which are instructions; an object with `instructions` and `examples`; or
a list of texts and of such objects, as Payload's array and blocks are. All is bounded: anyone who edits
the CMS may write as much as they like.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.rich_text import field_text, is_rich_text, localized, parsed_json

TEXT_BYTES_MAX: Final = 5 * 1024
"""As UTF-8: 850 words of English, 300 of Hindi; a prompt shows 1,750 tokens."""
EXAMPLES_BYTES_MAX: Final = 5 * 1024
"""Of all examples together."""
EXAMPLES_MAX: Final = 8
ROWS_MAX: Final = 100
"""Of a list; what stands behind is not looked at."""
DEPTH_MAX: Final = 4
"""Objects and lists within each other, beside those of rich text."""

_INSTRUCTION_KEYS: Final = ("instructions", "instruction", "text", "content")
_EXAMPLE_KEYS: Final = ("examples", "example", "exampleNotes", "exampleNote", "notes", "note")
_NOTE_KEYS: Final = ("content", "text", "example", "note")
"""Where an example that is an object holds the note."""
_ROW_LABELS: Final = frozenset({"id", "_id", "blockName"})
_DOCUMENT_ID: Final = re.compile(
    r"\s*(?:[0-9a-fA-F]{24}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\s*"
)
"""Of a related document, as Payload answers it at a depth of 0: nobody wrote it."""


class Instructions(BaseModel):
    """What the prompt for a department's notes shows of it."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True)

    text: str = Field(default="", max_length=TEXT_BYTES_MAX)
    """A line for each paragraph."""
    examples: tuple[str, ...] = Field(default=(), max_length=EXAMPLES_MAX)


@dataclass(frozen=True, slots=True)
class InstructionsReading:
    """What was read of a field."""

    instructions: Instructions | None = None
    """None where nobody has written anything."""
    is_understood: bool = True
    """Whether nothing of it was left out for a form that is not known."""
    is_cut: bool = False
    """Whether there is more of it than is read."""


def read_instructions(value: Any) -> InstructionsReading:
    """Return what a CMS's field says; never raises, whatever the field holds."""
    found = _Found()
    found.take(value, DEPTH_MAX)
    text, is_cut = _within("\n".join(found.texts), TEXT_BYTES_MAX)
    examples = list[str]()
    left = EXAMPLES_BYTES_MAX
    for example in found.examples[:EXAMPLES_MAX]:
        kept, is_shorter = _within(example, left)
        is_cut = is_cut or is_shorter
        left -= len(kept.encode())
        if kept:
            examples.append(kept)
    is_cut = is_cut or found.is_cut or len(found.examples) > EXAMPLES_MAX
    is_written = bool(text or examples)
    return InstructionsReading(
        Instructions(text=text, examples=tuple(examples)) if is_written else None,
        is_understood=found.is_understood,
        is_cut=is_cut,
    )


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """Return what stands in a field, None if there is none; `path` names groups with points between."""
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


@dataclass(slots=True)
class _Found:
    """What was found so far."""

    texts: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    is_understood: bool = True
    is_cut: bool = False

    def take(self, value: Any, depth: int) -> None:
        """Take in instructions, and the examples that stand in an object of them."""
        self._take(value, depth, self._take_object, self.texts)

    def _take_example(self, value: Any, depth: int) -> None:
        self._take(value, depth, self._take_note, self.examples)

    def _take(self, value: Any, depth: int, take_object: Any, texts: list[str]) -> None:
        value = localized(value)
        if isinstance(value, str) and (parsed := parsed_json(value)) is not None:
            value = parsed
        if value is None or value in ("", [], {}):
            return
        if depth == 0 or not isinstance(value, str | Mapping | list):
            self.is_understood = False
        elif isinstance(value, str):
            self._add(value, texts)
        elif isinstance(value, Mapping):
            take_object(value, depth)
        elif _is_slate(value):
            self._add(value, texts)
        else:
            self.is_cut = self.is_cut or len(value) > ROWS_MAX
            for row in value[:ROWS_MAX]:
                self._take(_without_labels(row), depth - 1, take_object, texts)

    def _take_object(self, value: Mapping[str, Any], depth: int) -> None:
        """Take in an object with instructions and examples, a block of one of them, or rich text."""
        block = value.get("blockType")
        if isinstance(block, str) and "example" in block.lower():
            self._take_note(value, depth)
            return
        known = [key for key in (*_INSTRUCTION_KEYS, *_EXAMPLE_KEYS) if key in value]
        if not known or isinstance(value.get("content"), list):
            self._take_rich(value, self.texts)
            return
        for key in known:
            take = self.take if key in _INSTRUCTION_KEYS else self._take_example
            take(value[key], depth - 1)

    def _take_note(self, value: Mapping[str, Any], depth: int) -> None:
        """Take in an example that is an object: a note with its content, or rich text."""
        known = next((key for key in _NOTE_KEYS if value.get(key)), None)
        if known is None or isinstance(value[known], list):
            self._take_rich(value, self.examples)
        else:
            self._take_example(value[known], depth - 1)

    def _take_rich(self, value: Mapping[str, Any], texts: list[str]) -> None:
        if is_rich_text(value):
            self._add(value, texts)
        else:
            # A row in which nobody wrote anything is nothing to speak of.
            self.is_understood = self.is_understood and not any(
                each for key, each in value.items() if key != "blockType"
            )

    def _add(self, value: Any, texts: list[str]) -> None:
        if isinstance(value, str) and _DOCUMENT_ID.fullmatch(value):
            self.is_understood = False
        # One character more than is kept, so that a cut is seen.
        elif text := field_text(value, TEXT_BYTES_MAX + 1):
            texts.append(text)


def _is_slate(value: Sequence[Any]) -> bool:
    """Return whether a list is rich text itself: nodes with nodes below them."""
    return all(isinstance(node, Mapping) and isinstance(node.get("children"), list) for node in value)


def _without_labels(row: Any) -> Any:
    """Return a row without what Payload adds to it; `id` is a language's name elsewhere."""
    if not isinstance(row, Mapping):
        return row
    return {key: value for key, value in row.items() if key not in _ROW_LABELS}


def _within(text: str, bytes_max: int) -> tuple[str, bool]:
    """Return as much of the text's beginning as has no more bytes, and whether that is not all."""
    encoded = text.encode()
    if len(encoded) <= bytes_max:
        return text, False
    return encoded[: max(0, bytes_max)].decode("utf-8", "ignore").rstrip(), True
