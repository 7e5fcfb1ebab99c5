"""The entries of an answer (notes, verdicts) among the objects of a text, whatever is around them; pure."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gather_worker.llm.reading.loose_json import Found, LooseReader, Roots, unescaped, whole_string
from gather_worker.llm.reading.thoughts import span_at, thought_spans

ENCODED_TIMES_MAX: Final = 3
"""JSON in a JSON string, in a JSON string."""
ENCODED_MAX: Final = 1 << 20
"""Characters; ten notes of the greatest length, with every letter escaped, are 630,000."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one entry: `kind` is the name of its words; `limit` the number that it passes."""

    kind: str
    field: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, with `value`, or what is wrong with it."""

    value: BaseModel | None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that belong together: of one object or list, or single ones in a row.

    `is_end` is whether the text ends with it and has nothing that is not closed, `is_plain` whether it is an
    answer just as asked for.
    """

    entries: tuple[Entry, ...]
    is_single: bool
    is_end: bool = False
    is_plain: bool = False

    @property
    def valid(self) -> list[BaseModel]:
        """Return the entries that can be used."""
        return [entry.value for entry in self.entries if entry.value is not None]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is looked for: entries of a type, as a list under `list_name` or, if that is empty, one alone."""

    entry: type[BaseModel]
    list_name: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Return the names of an entry's fields."""
        return frozenset(self.entry.model_fields)

    @property
    def required(self) -> frozenset[str]:
        """Return the names of the fields of which an object has one if it is meant as an entry."""
        return frozenset(name for name, field in self.entry.model_fields.items() if field.is_required())

    @property
    def lists(self) -> frozenset[str]:
        """Return the names of the fields that hold a list of texts."""
        fields = self.entry.model_fields.items()
        return frozenset(name for name, field in fields if get_origin(field.annotation) in {list, tuple})


def groups_of(text: str, shape: Shape, reader: LooseReader) -> tuple[list[Group], list[list[Group]]]:
    """Return the groups of entries in a text, and those of each stretch that the model only thought."""
    written = text
    for _ in range(ENCODED_TIMES_MAX):
        if len(text) > ENCODED_MAX or (inner := whole_string(text)) is None:
            break
        text = inner
    found = _Search(reader, shape).placed(text)
    if (
        not found and len(text) <= ENCODED_MAX and '\\"' in text
    ):  # a JSON string without its quotes, or cut off in it
        text = unescaped(text)
        found = _Search(reader, shape).placed(text)
    spans = thought_spans(text, [(each.start, each.end) for each in found if each.group.valid])
    told, thoughts = list[Group](), [list[Group]() for _ in spans]
    for each in found:
        within = span_at(each.start, spans)
        group = each.group if text is written else replace(each.group, is_plain=False)
        (told if within is None else thoughts[within]).append(group)
    return _joined(told), [_joined(thought) for thought in thoughts]


def unequal(values: Iterable[BaseModel], known: Iterable[BaseModel] = ()) -> list[BaseModel]:
    """Return the values that are not among the known ones, each once."""
    seen, new = {repr(value) for value in known}, list[BaseModel]()
    for value in values:
        if (name := repr(value)) not in seen:
            seen.add(name)
            new.append(value)
    return new


def _joined(found: Sequence[Group]) -> list[Group]:
    """Return the groups with single entries in a row as one, in which each counts once."""
    groups = list[Group]()
    for is_single, row in groupby(found, lambda group: group.is_single):
        if not is_single:
            groups += row
            continue
        entries = [entry for group in row for entry in group.entries]
        once = {id(value) for value in unequal(entry.value for entry in entries if entry.value)}
        kept = (entry for entry in entries if entry.value is None or id(entry.value) in once)
        groups.append(Group(tuple(kept), is_single=True))
    return groups


@dataclass(frozen=True, slots=True)
class _Placed:
    """A group and where in the text it stands."""

    start: int
    end: int
    group: Group


class _Search:
    """Looks through objects, lists and the JSON in their strings."""

    def __init__(self, reader: LooseReader, shape: Shape) -> None:
        self._reader = reader
        self._shape = shape
        self._lists = shape.lists
        """What stands in them was written by others, and is no answer, even if it looks like one."""

    def placed(self, text: str) -> list[_Placed]:
        """Return what the outermost values of a text hold, and entries that are not whole, in their order."""
        roots = self._reader.roots(text)
        found = [placed for root in roots.found if (placed := self._placed(root, roots, text))]
        names = "|".join(self._shape.required)
        begin = re.compile(rf"""\{{\s*+["'“]?(?:(?:{names})["'”]?\s*+:|\w*+\s*+\Z)""")
        lost = Group((Entry(None, Problem("torn")),), is_single=True)
        found += [_Placed(start, start + 1, lost) for start in roots.torn if begin.match(text, start)]
        return sorted(found, key=lambda placed: placed.start)

    def _placed(self, root: Found, roots: Roots, text: str) -> _Placed | None:
        entries = tuple(self._entries(root, 0))
        if not entries:
            return None
        is_single = bool(self._shape.list_name) and len(entries) == 1 and self._is_meant(root)
        is_end = root.start not in roots.inner and not text[root.end :].strip(" \n\r\t`;")
        return _Placed(root.start, root.end, Group(entries, is_single, is_end, self._is_plain(root, text)))

    def _is_plain(self, root: Found, text: str) -> bool:
        members = dict(root.pairs())
        listed = members.get(self._shape.list_name)
        is_list = isinstance(listed, Found) and listed.keys is None
        if not (is_list if self._shape.list_name else self._shape.required <= members.keys()):
            return False
        try:
            json.loads(text[root.start : root.end])
        except ValueError:
            return False
        return True

    def _entries(self, found: Found, encoded: int) -> list[Entry]:
        """Return the entries of an object or list; an object that holds entries is none itself."""
        inner = self._of_list(found, encoded) if found.keys is None else self._of_object(found, encoded)
        if found.keys is None or not self._is_meant(found) or any(entry.value for entry in inner):
            return inner
        own = self._entry(found)
        if own.value is None and (encoded_within := self._in_strings(found, encoded)):
            return encoded_within
        return [own]

    def _of_list(self, found: Found, encoded: int, *, is_named: bool = False) -> list[Entry]:
        """Return a list's entries and what stands among them; of the list itself, all that stands in it."""
        parts = [self._of_value(value, encoded) for value in found.values]
        if not any(parts) and not is_named:
            return []
        lost = [self._lost(value, is_named=is_named) for value in found.values]
        return [entry for part, instead in zip(parts, lost, strict=True) for entry in part or instead]

    def _lost(self, value: Any, *, is_named: bool) -> list[Entry]:
        if not isinstance(value, Found):
            return [] if value is ... else [Entry(None, Problem("no_object"))]
        return [self._entry(value)] if is_named and value.keys is not None else []

    def _of_object(self, found: Found, encoded: int) -> list[Entry]:
        entries = list[Entry]()
        for key, value in found.pairs():
            name = key.strip().lower()
            if name in self._lists:
                continue
            if isinstance(value, Found) and value.keys is None and name == self._shape.list_name:
                entries += self._of_list(value, encoded, is_named=True)
            elif isinstance(value, Found) or name not in self._shape.names:
                entries += self._of_value(value, encoded)
        return entries

    def _in_strings(self, found: Found, encoded: int) -> list[Entry]:
        members = ((key.strip().lower(), value) for key, value in found.pairs())
        texts = [value for key, value in members if isinstance(value, str) and key not in self._lists]
        return [entry for text in texts for entry in self._of_value(text, encoded)]

    def _of_value(self, value: Any, encoded: int) -> list[Entry]:
        if isinstance(value, Found):
            return self._entries(value, encoded)
        if isinstance(value, str) and encoded < ENCODED_TIMES_MAX and value.lstrip()[:1] in {"{", "[", "`"}:
            return [
                entry
                for root in self._reader.roots(value).found
                for entry in self._entries(root, encoded + 1)
            ]
        return []

    def _is_meant(self, found: Found) -> bool:
        return bool(self._shape.required & {key.strip().lower() for key in found.keys or ()})

    def _entry(self, found: Found) -> Entry:
        """Return an object as an entry; of two equal fields it is not ours to choose one."""
        values = dict[str, Any]()
        for key, value in found.pairs():
            name = key.strip().lower()
            if name in values and name in self._shape.names:
                return Entry(None, Problem("twice", name))
            values[name] = _plain(value)
        try:
            return Entry(self._shape.entry.model_validate(values))
        except ValidationError as error:
            return Entry(None, _problem(error.errors(include_url=False, include_context=True)[0]))


def _plain(value: Any) -> Any:
    """Return what was found as Python has it; of an object's equal keys the last counts."""
    if not isinstance(value, Found):
        return value
    plain = [_plain(each) for each in value.values]
    return plain if value.keys is None else dict(zip(value.keys, plain, strict=False))


_KINDS: Final = {
    "missing": "missing", "value_error": "no_words", "string_type": "no_text",
    "string_too_short": "too_short", "string_too_long": "too_long", "too_short": "too_short",
    "too_long": "too_long",
    "greater_than_equal": "too_low", "less_than_equal": "too_high",
    "float_type": "no_number", "float_parsing": "no_number", "finite_number": "no_number",
    "int_type": "no_number", "int_parsing": "no_number", "int_from_float": "no_number",
    "bool_type": "no_truth", "bool_parsing": "no_truth",
}  # fmt: skip
"""The words for what pydantic finds."""


def _problem(error: ErrorDetails) -> Problem:
    limits = (value for value in error.get("ctx", {}).values() if isinstance(value, int | float))
    is_null = error["input"] is None and error["type"] == "string_type"
    kind = "null" if is_null else _KINDS.get(error["type"], "wrong")
    return Problem(kind, str(error["loc"][0]) if error["loc"] else "", int(next(limits, 0)))
