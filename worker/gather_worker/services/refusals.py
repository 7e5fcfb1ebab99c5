"""What MongoDB refuses for good, in words: the field and the rule, never a value; pure.

Only fields' names and the rules of validators and indexes are shown. MongoDB's own messages hold the whole
command or the value that was refused, which are a user's text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pymongo.errors import BulkWriteError, DocumentTooLarge, OperationFailure

UNAUTHORIZED: Final = 13
AUTHENTICATION_FAILED: Final = 18
VALIDATION_FAILED: Final = 121
DUPLICATE_KEY: Final = frozenset((11000, 11001, 12582))
TOO_LARGE: Final = frozenset((10334, 17280, 17419, 17420))
ON_VIEW: Final = 166
REFUSALS: Final[Mapping[int, str]] = {
    **dict.fromkeys(TOO_LARGE, "a document is larger than MongoDB takes (16 MiB)"),
    UNAUTHORIZED: "the user of MONGODB_URI may not do that: it needs the role readWrite on this database",
    AUTHENTICATION_FAILED: "MongoDB does not know the user of MONGODB_URI, or the password is wrong",
    ON_VIEW: "it is a view, which nothing can be written to",
}
NO_USER: Final = "MongoDB wants a user and a password, and MONGODB_URI names none"
NEEDS_USER: Final = "requires authentication"
"""How MongoDB words it to who has not signed in; the code is that of missing rights."""
FIELDS_NAMED: Final[Mapping[str, str]] = {
    "missingProperties": "is missing",
    "additionalProperties": "is not allowed",
}
"""Keys of MongoDB's explanation whose values are fields' names, and what they say of these."""
FINDINGS_MAX: Final = 4
RULE_MAX: Final = 60
FIELD_MAX: Final = 60
DEPTH_MAX: Final = 12

_INDEX: Final = re.compile(r"index: (\S{1,80})")
_NESTED: Final = (
    "details",
    "schemaRulesNotSatisfied",
    "propertiesNotSatisfied",
    "clausesNotSatisfied",
    "clausesSatisfied",
)


def refusal_of(error: Exception) -> str:
    """Return what was refused and by which rule; "" for an error that may be gone the next time."""
    if isinstance(error, DocumentTooLarge):
        return REFUSALS[10334]
    if isinstance(error, BulkWriteError):
        failures = (error.details or {}).get("writeErrors") or []
        return next(filter(None, (refusal_in(failure) for failure in failures)), "")
    if isinstance(error, OperationFailure):
        return refusal_in({**(error.details or {}), "code": error.code})
    return ""


def refusal_in(failure: Mapping[str, Any]) -> str:
    """Return the like of one write's answer; "" where the note's own `_id` was taken: it is there."""
    code = failure.get("code")
    if code == VALIDATION_FAILED:
        return f"the collection's validator refuses the document: {_broken_rules(failure)}"
    if code in DUPLICATE_KEY and not is_on_own_id(failure):
        return f"a unique index ({index_of(failure)}) has the document's value already"
    if code == UNAUTHORIZED and NEEDS_USER in str(failure.get("errmsg") or ""):
        return NO_USER
    return REFUSALS.get(code, "") if isinstance(code, int) else ""


def is_on_own_id(failure: Mapping[str, Any]) -> bool:
    """Return whether a write found its own `_id` taken: the note is there."""
    return failure.get("code") in DUPLICATE_KEY and index_of(failure) in {"_id", "_id_"}


def index_of(failure: Mapping[str, Any]) -> str:
    """Return the fields of the index whose key was taken, or its name."""
    pattern = failure.get("keyPattern")
    if isinstance(pattern, Mapping) and pattern:
        return ", ".join(str(field)[:FIELD_MAX] for field in list(pattern)[:FINDINGS_MAX])
    found = _INDEX.search(str(failure.get("errmsg") or ""))
    return found[1] if found else "unknown"


def _broken_rules(failure: Mapping[str, Any]) -> str:
    info = failure.get("errInfo")
    details = info.get("details") if isinstance(info, Mapping) else None
    found = list(dict.fromkeys(_findings(details, "", 0)))
    more = [f"and {len(found) - FINDINGS_MAX} more"] if len(found) > FINDINGS_MAX else []
    return "; ".join(found[:FINDINGS_MAX] + more) or "MongoDB does not say which rule"


def _findings(node: Any, path: str, depth: int) -> Iterator[str]:
    """Yield a line for each rule that was not kept, the deepest that MongoDB names."""
    if depth > DEPTH_MAX:
        return
    if _is_list(node):
        for entry in node:
            yield from _findings(entry, path, depth + 1)
    elif isinstance(node, Mapping):
        place = _joined(path, node.get("propertyName") or "")
        named = [line for key, verb in FIELDS_NAMED.items() for line in _fields(node.get(key), place, verb)]
        below = named or [line for key in _NESTED for line in _findings(node.get(key), place, depth + 1)]
        yield from below
        if not below and (operator := node.get("operatorName")):
            yield f"{place or 'the document'} breaks {_rule(operator, node.get('specifiedAs'))}"


def _fields(names: Any, path: str, verb: str) -> list[str]:
    return [f"{_joined(path, name)} {verb}" for name in names] if _is_list(names) else []


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _joined(path: str, name: Any) -> str:
    return f"{path}.{str(name)[:FIELD_MAX]}".strip(".")


def _rule(operator: Any, specified: Any) -> str:
    """Return the rule as the validator has it, with the type that it wants."""
    value = specified.get(operator) if isinstance(specified, Mapping) else None
    if value is None and isinstance(specified, Mapping):
        value = specified
    shown = "" if value is None else f" {json.dumps(value, default=str, ensure_ascii=False)}"
    return f"{operator}{shown}"[:RULE_MAX]
