"""MongoDB's queries and updates over plain documents, as far as the worker uses them; others raise.

`tests/contract/worker/services/test_mongo_double.py` holds it against the real one.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions

Document = dict[str, Any]
AWARE: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True)
ABSENT: Final = object()
NESTED: Final = frozenset({dict, list})


def stored(document: Mapping[str, Any]) -> Document:
    """Return the document as MongoDB keeps it, whole and apart from the one given."""
    return bson.decode(bson.encode(dict(document)), AWARE)


def copied(document: Mapping[str, Any]) -> Document:
    """Return a stored document apart from the one given, in a fraction of the time of `stored`."""
    # What BSON's reader makes of anything but documents and arrays cannot be changed in place.
    return {name: _copied(value) if type(value) in NESTED else value for name, value in document.items()}


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return copied(value)
    return [_copied(each) if type(each) in NESTED else each for each in value]


def matches(document: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Return whether a query finds the document."""
    for field, wanted in query.items():
        if field == "$or":
            if not any(matches(document, each) for each in wanted):
                return False
        elif field.startswith("$"):
            raise NotImplementedError(f"query {field}")
        elif not _meets(values_at(document, field), wanted):
            return False
    return True


def values_at(value: Any, path: str) -> list[Any]:
    """Return what stands at a dotted path, in every element of the arrays on the way; [ABSENT] if nothing."""
    head, _, rest = path.partition(".")
    if isinstance(value, list):
        if head.isdecimal():
            found = value[int(head)] if int(head) < len(value) else ABSENT
            return _descend(found, rest)
        each = [one for element in value for one in values_at(element, path) if isinstance(element, dict)]
        return each or [ABSENT]
    if not isinstance(value, Mapping):
        return [ABSENT]
    return _descend(value.get(head, ABSENT), rest)


def _descend(found: Any, rest: str) -> list[Any]:
    if rest:
        return values_at(found, rest)
    # An array is met as itself, and by each of its elements.
    return [found, *found] if isinstance(found, list) else [found]


def _meets(values: Sequence[Any], wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and any(key.startswith("$") for key in wanted):
        return all(_operator(name)(values, argument) for name, argument in wanted.items())
    return _equals(values, wanted)


def _equals(values: Sequence[Any], wanted: Any) -> bool:
    if wanted is None:
        return any(value is None or value is ABSENT for value in values)
    return any(_same(value, wanted) for value in values)


def _same(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _compares(test: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any], Any], bool]:
    def meets(values: Sequence[Any], argument: Any) -> bool:
        kind = (int, float) if isinstance(argument, int | float) else type(argument)
        if isinstance(argument, datetime):
            kind = datetime
        return any(isinstance(value, kind) and test(value, argument) for value in values)

    return meets


def _exists(values: Sequence[Any], wanted: Any) -> bool:
    return any(value is not ABSENT for value in values) == bool(wanted)


def _type(values: Sequence[Any], wanted: Any) -> bool:
    if wanted != "object":
        raise NotImplementedError(f"$type {wanted}")
    return any(isinstance(value, Mapping) for value in values)


def _operator(name: str) -> Callable[[Sequence[Any], Any], bool]:
    found = OPERATORS.get(name)
    if found is None:
        raise NotImplementedError(f"query {name}")
    return found


OPERATORS: Final[Mapping[str, Callable[[Sequence[Any], Any], bool]]] = {
    "$lt": _compares(lambda value, other: value < other),
    "$lte": _compares(lambda value, other: value <= other),
    "$gt": _compares(lambda value, other: value > other),
    "$gte": _compares(lambda value, other: value >= other),
    "$in": lambda values, wanted: any(value in wanted for value in values if value is not ABSENT),
    "$ne": lambda values, wanted: not _equals(values, wanted),
    "$exists": _exists,
    "$type": _type,
}


def updated(
    before: Document | None,
    query: Mapping[str, Any],
    change: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    now: datetime,
) -> Document:
    """Return the document after an update; `before` None: one is made, as an upsert does."""
    if not isinstance(change, Mapping):
        return _piped(before, change, now)
    after = copied(before) if before is not None else _from_query(query)
    for operator, fields in change.items():
        if operator == "$setOnInsert" and before is not None:
            continue
        change_of = CHANGES.get(operator)
        if change_of is None:
            raise NotImplementedError(f"update {operator}")
        for path, value in fields.items():
            _put(after, path, change_of(after.get(path), value, now))
    return stored(after)


CHANGES: Final[Mapping[str, Callable[[Any, Any, datetime], Any]]] = {
    "$set": lambda _known, value, _now: value,
    "$setOnInsert": lambda _known, value, _now: value,
    "$inc": lambda known, value, _now: (known or 0) + value,
}


def _piped(before: Document | None, stages: Sequence[Mapping[str, Any]], now: datetime) -> Document:
    """Return the document after an update by a pipeline that sets values or what expressions of them give."""
    if before is None or any(set(stage) != {"$set"} for stage in stages):
        raise NotImplementedError(f"update {stages}")
    after = copied(before)
    for path, value in (pair for stage in stages for pair in stage["$set"].items()):
        _put(after, path, _value_of(value, before, now))
    return stored(after)


def _value_of(expression: Any, document: Document, now: datetime) -> Any:
    """Return what an expression gives; the later date where `$max` has one."""
    if isinstance(expression, str) and expression.startswith("$"):
        return now if expression == "$$NOW" else values_at(document, expression[1:])[0]
    if not isinstance(expression, Mapping):
        return expression
    ((operator, given),) = expression.items()
    if operator == "$literal":
        return given
    values = [_value_of(each, document, now) for each in given]
    if operator == "$max":
        return max([each for each in values if isinstance(each, datetime)] or values)
    if operator == "$indexOfArray":
        return values[0].index(values[1])
    if operator == "$subtract":
        less = timedelta(milliseconds=values[1]) if isinstance(values[0], datetime) else values[1]
        return values[0] - less
    raise NotImplementedError(f"update {expression}")


def _from_query(query: Mapping[str, Any]) -> Document:
    return {key: value for key, value in query.items() if not isinstance(value, Mapping)}


def _put(document: Document, path: str, value: Any) -> None:
    *way, last = path.split(".")
    place: Any = document
    for name in way:
        place = place.setdefault(name, {})
    place[last] = value


def projected(document: Mapping[str, Any], projection: Mapping[str, Any] | Sequence[str] | None) -> Document:
    """Return the fields that are asked for, apart from the document itself."""
    if projection is None:
        return copied(document)
    found: Document = {"_id": document["_id"]} if "_id" in document else {}
    for path in projection:
        head, _, rest = path.partition(".")
        if head not in document or head == "_id":
            continue
        value = document[head]
        if rest and isinstance(value, list):
            value = [projected_part(each, rest) for each in value if isinstance(each, Mapping)]
        elif rest:
            raise NotImplementedError(f"projection {path}")
        found[head] = value
    return copied(found)


def projected_part(document: Mapping[str, Any], field: str) -> Document:
    """Return one field of an embedded document."""
    return {field: document[field]} if field in document else {}
