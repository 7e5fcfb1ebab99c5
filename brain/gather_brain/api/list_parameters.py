"""Lists in a query: whatever form a caller's library writes them in, the API reads one; pure.

Read are `name[]=a&name[]=b`, which the document names, and `name=a&name=b`, `name=a,b`, `name[]=a,b` and
`name[0]=a&name[1]=b`. No entry of a list has a comma in it.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

_SUFFIX: Final = re.compile(r"(?:\[\d{0,4}\])?")
_ERRORS: Final = "surrogateescape"
"""What is no UTF-8 stays as it came, for the API to refuse."""


def with_one_form(query: bytes, name: str) -> bytes:
    """Return the query with each entry of the list `name` as a `name[]` of its own; empty ones are none."""
    if name.encode() not in query:
        return query
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors=_ERRORS)
    entries = [
        (f"{name}[]", entry)
        for key, value in pairs
        if _is_list(key, name)
        for entry in value.split(",")
        if entry
    ]
    others = [(key, value) for key, value in pairs if not _is_list(key, name)]
    return urlencode([*others, *entries], errors=_ERRORS).encode("latin-1")


def _is_list(key: str, name: str) -> bool:
    return key.startswith(name) and _SUFFIX.fullmatch(key[len(name) :]) is not None
