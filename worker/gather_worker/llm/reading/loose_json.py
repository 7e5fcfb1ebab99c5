"""The JSON objects and lists in a text, as models write them; pure.

Read like JSON are, besides: comments, trailing and missing commas, keys without quotes, single and
typographic quotes, full-width commas and colons, Python's words, NaN, line breaks and quotes inside of a
string that are not escaped, escapes that are none. Nothing is closed that the text does not close itself:
what is cut off or torn is passed over, and what lies whole inside of it is found by itself. So every string
is one stretch of the text.

The work is bounded, whatever the text: in characters looked at, in values, and in depth.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

DEPTH_MAX: Final = 64
VALUES_MAX: Final = 10_000
"""Ten notes are 50 values, a hundred verdicts 300."""
WORK_PER_CHARACTER: Final = 2
WORK_MIN: Final = 2_000_000
STEP_WORK: Final = 25
"""What a call costs, in characters that are looked at in the same time."""
TORN_WORK: Final = 100
STRICT_SPEED: Final = 20
"""So many times as fast is Python's own reader."""
LINES_SPEED: Final = 300
"""So many times as fast it counts the lines before an error."""
RECURSION_WORK: Final = 2000
INNER_QUOTES_MAX: Final = 40
COMMENT_MAX: Final = 2000
INTEGER_DIGITS_MAX: Final = 18
"""More are no number that a field of ours can hold, and take long to convert."""

_JSON: Final = json.JSONDecoder(parse_int=len, parse_float=len)
"""Only where a value ends is looked at; numbers of thousands of digits are not converted."""
_QUOTES: Final = "\"'“”„«"
_CLOSING: Final = {'"': '"', "'": "'", "“": '”“"', "”": '”"', "„": '“”"', "«": "»"}
_COMMAS: Final = frozenset({",", "\uff0c"})
_COLONS: Final = frozenset({":", "\uff1a"})
_STRING: Final = {
    quote: re.compile(rf"((?:[^\\{closing}]++|\\.)*+)[{closing}]", re.DOTALL)
    for quote, closing in _CLOSING.items()
}
_BARE_KEY: Final = re.compile(r"[A-Za-z_][\w-]{0,63}+[\"'”]?(?=\s*+[:\uff1a])")
_START: Final = re.compile(
    rf"\{{(?=(?:\s|\\[nrt])*+(?:[{_QUOTES}}}#,]|//|/\*|{_BARE_KEY.pattern}))|\[(?=(?:\s|\\[nrt])*+[{_QUOTES}\[{{\w/#.…\],-])"
)
_BLANK: Final = r"[\s\ufeff\u200b]++|\\[nrt\n]|(?://|#)[^\n\"'“”]*+(?=\n|$)"
_SPACE: Final = re.compile(rf"(?:{_BLANK})*+")
"""A comment with a quote in it would hide the rest of a text whose inner quotes are not escaped."""
_WORD: Final = re.compile(r"[+-]?[\w.][\w.+-]*+")
_DOTS: Final = re.compile(r"\.{3}|…")
_NEXT_KEY: Final = re.compile(
    r"""(?:"(?:[^"\\\n]|\\.){0,200}+"|['“”„«][^'”»“"\n]{0,64}['”»“"]|[A-Za-z_][\w-]{0,63}+["'”]?)\s*+[:\uff1a]"""
)
_NEXT_VALUE: Final = re.compile(
    rf"[{_QUOTES}\[{{\]\d.…/#-]|(?:true|false|null|True|False|None|undefined|NaN|Infinity)\b"
)
_AFTER_OBJECT: Final = re.compile(
    rf"\s*+(?:[,\uff0c\]}};`</#\\]|$|\{{(?=\s*+(?:[{_QUOTES}]|{_BARE_KEY.pattern}))|\[(?=\s*+[{_QUOTES}\[{{]))"
    r"|[^\S\n]*+\n[^\S\n]*+\n"
)
_GOES_ON: Final = {
    quote: re.compile(
        rf"(?:{_BLANK}|[,\uff0c;`\]}}<\\])*+(?!{_NEXT_KEY.pattern})"
        rf"(?:(?![{_QUOTES}]\w{{1,64}}+[\"'”“»]\s*+[:\uff1a])[^{{])*?"
        rf"[{closing}]\s*+(?:\}}|[,\uff0c]\s*+(?:{_NEXT_KEY.pattern}))"
    )
    for quote, closing in _CLOSING.items()
}
"""Behind a quote and the brace after it, in the place of a key or an object: words, and the quote that ends
them. The first quote was inside of the string."""
_GOES_ON_MAX: Final = 8192
"""Characters; a text of ours is not longer."""
_CLOSERS: Final = " \n\r\t,;`]}"
_PROSE: Final = re.compile(r"""[\s,;`\]}]*+(?:[^"{}]|\{(?!\s*+")[^"{}]*+\}?+)*+(?:\Z|\{)""")
"""Behind an object, up to the next one. Words that a bracket closes were in the object: its last quote is not
its end."""
_SWALLOWED: Final = re.compile(
    r"""["'“”„«»]\s*+[:\uff1a]"""  # the end of a key
    r"""|["'”»]\s*+[,\uff0c+]\s*+["'“„«]|["'”»][^\S\n]*+\n\s*+["'“„«]"""  # two strings
    r"""|["'”»]\s*+[}\]]\s*+,?\s*+[{\["'“]"""  # the end of an object and the begin of another
    r"""|["'”»]\s*+[,\uff0c\]}]\s*+\S{1,64}?\s*+[:\uff1a]\s*+["'“„«]"""  # a key that is spoiled
    r"""|[\n,\uff0c{\[]\s*+[A-Za-z_]\w{0,63}+\s*+[:\uff1a]\s*+["'“”„«\[{]"""  # a key without quotes
)
"""What is never inside of one string with quotes that are not escaped: one of its own was forgotten."""
_THOUGHT_END: Final = "</think>"
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LITERAL: Final = "\"'/\\“”„‘’«»\n"  # noqa: RUF001 - a model may escape any of them
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WORDS: Final[dict[str, Any]] = {
    "true": True, "false": False, "null": None, "True": True, "False": False, "None": None, "undefined": None,
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Found:
    """An object, whose `keys` stand beside its `values`, or a list; `start` and `end` are its place."""

    start: int
    end: int
    values: list[Any]
    keys: list[str] | None

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Return an object's members in their order, equal keys included; none of a list."""
        return zip(self.keys or (), self.values, strict=False)


@dataclass(slots=True)
class Roots:
    """The outermost objects and lists of a text that are whole, in their order.

    `torn` is where something begins that is not whole and has nothing whole in it, `inner` where something
    whole begins within something that is not.
    """

    found: list[Found] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    inner: set[int] = field(default_factory=set)


class _Torn(Exception):  # noqa: N818
    """The value is not whole."""


class _Spent(Exception):  # noqa: N818
    """All the work is done that may be done."""


class LooseReader:
    """Reads texts, all of them within the work that one text of so many characters may take.

    `names` are keys that are looked for: a string that seems to hold one has swallowed it.
    """

    def __init__(self, characters: int, names: Iterable[str] = ()) -> None:
        # A space that slipped into a key hides it no more than another letter would.
        keys = "|".join(r"\s?".join(map(re.escape, name)) for name in names)
        held = rf"[\"'“”„«\n,{{\[]\s*+(?:{keys})\b|\b(?:{keys})[\"'”]?\s*+:"
        self._names = re.compile(held, re.IGNORECASE) if keys else None
        self._work_left = WORK_MIN + WORK_PER_CHARACTER * characters
        self._values_left = VALUES_MAX
        self._text = ""
        self._strict_end = 0
        """Before it no quote is in doubt."""
        self._closed: list[Found] = []
        """The outermost whole ones of what is being read."""

    def roots(self, text: str) -> Roots:
        """Return what is whole in a text; dots in a list are `...`."""
        self._text, place, roots = text, 0, Roots()
        try:
            while start := _START.search(text, place):
                self._closed = []
                place = self._root(start.start(), roots)
                roots.found += self._closed
        except _Spent:
            roots.found += self._closed
        return roots

    def _root(self, start: int, roots: Roots) -> int:
        """Return where to go on after the object or list at `start`, whole or not."""
        self._strict_end = start
        try:
            return self._container(start, 0).end
        except _Torn:
            self._spend(TORN_WORK)
        # Words behind it may have put its last quote in doubt.
        self._strict_end = self._end_of_json(start, is_within=bool(roots.torn or roots.inner))
        if self._strict_end > start:
            self._closed = []
            with suppress(_Torn):
                return self._container(start, 0).end
        if self._closed:
            roots.inner.update(each.start for each in self._closed)
            return self._closed[-1].end
        roots.torn.append(start)
        return start + 1

    def _end_of_json(self, start: int, *, is_within: bool) -> int:
        """Return where the value ends if it is JSON as the standard has it, else `start`.

        With a quote in the words behind it a string in it may have gone on; with words up to the text's end,
        too, if it is within (`is_within`) something that is not whole: the text may be cut off in a string.
        """
        try:
            end = _JSON.raw_decode(self._text, start)[1]
        except json.JSONDecodeError as error:
            self._spend((error.pos - start) // STRICT_SPEED + error.pos // LINES_SPEED)
            return start
        except RecursionError:
            self._spend(RECURSION_WORK)
            return start
        prose = _PROSE.match(self._text, end)
        if prose is None:
            return start
        is_to_end = prose.end() == len(self._text) and bool(prose[0].strip(_CLOSERS))
        return start if is_within and is_to_end else end

    # --- values

    def _container(self, start: int, depth: int) -> Found:
        if depth > DEPTH_MAX:
            raise _Torn
        is_object = self._text[start] == "{"
        ending = "}" if is_object else "]"
        keys, values, place = list[str](), list[Any](), self._skip(start + 1)
        while (character := self._at(place)) != ending:
            if character in _COMMAS:
                place = self._skip(place + 1)
                continue
            if is_object:
                key, place = self._key(place)
                keys.append(key)
            value, place = self._value(place, depth, in_object=is_object)
            values.append(value)
            place = self._skip(place)
        found = Found(start, place + 1, values, keys if is_object else None)
        while self._closed and self._closed[-1].start > start:
            self._closed.pop()
        self._closed.append(found)
        return found

    def _key(self, place: int) -> tuple[str, int]:
        if (quote := self._at(place)) in _STRING:
            closed = self._match(_STRING[quote], place + 1)
            key, place = unescaped(closed[1]), closed.end()
        else:
            bare = self._match(_BARE_KEY, place)
            key, place = bare[0].rstrip("\"'”"), bare.end()
        place = self._skip(place)
        if self._at(place) not in _COLONS:
            raise _Torn
        return key, self._skip(place + 1)

    def _value(self, place: int, depth: int, *, in_object: bool) -> tuple[Any, int]:
        self._values_left -= 1
        if self._values_left < 0:
            raise _Spent
        character = self._at(place)
        if character in {"{", "["}:
            found = self._container(place, depth + 1)
            return found, found.end
        if character in _STRING:
            return self._string(place, in_object=in_object)
        if not in_object and (dots := _DOTS.match(self._text, place)):
            return ..., dots.end()
        word = self._match(_WORD, place)
        return _literal(word[0]), word.end()

    def _string(self, place: int, *, in_object: bool) -> tuple[str, int]:
        """Return the string that begins here; a quote inside that is not escaped does not end it.

        A quote ends it if what follows can follow; with such quotes inside nothing in it may look as if a key
        or an object had been swallowed: then a quote was forgotten, and the string is torn.
        """
        quote, first = self._at(place), place + 1
        pattern, inner = _STRING[quote], 0
        closed = self._match(pattern, first)
        while closed.end() >= self._strict_end and not self._can_end(
            closed.end(), quote, in_object=in_object
        ):
            inner += 1
            if inner > INNER_QUOTES_MAX:
                raise _Torn
            closed = self._match(pattern, closed.end())
        text = self._text[first : closed.end() - 1]
        if inner or _THOUGHT_END in text:  # a draft that was cut off in a string may go on in the answer
            self._spend(len(text))
            if _SWALLOWED.search(text) or (self._names and self._names.search(text)):
                raise _Torn
        return unescaped(text), closed.end()

    def _can_end(self, place: int, quote: str, *, in_object: bool) -> bool:
        """Return whether a string can end here, by what follows."""
        after = self._skip(place)
        has_comma = self._at(after) in _COMMAS
        if has_comma:
            after = self._skip(after + 1)
        following = self._at(after)
        if in_object and following == "}":
            is_end = _AFTER_OBJECT.match(self._text, after + 1) is not None
            return is_end and not self._goes_on(after + 1, quote)
        if following == "]" and not in_object:
            return True
        if has_comma:
            if following in {"}", "]", *_COMMAS}:
                return True
        elif "\n" not in self._text[place:after]:  # else a comma was forgotten
            return False
        return bool((_NEXT_KEY if in_object else _NEXT_VALUE).match(self._text, after))

    def _goes_on(self, place: int, quote: str) -> bool:
        """Return whether a string that `quote` began goes on in what stands behind an object's brace."""
        limit = min(len(self._text), place + _GOES_ON_MAX)
        following = self._text.find("{", place, limit)
        end = limit if following < 0 else following
        self._spend(2 * (end - place))
        return _GOES_ON[quote].match(self._text, place, end) is not None

    # --- steps, each of which is counted

    def _at(self, place: int) -> str:
        return self._text[place : place + 1]

    def _skip(self, place: int) -> int:
        """Return where space and comments end."""
        while True:
            space = self._match(_SPACE, place)
            if not self._text.startswith("/*", space.end()):
                return space.end()
            closed = self._text.find("*/", space.end(), space.end() + COMMENT_MAX)
            if closed < 0:
                raise _Torn
            self._spend(closed - place)
            place = closed + 2

    def _match(self, pattern: re.Pattern[str], place: int) -> re.Match[str]:
        matched = pattern.match(self._text, place)
        if matched is None:
            self._spend(len(self._text) - place if pattern is not _WORD and pattern is not _BARE_KEY else 0)
            raise _Torn
        self._spend(matched.end() - place)
        return matched

    def _spend(self, characters: int) -> None:
        self._work_left -= characters + STEP_WORK
        if self._work_left < 0:
            raise _Spent


def whole_string(text: str) -> str | None:
    """Return the string that a text is, in JSON's form; None if it is none."""
    stripped = text.strip(" \n\r\t`;\ufeff")
    closed = _STRING['"'].fullmatch(stripped, 1) if stripped.startswith('"') else None
    return unescaped(closed[1]) if closed else None


def unescaped(text: str) -> str:
    """Return what a text between quotes stands for; an escape that is none stays as it is."""
    if "\\" in text:
        text = _ESCAPE.sub(_character, text)
    if _SURROGATE.search(text):  # pairs become a character, halves of characters go
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return text


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPED.get(code) or (code if code in _LITERAL else escape[0])


def _literal(word: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    try:
        is_integer = len(word) <= INTEGER_DIGITS_MAX and word.lstrip("+-").isdecimal()
        return int(word) if is_integer else float(word)
    except ValueError:
        raise _Torn from None
