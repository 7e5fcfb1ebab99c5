"""The plain text of what people's editors store: JSON, rich text of any editor, HTML, or text itself; pure.

The one reader for all rooms: of notes in MongoDB, and of names and descriptions in a CMS, which may also hold
one text for each language.

Two kinds of JSON are told apart by their shape. Rich text is a tree whose leaves hold `text` (Lexical, Slate,
ProseMirror, Draft.js), `insert` (Quill) or `value` (Contentful); leaves side by side are one line. Any other
JSON is data, whose strings are the text and whose keys are labels. Everything is bounded: a tree may be as
deep and as large as its author likes.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final, TypeVar

from gather_contracts.text_cleaning import clean

_Value = TypeVar("_Value")

TEXT_MAX: Final = 100_000
"""60 pages; what stands behind is not read."""
JSON_MAX: Final = 4_000_000
"""Characters of JSON text that are parsed; longer text is taken as it stands."""
DEPTH_MAX: Final = 100
"""As deep as MongoDB nests documents."""
VISITED_MAX: Final = 200_000
FIELD_VISITED_MAX: Final = 10_000
"""Of a CMS's field: the operator reads many documents at once, and none of them may hold it up."""

_LOCALE: Final = re.compile(r"^[a-z]{2,3}([-_][A-Za-z0-9]{1,8})*$")
_PREFERRED: Final = "en"

_LABEL_KEYS: Final = frozenset(
    [
        "_id",
        "__v",
        "id",
        "key",
        "uuid",
        "type",
        "nodeType",
        "blockType",
        "version",
        "format",
        "mode",
        "style",
        "styles",
        "direction",
        "indent",
        "detail",
        "tag",
        "listType",
        "textFormat",
        "textStyle",
        "textAlign",
        "align",
        "relationTo",
        "rel",
        "target",
        "linkType",
        "newTab",
        "url",
        "href",
        "src",
        "mimeType",
        "filename",
        "color",
        "icon",
        "lang",
        "marks",
        "attrs",
        "attributes",
        "inlineStyleRanges",
        "entityRanges",
        "entityMap",
        "depth",
        "createdAt",
        "updatedAt",
        "lastUpdated",
        "createdBy",
        "projectId",
        "userId",
        "status",
        "slug",
    ]
)
"""Of rich text and of data: what stands under them is for programs."""
_WORDED_KEYS: Final = frozenset(
    [
        "align",
        "color",
        "detail",
        "direction",
        "format",
        "icon",
        "key",
        "lang",
        "marks",
        "mode",
        "slug",
        "status",
        "style",
        "styles",
        "tag",
        "target",
        "type",
        "version",
    ]
)
"""Of these, names that people give to what they write about, too: the film's style, a scene's colour."""
_LEAF_KEYS: Final = ("text", "insert", "value")
_CHILD_KEYS: Final = (
    "children",
    "content",
    "root",
    "ops",
    "blocks",
    "nodes",
    "fields",
    "items",
    "data",
    "document",
)
_INLINE_TYPES: Final = frozenset(
    [
        "text",
        "link",
        "autolink",
        "mention",
        "hashtag",
        "linebreak",
        "tab",
        "inlineBlock",
        "inline_block",
        "hyperlink",
        "emoji",
        "hardBreak",
        "hard_break",
        "code-highlight",
        "overflow",
        "mark",
        "a",
    ]
)
_SPACES: Final = {"linebreak": "\n", "hardBreak": "\n", "hard_break": "\n", "br": "\n", "tab": "\t"}
_MACHINE: Final = re.compile(
    r"(?:https?://|mailto:|data:)\S+|/[\w./-]+"
    r"|[0-9a-fA-F]{24}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|#[0-9a-fA-F]{3,8}"
)
"""An address, an id, a date, a colour: a string that nobody wrote as a note."""
_STYLE_SHEET: Final = re.compile(r"\s*[\w-]+\s*:\s*[^;]+(?:;|$)")
"""What editors write under `style`."""
_TWO_WORDS: Final = re.compile(r"\w+[^\w\s]*\s+\w+")
_TAG_NAMES: Final = (
    r"(?:p|div|h[1-6]|ul|ol|li|dl|dt|dd|blockquote|section|article|main|header|footer|figure|figcaption|table|thead|tbody"
    r"|tr|td|th|pre|code|span|strong|em|b|i|u|s|a|mark|small|sub|sup|font|center|br|hr|img|html|head|body|meta|details)"
)
_HTML: Final = re.compile(
    rf"\s*(?:<!doctype[^<>]{{0,200}}>\s*|<!--.{{0,2000}}?-->\s*)*<{_TAG_NAMES}\b[^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_HTML_WITHIN: Final = re.compile(r"<br\s*/?>|</(?:p|div|li|h[1-6]|strong|em|b|i|u|a|span)>", re.IGNORECASE)
"""In a text that begins without a tag."""
_KNOWN_TAG: Final = re.compile(rf"</?{_TAG_NAMES}\b[^<>]{{0,2000}}>", re.IGNORECASE)
_DESCRIBED: Final = re.compile(
    r"<img\b[^<>]{0,2000}?\balt=(?:\"([^\"<>]*)\"|'([^'<>]*)')[^<>]{0,2000}>", re.IGNORECASE
)
"""A picture with a text that stands for it."""
_BLOCK_END: Final = re.compile(
    r"</(?:p|div|h[1-6]|li|d[td]|blockquote|t[rdh]|section|article|figcaption|pre|title)\s*>|<br\s*/?>",
    re.IGNORECASE,
)
_UNSHOWN: Final = re.compile(
    r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<!doctype[^<>]{0,200}>", re.IGNORECASE | re.DOTALL
)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_BYTE_ORDER_MARK: Final = "\ufeff"
_VISIBLE: Final = re.compile("[^\\s\u00ad\u200b-\u200f\u2060\ufe0e\ufe0f]")
"""Anything but spaces, joiners and marks of direction, of which editors leave some where nobody writes."""


def localized(value: Any) -> Any:
    """Return one language's value of a field that Payload answered in all of them (`locale=all`).

    English if it is there, else the first language that has one; any other value is returned as it is.
    """
    if not (isinstance(value, dict) and value and all(_LOCALE.match(str(key)) for key in value)):
        return value
    filled = {key: text for key, text in value.items() if text}
    return filled.get(_PREFERRED, next(iter(filled.values()), None))


def field_text(value: Any, characters_max: int) -> str:
    """Return a CMS field's text in one language, a line for each paragraph, cut; "" if it has none."""
    chosen = localized(value)
    text = plain_text(chosen, visited_max=FIELD_VISITED_MAX) if isinstance(chosen, str | dict | list) else ""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)[:characters_max].strip()


def plain_text(value: Any, visited_max: int = VISITED_MAX) -> str:
    """Return what a reader sees of a field's value, "" if there is nothing to read; at most `TEXT_MAX`.

    Of a tree at most `visited_max` nodes are looked at; what stands behind them is left out.
    """
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = (
        _of_string(value, visited_max)[:TEXT_MAX] if isinstance(value, str) else _joined(value, visited_max)
    )
    return text if _VISIBLE.search(text) else ""


def _of_string(text: str, visited_max: int) -> str:
    parsed = parsed_json(text)
    if parsed is not None:
        # Data in which nobody wrote a word ({}, [], [null]) is nothing to read either.
        return clean(parsed) if isinstance(parsed, str) else _joined(parsed, visited_max)
    return clean(_without_tags(text[:TEXT_MAX]))


def parsed_json(text: str) -> Any:
    """Return the JSON that the text is, None if it is no JSON or a bare number or word."""
    text = text.removeprefix(_BYTE_ORDER_MARK)
    begins = text[:100].lstrip()[:1]
    if begins not in {"{", "[", '"'} or len(text) > JSON_MAX:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list | str) else None


def _without_tags(text: str) -> str:
    """Return the text without the tags of HTML; what is none stays as it is."""
    if _HTML.match(text):
        tag = _TAG
    elif _HTML_WITHIN.search(text):
        tag = _KNOWN_TAG
    else:
        return text
    shown = _BLOCK_END.sub("\n", _UNSHOWN.sub("", _DESCRIBED.sub(r" \1\2 ", text)))
    return html.unescape(tag.sub("", shown))


def _joined(value: Any, visited_max: int) -> str:
    found: list[str] = []
    chars = 0
    for line in _Walk(visited_max).lines(value, 0):
        if cleaned := clean(line):
            found.append(cleaned)
            chars += len(cleaned) + 1
        if chars > TEXT_MAX:
            break
    return "\n".join(found)[:TEXT_MAX]


class _Walk:
    """One walk through a tree; remembers how much of it was visited."""

    def __init__(self, visited_max: int) -> None:
        self._visited = 0
        self._visited_max = visited_max

    def lines(self, value: Any, depth: int) -> Iterator[str]:
        """Yield the lines below a value."""
        self._visited += 1
        if depth > DEPTH_MAX or self._visited > self._visited_max:
            return
        if isinstance(value, str):
            yield from self._of_string(value, depth)
        elif isinstance(value, Mapping):
            yield from self._of_mapping(value, depth)
        elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            yield from self._of_sequence(value, depth)

    def _of_string(self, text: str, depth: int) -> Iterator[str]:
        stripped = text.strip()
        if _MACHINE.fullmatch(stripped):
            return
        parsed = parsed_json(text)
        if isinstance(parsed, dict | list):
            yield from self.lines(parsed, depth + 1)
        else:
            yield _without_tags(text[:TEXT_MAX])

    def _of_mapping(self, node: Mapping[str, Any], depth: int) -> Iterator[str]:
        if (leaf := _leaf(node)) is not None:
            yield leaf
            return
        is_data = not _is_rich(node)
        for key, value in self._until_full(node.items()):
            if key not in _LABEL_KEYS or (is_data and _is_written_under(key, value)):
                yield from self.lines(value, depth + 1)

    def _of_sequence(self, nodes: Sequence[Any], depth: int) -> Iterator[str]:
        """Yield a line for each run of inline nodes, and the lines of every other one."""
        line: list[str] = []
        for node in self._until_full(nodes):
            inline = self._inline(node, depth + 1)
            if inline is not None:
                line.append(inline)
                continue
            yield from "".join(line).split("\n")
            line = []
            yield from self.lines(node, depth + 1)
        yield from "".join(line).split("\n")

    def _inline(self, node: Any, depth: int) -> str | None:
        """Return the text of a node that stands within a line, None if it is no such node."""
        self._visited += 1
        if not isinstance(node, Mapping) or depth > DEPTH_MAX or self._visited > self._visited_max:
            return None
        named = node.get("type") or node.get("nodeType")
        kind = named if isinstance(named, str) else ""
        if kind in _SPACES:
            return _SPACES[kind]
        if kind not in _INLINE_TYPES:
            return _leaf(node) if _is_bare_leaf(node) else None
        if (leaf := _leaf(node)) is not None:
            return leaf
        children = node.get("children", node.get("content", node.get("nodes")))
        if not isinstance(children, list):
            return _label_of(node)
        return "".join(self._inline(child, depth + 1) or "" for child in self._until_full(children))

    def _until_full(self, values: Iterable[_Value]) -> Iterator[_Value]:
        """Yield the values until enough was visited; those behind are not even counted."""
        return takewhile(lambda _: self._visited < self._visited_max, values)


def is_rich_text(value: Mapping[str, Any]) -> bool:
    """Return whether an object is rich text of any editor: a node with nodes below it, or a leaf."""
    return _is_rich(value) or _leaf(value) is not None


def _is_rich(node: Mapping[str, Any]) -> bool:
    """Return whether a node has nodes below it, as rich text has."""
    return any(isinstance(node.get(key), list | dict) for key in _CHILD_KEYS)


def _is_written_under(key: str, value: Any) -> bool:
    """Return whether somebody has written what stands in data under a name that labels have in rich text."""
    if key == "attributes":
        return isinstance(value, Mapping)
    is_prose = isinstance(value, str) and _TWO_WORDS.search(value) and not _STYLE_SHEET.match(value)
    return key in _WORDED_KEYS and bool(is_prose)


def _label_of(node: Mapping[str, Any]) -> str | None:
    """Return what a mention (ProseMirror) shows."""
    attributes = node.get("attrs")
    label = attributes.get("label") if isinstance(attributes, Mapping) else None
    return label if isinstance(label, str) else None


def _leaf(node: Mapping[str, Any]) -> str | None:
    """Return the text of a leaf of rich text, None if it is none."""
    for key in _LEAF_KEYS:
        text = node.get(key)
        if isinstance(text, str) and _is_leaf_by(key, node):
            return text
    return None


def _is_leaf_by(key: str, node: Mapping[str, Any]) -> bool:
    if any(
        isinstance(node.get(child), list | dict) and node.get(child)
        for child in _CHILD_KEYS
        if child != "data"
    ):
        return False
    if key == "value":
        return node.get("nodeType") == "text" or (node.get("type") == "text" and "marks" in node)
    # Data with a field `text` beside others that hold words is no leaf.
    return not any(
        isinstance(value, str) and name not in _LABEL_KEYS and name not in _LEAF_KEYS and " " in value
        for name, value in node.items()
    )


def _is_bare_leaf(node: Mapping[str, Any]) -> bool:
    """Return whether it is a leaf without a type (Slate, Quill): its other fields are formats."""
    return "type" not in node and "nodeType" not in node and not {"key", "id", "_id"} & node.keys()
