"""Whether MongoDB would take our notes: a sample of them, and a collection's rules one by one; pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bson import ObjectId

RULES_MAX: Final = 200
SHOWN_MAX: Final = 5
VARYING: Final = frozenset({"_id", "content", "summary", "context"})
"""Fields in which any two of our notes differ."""
OURS: Final = frozenset({
    "_id", "projectId", "content", "summary", "context", "createdAt", "lastUpdated", "createdBy",
    "isAutomated", "automationMetadata",
})  # fmt: skip
"""All fields that our notes have."""

Document = dict[str, Any]


def sample_note(project_id: str, user_id: str = "gather-check") -> Document:
    """Return a note as a worker writes it, before it has a score; docs/items.md describes the form."""
    now = datetime.now(UTC)
    return {
        "_id": ObjectId(),
        "projectId": project_id,
        "content": "The keeper counts the lamp's turns aloud, and stops at the number of the drowned.",
        "summary": "The keeper counts the drowned.",
        "context": "It ties the lamp to the wreck before anyone names it.",
        "createdAt": now,
        "lastUpdated": now,
        "createdBy": user_id,
        "isAutomated": True,
        "automationMetadata": {
            "taskId": "gather-check-pod",
            "department": "story",
            "departmentName": "Story Department",
            "iteration": 1,
            "basedOnNodes": [str(ObjectId())],
            "model": "vendor/model",
            "run": "gather-check",
            "runUid": "gather-check",
            "prompt": "generate.v1",
        },
    }


def rules_of(validator: Mapping[str, Any]) -> Iterator[tuple[str, str, Document]]:
    """Yield the field, the rule and the query of each rule of a validator that can be asked by itself.

    A validator is a query; of its `$jsonSchema` the required fields, the properties of two levels and
    `additionalProperties` are told apart, the rest is one rule.
    """
    count = 0
    for field, query in validator.items():
        rules = (
            _schema_rules(query) if field == "$jsonSchema" else iter([(field, _short(query), {field: query})])
        )
        for rule in rules:
            count += 1
            if count > RULES_MAX:
                return
            yield rule


def _schema_rules(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Document]]:
    if not isinstance(schema, Mapping):
        return
    for field in _texts(schema.get("required")):
        yield _name(*path, field), "required", _within(path, {"required": [field]})
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    for field, rule in properties.items():
        here = (*path, field)
        inner = isinstance(rule, Mapping) and "properties" in rule and len(here) < 2  # noqa: PLR2004
        if inner:
            yield from _schema_rules(rule, here)
            rule = {key: value for key, value in rule.items() if key not in {"properties", "required"}}  # noqa: PLW2901
            rule.pop("additionalProperties", None)
        if rule:
            yield _name(*here), _short(rule), _within(path, {"properties": {field: rule}})
    if schema.get("additionalProperties") is False:
        closed = {"properties": {field: {} for field in properties}, "additionalProperties": False}
        text = "additionalProperties: false, no fields but those listed"
        yield _name(*path) or "the document", text, _within(path, closed)
    known = {"required", "properties", "additionalProperties", "title", "description"}
    rest = {key: value for key, value in schema.items() if key not in known}
    if rest and not path:
        yield "the document", _short(rest), _within(path, rest)


def _within(path: Sequence[str], schema: Document) -> Document:
    for field in reversed(path):
        schema = {"properties": {field: schema}}
    return {"$jsonSchema": schema}


def _name(*path: str) -> str:
    return ".".join(path)


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _short(rule: Any) -> str:
    if isinstance(rule, Mapping):
        parts = (f"{key}: {value}" for key, value in rule.items() if key not in {"title", "description"})
        return ", ".join(parts)[:120]
    return str(rule)[:120]


def named(refused: Sequence[tuple[str, str]]) -> str:
    """Return the rules that refuse, the first few by name."""
    shown = "; ".join(f"{field} ({rule})" for field, rule in refused[:SHOWN_MAX])
    rest = len(refused) - SHOWN_MAX
    return f"{shown}; {rest} more" if rest > 0 else shown


def blocking_indexes(indexes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the unique indexes that let one of our notes in and no more: all have the same in its fields."""
    found = []
    for index in indexes:
        fields = list(index.get("key", {}))
        is_partial = "partialFilterExpression" in index
        is_left_out = index.get("sparse") and not any(field.split(".")[0] in OURS for field in fields)
        if index.get("unique") and fields and not (is_partial or is_left_out or VARYING & set(fields)):
            found.append(f"{index.get('name', '?')} ({', '.join(fields)})")
    return found
