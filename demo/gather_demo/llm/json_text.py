"""Find JSON inside a prompt's text and walk its strings."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_OPENING = re.compile(r"[\[{]")


def json_values(text: str) -> Iterator[Any]:
    """Yield the JSON objects and arrays that stand in a text, one after the other."""
    decoder = json.JSONDecoder()
    at = 0
    while match := _OPENING.search(text, at):
        try:
            value, at = decoder.raw_decode(text, match.start())
        except ValueError:
            at = match.end()
            continue
        yield value


def json_strings(text: str) -> list[tuple[str, str]]:
    """Return every string of the text's JSON, after the keys that lead to it: ("existing notes", "...")."""
    return [pair for value in json_values(text) for pair in _strings(value, "")]


def _strings(value: Any, keys: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, Mapping):
        for key, sub in value.items():
            yield from _strings(sub, f"{keys} {str(key).replace('_', ' ')}".strip())
    elif isinstance(value, list):
        for sub in value:
            yield from _strings(sub, keys)


def json_objects(text: str) -> list[Mapping[str, Any]]:
    """Return every object of the text's JSON, outer ones first."""
    return [found for value in json_values(text) for found in _objects(value)]


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for sub in value.values():
            yield from _objects(sub)
    elif isinstance(value, list):
        for sub in value:
            yield from _objects(sub)
