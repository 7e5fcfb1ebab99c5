"""The text in a field of a Payload CMS: plain, rich (Lexical or Slate), or one text for each language."""

import re
from typing import Any, Final

NODES_MAX: Final = 10_000
"""Nodes of one field that are looked at; what stands behind them is left out."""

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
"""Halves of characters: JSON can hold them, UTF-8 cannot, so neither Kubernetes nor a hash takes them."""
_CONTROLS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]+")
_LOCALE = re.compile(r"^[a-z]{2,3}([-_][A-Za-z0-9]{1,8})*$")
_PREFERRED: Final = "en"
_LINE_BREAKS: Final = frozenset({"linebreak", "hr", "horizontalrule"})
_INLINE: Final = frozenset({"link", "autolink"})


def plain_text(value: Any, characters_max: int) -> str:
    """Return the value's text, a line for each paragraph, cut to so many characters; "" if it has none."""
    parts: list[str] = []
    stack, nodes, size = [value], 0, 0
    while stack and nodes < NODES_MAX and size < 2 * characters_max:
        node = stack.pop()
        nodes += 1
        if isinstance(node, str):
            parts.append(node[: 2 * characters_max])
            size += len(parts[-1])
        elif isinstance(node, list):
            stack.extend(reversed(node[:NODES_MAX]))
        elif isinstance(node, dict):
            stack.extend(reversed(_inner(node)))
    lines = (writable(line).strip() for line in "".join(parts).splitlines())
    return "\n".join(line for line in lines if line)[:characters_max].strip()


def writable(text: str) -> str:
    """Return the text without what no store takes: a space for control characters, U+FFFD for surrogates."""
    return _CONTROLS.sub(" ", _SURROGATES.sub("\ufffd", text))


def localized(value: Any) -> Any:
    """Return one language's value of a field that Payload answered in all of them (`locale=all`).

    English if it is there, else the first language that has one; any other value is returned as it is.
    """
    if not (isinstance(value, dict) and value and all(_LOCALE.match(str(key)) for key in value)):
        return value
    filled = {key: text for key, text in value.items() if text}
    return filled.get(_PREFERRED, next(iter(filled.values()), None))


def _inner(node: dict[str, Any]) -> list[Any]:
    """Return what one node of rich text, or one localized field, holds."""
    chosen = localized(node)
    if chosen is not node:
        return [chosen]
    named = node.get("type")
    kind = named if isinstance(named, str) else ""
    if kind in _LINE_BREAKS:
        return ["\n"]
    if isinstance(node.get("text"), str):
        return [node["text"]]
    children = node.get("root") or node.get("children") or []
    return [children] if kind in _INLINE else [children, "\n"]
