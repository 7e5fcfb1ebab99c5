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
        # 3.0 ignores what stands beside a reference.
        reference = {"$ref": schema.pop("$ref")}
        return {"allOf": [reference], **convert(schema, definitions)} if schema else reference
    converted: Schema = {"format": "double"} if schema.get("type") == "number" else {}
    for keyword, value in schema.items():
        if keyword in PASSED_ON or keyword.startswith("x-"):
            # FastAPI makes floats of all bounds; 50.0 nodes read oddly.
            is_whole = isinstance(value, float) and value.is_integer()
            converted[keyword] = int(value) if is_whole else value
        elif keyword in CONVERTED:
            converted |= CONVERTED[keyword](value, definitions)
        else:
            raise ConversionError(f"OpenAPI 3.0 cannot say {keyword}")
    if "properties" in converted and converted.get("additionalProperties") is True:
        # The same as saying nothing; of a word for it generators make a map that hides the fields.
        del converted["additionalProperties"]
    return converted


def _union(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return `T | None` as a T that may be null, and a wider union as `anyOf` with one branch that may be."""
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    branches = [convert(branch, definitions) for branch in schema["anyOf"] if branch != NULL]
    if len(branches) < len(schema["anyOf"]):
        branches[0] = _or_null(branches[0])
    if len(branches) == 1:
        return {**branches[0], **convert(rest, definitions)}
    return {"anyOf": branches, **convert(rest, definitions)}


def _or_null(schema: Schema) -> Schema:
    """Return the schema that null fits too.

    Beside a reference, by its letter, 3.0 ignores `nullable`. All the same that is how APIs write it and
    generators read it; the body written out would have no name, and its reference without it no null.
    """
    if "$ref" in schema:
        return {"allOf": [schema], "nullable": True}
    if "type" not in schema:
        raise ConversionError("OpenAPI 3.0 knows null only beside one type")
    return {**schema, "nullable": True}


def _child(value: Any, definitions: Mapping[str, Schema]) -> Any:
    return convert(value, definitions) if isinstance(value, dict) else value


CONVERTED: Final[Mapping[str, Callable[[Any, Mapping[str, Schema]], Schema]]] = {
    "const": lambda value, _: {"enum": [value]},
    "examples": lambda value, _: {"example": value[0]},
    "items": lambda value, known: {"items": _child(value, known)},
    "additionalProperties": lambda value, known: {"additionalProperties": _child(value, known)},
    "properties": lambda value, known: {
        "properties": {name: convert(child, known) for name, child in value.items()}
    },
    "allOf": lambda value, known: {"allOf": [convert(child, known) for child in value]},
    "exclusiveMinimum": lambda value, _: {"minimum": value, "exclusiveMinimum": True},
    "exclusiveMaximum": lambda value, _: {"maximum": value, "exclusiveMaximum": True},
    # The one limit without a word in 3.0 that is worth publishing.
    "propertyNames": lambda value, _: {"x-propertyNames": value},
}
