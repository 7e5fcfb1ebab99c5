"""JSON Schema as pydantic writes it (2020-12, OpenAPI 3.1) in the words of OpenAPI 3.0; pure.

FastAPI writes 3.1 and its `openapi_version` changes the number alone. What 3.0 cannot say is refused here and
not dropped, so that the document never promises less or more than the API checks.

Source: OpenAPI Specification 3.0.4, "Schema Object"; `nullable` counts only beside `type`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Schema = dict[str, Any]

REFERENCE: Final = "#/components/schemas/"
PASSED_ON: Final = frozenset(
    {
        "type", "enum", "format", "description", "default", "deprecated", "pattern", "example", "required",
        "minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems",
        "minProperties", "maxProperties",
    }
)  # fmt: skip
DROPPED: Final = frozenset({"title"})
"""Pydantic makes titles out of the names that stand beside them."""
NULL: Final = {"type": "null"}


class ConversionError(ValueError):
    """The schema says something that OpenAPI 3.0 cannot; change the model."""


def convert(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return the schema in the words of 3.0; `definitions` are what its references name, unconverted."""
    schema = {key: value for key, value in schema.items() if key not in DROPPED}
    if schema.get("default", NULL) is None:
        del schema["default"]
    if "anyOf" in schema:
        return _union(schema, definitions)
    if "$ref" in schema:
        return _reference(schema, definitions)
    converted: Schema = {}
    for keyword, value in schema.items():
        converted |= _keyword(keyword, value, definitions)
    return converted


def _keyword(keyword: str, value: Any, definitions: Mapping[str, Schema]) -> Schema:
    if keyword in PASSED_ON or keyword.startswith("x-"):
        # FastAPI makes floats of all bounds; 50.0 nodes read oddly.
        is_whole = isinstance(value, float) and value.is_integer()
        return {keyword: int(value) if is_whole else value}
    if keyword not in CONVERTED:
        raise ConversionError(f"OpenAPI 3.0 cannot say {keyword}")
    return CONVERTED[keyword](value, definitions)


def _union(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return `T | None` as a T that may be null, and a wider union as `anyOf` with one branch that may be."""
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    branches = [convert(branch, definitions) for branch in schema["anyOf"] if branch != NULL]
    if len(branches) < len(schema["anyOf"]):
        branches[0] = _nullable(branches[0], definitions)
    if len(branches) == 1:
        return {**branches[0], **convert(rest, definitions)}
    return {"anyOf": branches, **convert(rest, definitions)}


def _nullable(branch: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "$ref" in branch:
        branch = convert(definitions[branch["$ref"].removeprefix(REFERENCE)], definitions)
    if "type" not in branch:
        raise ConversionError("OpenAPI 3.0 knows null only beside one type")
    return {**branch, "nullable": True}


def _reference(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Keep what stands beside a reference: 3.0 ignores it there."""
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    reference = {"$ref": schema["$ref"]}
    return {"allOf": [reference], **convert(rest, definitions)} if rest else reference


def _constant(value: Any, _: Mapping[str, Schema]) -> Schema:
    return {"enum": [value]}


def _first_example(value: Any, _: Mapping[str, Schema]) -> Schema:
    return {"example": value[0]}


def _one(keyword: str) -> Callable[[Any, Mapping[str, Schema]], Schema]:
    def converted(value: Any, definitions: Mapping[str, Schema]) -> Schema:
        return {keyword: convert(value, definitions) if isinstance(value, dict) else value}

    return converted


def _named(value: Any, definitions: Mapping[str, Schema]) -> Schema:
    return {"properties": {name: convert(child, definitions) for name, child in value.items()}}


def _all_of(value: Any, definitions: Mapping[str, Schema]) -> Schema:
    return {"allOf": [convert(child, definitions) for child in value]}


def _bound(inclusive: str, exclusive: str) -> Callable[[Any, Mapping[str, Schema]], Schema]:
    def converted(value: Any, _: Mapping[str, Schema]) -> Schema:
        return {inclusive: value, exclusive: True}

    return converted


def _names(value: Any, _: Mapping[str, Schema]) -> Schema:
    # The one limit that 3.0 has no word for and that is worth telling.
    return {"x-propertyNames": value}


CONVERTED: Final[Mapping[str, Callable[[Any, Mapping[str, Schema]], Schema]]] = {
    "const": _constant,
    "examples": _first_example,
    "items": _one("items"),
    "additionalProperties": _one("additionalProperties"),
    "properties": _named,
    "allOf": _all_of,
    "exclusiveMinimum": _bound("minimum", "exclusiveMinimum"),
    "exclusiveMaximum": _bound("maximum", "exclusiveMaximum"),
    "propertyNames": _names,
}
