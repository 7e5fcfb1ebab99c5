"""Payload's query language over a list of documents: where, sort, limit, page.

Only what is written here is understood. Everything else is refused as Payload refuses a path that it does
not know, because a filter that is silently ignored would let a wrong query look right.

Source of the rules: Payload's documentation, "Queries", "Sort" and "Pagination" of its REST API.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LIMIT_DEFAULT: Final = 10
"""Payload's own default; a client that forgets `limit` sees ten documents."""
LIMIT_MAX: Final = 1000
CONDITIONS_MAX: Final = 20

_WHERE = re.compile(r"^where\[(?P<path>[A-Za-z][A-Za-z0-9_.]*)\]\[(?P<operator>[a-z_]+)\](?:\[\d*\])?$")

Document = Mapping[str, Any]


class QueryError(ValueError):
    """The query cannot be answered; the message says which part of it and why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One `where[path][operator]=value`; `values` has several only for `in` and `not_in`."""

    path: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A query that is understood; `limit` 0 means all. Without paging there is one page."""

    conditions: tuple[Condition, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int = LIMIT_DEFAULT
    page: int = 1
    is_paged: bool = True


def parse_query(parameters: Iterable[tuple[str, str]]) -> Query:
    """Return the query in decoded URL parameters; raises QueryError for a part that is not understood."""
    lists: dict[tuple[str, str], list[str]] = {}
    single: dict[str, str] = {}
    for key, value in parameters:
        if match := _WHERE.match(key):
            lists.setdefault((match["path"], match["operator"]), []).append(value)
        elif key in {"sort", "limit", "page", "depth", "pagination"}:
            single[key] = value
        else:
            raise QueryError(f"The following parameter cannot be queried: {key}")
    if len(lists) > CONDITIONS_MAX:
        raise QueryError(f"at most {CONDITIONS_MAX} conditions")
    conditions: list[Condition] = []
    for (path, operator), values in lists.items():
        if operator not in _OPERATORS:
            raise QueryError(f"The following operator cannot be queried: {operator}")
        is_list = operator in {"in", "not_in"}
        wanted = [part.strip() for value in values for part in value.split(",")] if is_list else values[-1:]
        conditions.append(Condition(path, operator, tuple(wanted)))
    return Query(
        conditions=tuple(conditions),
        sort=tuple(part for part in single.get("sort", "").split(",") if part),
        limit=_whole_number("limit", single.get("limit", str(LIMIT_DEFAULT)), 0, LIMIT_MAX),
        page=_whole_number("page", single.get("page", "1"), 1, 1_000_000),
        is_paged=single.get("pagination", "true") != "false",
    )


def _whole_number(name: str, text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise QueryError(f"{name} must be a whole number from {least} to {most}")
    return int(text)


def value_at(document: Document, path: str) -> Any:
    """Return the value at a dotted path, None where there is none."""
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _as_text(value: Any) -> str:
    """Return the value as it stands in a URL: JSON's words for booleans and null, 10 for 10.0."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


_OPERATORS: Final[dict[str, Callable[[Any, tuple[str, ...]], bool]]] = {
    "equals": lambda value, wanted: _as_text(value) == wanted[0],
    "not_equals": lambda value, wanted: _as_text(value) != wanted[0],
    "in": lambda value, wanted: _as_text(value) in wanted,
    "not_in": lambda value, wanted: _as_text(value) not in wanted,
    "exists": lambda value, wanted: (value is not None) == (wanted[0] == "true"),
}


def find(documents: Sequence[Document], query: Query) -> dict[str, Any]:
    """Return Payload's paging body for the documents that match; raises QueryError for an unknown path."""
    known = {path for document in documents for path in _paths(document)}
    for path in (*(c.path for c in query.conditions), *(s.removeprefix("-") for s in query.sort)):
        if path not in known:
            raise QueryError(f"The following path cannot be queried: {path}")
    found = [
        document
        for document in documents
        if all(_OPERATORS[c.operator](value_at(document, c.path), c.values) for c in query.conditions)
    ]
    # The first field counts most, so it is sorted by last; a missing value counts as least.
    for field in reversed(query.sort):
        path = field.removeprefix("-")
        found.sort(key=lambda d: _rank(value_at(d, path)), reverse=field.startswith("-"))
    return _page_of(found, query)


def _paths(document: Document, prefix: str = "") -> Iterable[str]:
    for key, value in document.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _rank(value: Any) -> tuple[int, float, str]:
    """Return a key that orders values of any type: none, then numbers and booleans, then text."""
    if value is None:
        return (0, 0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0, str(value))


def _page_of(documents: Sequence[Document], query: Query) -> dict[str, Any]:
    if not query.is_paged:
        # Nothing is counted then: what the limit lets through is all that the answer knows of.
        documents = documents[: query.limit or len(documents)]
    total = len(documents)
    limit = query.limit or max(total, 1)
    pages = max(1, -(-total // limit))
    start = (query.page - 1) * limit
    has_previous, has_next = query.page > 1, query.page < pages
    return {
        "docs": list(documents[start : start + limit]),
        "totalDocs": total,
        "limit": query.limit,
        "totalPages": pages,
        "page": query.page,
        "pagingCounter": start + 1,
        "hasPrevPage": has_previous,
        "hasNextPage": has_next,
        "prevPage": query.page - 1 if has_previous else None,
        "nextPage": query.page + 1 if has_next else None,
    }
