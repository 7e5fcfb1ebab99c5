"""What MongoDB says no to, in words, and why it may not answer; pure.

Only settings, fields' names and the rules of validators and indexes are shown. MongoDB's own messages hold
the whole command or the value that was refused, which are a user's text, and addresses.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson.errors import InvalidDocument, InvalidStringData
from pymongo.errors import BulkWriteError, ConfigurationError, DocumentTooLarge, InvalidName, OperationFailure

UNAUTHORIZED: Final = 13
AUTHENTICATION_FAILED: Final = 18
VALIDATION_FAILED: Final = 121
ATLAS: Final = 8000
"""Atlas' code for refusals of its own; what it means stands in its text."""
DUPLICATE_KEY: Final = frozenset((11000, 11001, 12582))
TOO_LARGE: Final = frozenset((10334, 17280, 17419, 17420))
CAPPED: Final = frozenset((20, 10003))
"""IllegalOperation and CannotGrowDocumentInCappedCollection, where the text names a capped collection."""
NOT_KNOWN: Final = frozenset((59, 115, 238, 303, 304, 352, 40324))
"""CommandNotFound, CommandNotSupported, NotImplemented, UnsupportedOpQueryCommand, an unknown stage of an
aggregation; 303 and 304 are Amazon DocumentDB's."""
BAD_USER: Final = "MongoDB does not know the user of MONGODB_URI, or the password or authSource is wrong"
NO_RIGHT: Final = "the user of MONGODB_URI may not do that: it needs the role readWrite on this database"
NO_USER: Final = "MongoDB wants a user and a password, and MONGODB_URI names none"
TOO_OLD: Final = (
    "the server of MONGODB_URI lacks what Gather needs: it must be MongoDB 5.0 or later, and no imitation"
)
UNWRITABLE: Final = "a document cannot be written as BSON"
REFUSALS: Final[Mapping[int, str]] = {
    **dict.fromkeys(TOO_LARGE, "a document is larger than MongoDB takes (16 MiB)"),
    **dict.fromkeys(NOT_KNOWN, TOO_OLD),
    UNAUTHORIZED: NO_RIGHT,
    AUTHENTICATION_FAILED: BAD_USER,
    73: "MongoDB takes no database of this name",
    166: "it is a view, which nothing can be written to",
    334: "MongoDB does not have the authMechanism of MONGODB_URI",
    13297: "MongoDB has a database of this name in other upper and lower case",
}
NEEDS_USER: Final = "requires authentication"
"""How MongoDB words it to who has not signed in; the code is that of missing rights."""
ATLAS_SAYS: Final[Mapping[str, str]] = {
    "auth": BAD_USER,
    "not allowed": NO_RIGHT,
    "not authorized": NO_RIGHT,
    "space quota": "the space quota of this Atlas cluster is used up",
}
"""What stands in the text of Atlas' refusals, in lower case; the first counts."""
CREDENTIALS: Final = frozenset({BAD_USER, NO_USER, REFUSALS[334]})
HINTS: Final[Mapping[str, str]] = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted: see tlsCAFile in MONGODB_URI",
    "SSL handshake failed": "it does not speak TLS so: see tls in MONGODB_URI",
    "WRONG_VERSION_NUMBER": "it does not speak TLS: see tls in MONGODB_URI",
    "for replica set name": "no member of the replica set that MONGODB_URI names (replicaSet)",
    "Name or service not known": "the host in MONGODB_URI has no address",
    "nodename nor servname": "the host in MONGODB_URI has no address",
    "No address associated": "the host in MONGODB_URI has no address",
    "Temporary failure in name resolution": "the host in MONGODB_URI has no address now",
    "DNS": "the host in MONGODB_URI has no address of type SRV (mongodb+srv)",
    "Connection refused": "nothing listens at the host and port of MONGODB_URI",
    "Connect call failed": "nothing listens at the host and port of MONGODB_URI",
    "No primary available": "the replica set has no primary",
}
"""What stands in the driver's text where it reaches no server, and what that means; the first counts."""
OUT_OF_SPACE: Final = 14031
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal for good: the same would be refused every time, until a person changes something."""

    text: str

    @property
    def is_of_credentials(self) -> bool:
        """Return whether user or password are not accepted; that passes where a password is replaced."""
        return self.text in CREDENTIALS

    def __str__(self) -> str:
        return self.text


def refusal_of(error: Exception) -> Refusal | None:
    """Return what was refused and by which rule; None for an error that may be gone the next time."""
    text = ""
    if isinstance(error, DocumentTooLarge):
        text = REFUSALS[10334]
    elif isinstance(error, InvalidDocument | InvalidStringData):
        text = UNWRITABLE
    elif isinstance(error, InvalidName):
        text = REFUSALS[73]
    elif isinstance(error, ConfigurationError):
        text = TOO_OLD if "wire version" in str(error) else ""
    elif isinstance(error, BulkWriteError):
        failures = (error.details or {}).get("writeErrors") or []
        text = next(filter(None, (refusal_in(failure) for failure in failures)), "")
    elif isinstance(error, OperationFailure):
        text = refusal_in({**(error.details or {}), "code": error.code})
    return Refusal(text) if text else None


def trouble_of(error: Exception) -> str:
    """Return what is wrong in a sentence, with the setting's name where a setting may be wrong."""
    if refusal := refusal_of(error):
        return str(refusal)
    said = str(error)
    hint = next((meaning for words, meaning in HINTS.items() if words in said), "")
    if isinstance(error, OperationFailure):
        hint = "its disk is full" if error.code == OUT_OF_SPACE else f"code {error.code}"
    return f"MongoDB is unavailable: {type(error).__name__}{f' ({hint})' if hint else ''}"


def refusal_in(failure: Mapping[str, Any]) -> str:
    """Return the like of one write's answer; "" where the note's own `_id` was taken: it is there."""
    code, said = failure.get("code"), str(failure.get("errmsg") or "")
    if code == VALIDATION_FAILED:
        return f"the collection's validator refuses the document: {_broken_rules(failure)}"
    if code in DUPLICATE_KEY and not is_on_own_id(failure):
        return f"a unique index ({index_of(failure)}) has the document's value already"
    if code == UNAUTHORIZED and NEEDS_USER in said:
        return NO_USER
    if code == ATLAS:
        return next((text for words, text in ATLAS_SAYS.items() if words in said.lower()), "")
    if code in CAPPED:
        return "it is a capped collection, in which nothing can grow" if "capped" in said else ""
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
