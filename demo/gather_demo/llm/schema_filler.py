"""Fill a JSON schema: walk it and ask a source for every leaf, then bend the value until the schema holds.

Covered is what structured output of the OpenAI-compatible servers allows: objects, arrays, strings, numbers,
booleans, null, enum, const, $ref, anyOf/oneOf, allOf of one, and their bounds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gather_demo.llm.text_measures import clamp, cut

DEPTH_MAX: Final = 12
ITEMS_MAX: Final = 100

Schema = Mapping[str, Any]


class SchemaError(ValueError):
    """The schema is not one that can be filled; the message says where."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the schema a value is wanted: names from the root, and the array entries chosen on the way."""

    path: tuple[str, ...] = ()
    items: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """Return the nearest property name, in lower case."""
        return self.path[-1].lower() if self.path else ""

    @property
    def item(self) -> Any:
        """Return what the nearest array was asked to hold here, None outside arrays."""
        return self.items[-1] if self.items else None


LeafSource = Callable[[Place, str], Any]
"""Gives a value for a leaf of the named JSON type."""
ItemSource = Callable[[Place, int, int | None], Sequence[Any]]
"""Gives what an array is to hold, one entry an element, for minItems and maxItems (None: no limit)."""


def resolve(schema: Schema, root: Schema, depth: int = 0) -> Schema:
    """Return the schema with references, nullable unions and single `allOf` opened."""
    if depth > DEPTH_MAX:
        raise SchemaError("references nest too deeply")
    if isinstance(reference := schema.get("$ref"), str):
        target: Any = root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            raise SchemaError(f"{reference} leads nowhere")
        return resolve(target, root, depth + 1)
    for union in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(union):
            chosen = next((option for option in options if option.get("type") != "null"), options[0])
            return resolve(chosen, root, depth + 1)
    return schema


def type_of(schema: Schema) -> str:
    """Return the JSON type, guessed from the keywords where none is said."""
    said = schema.get("type")
    if isinstance(said, list):
        said = next((t for t in said if t != "null"), "null")
    if isinstance(said, str):
        return said
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def fill(root: Schema, leaf: LeafSource, items: ItemSource) -> Any:
    """Return a value for which the schema holds."""
    return _value(root, root, Place(), leaf, items)


def _value(schema: Schema, root: Schema, place: Place, leaf: LeafSource, items: ItemSource) -> Any:
    if len(place.path) > DEPTH_MAX:
        raise SchemaError("the schema nests too deeply")
    schema = resolve(schema, root)
    kind = type_of(schema)
    if "const" in schema:
        return schema["const"]
    if kind == "object":
        return {
            name: _value(sub, root, Place((*place.path, name), place.items), leaf, items)
            for name, sub in schema.get("properties", {}).items()
        }
    if kind == "array":
        return _array(schema, root, place, leaf, items)
    return _bent(leaf(place, kind), kind, schema)


def _array(schema: Schema, root: Schema, place: Place, leaf: LeafSource, items: ItemSource) -> list[Any]:
    least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
    held = list(items(place, least, most))[: min(most if most is not None else ITEMS_MAX, ITEMS_MAX)]
    if len(held) < least:
        raise SchemaError(
            f"{'.'.join(place.path) or 'the array'} wants {least} elements, there are {len(held)}"
        )
    element = schema.get("items", {"type": "string"})
    return [_value(element, root, Place(place.path, (*place.items, entry)), leaf, items) for entry in held]


def _bent(value: Any, kind: str, schema: Schema) -> Any:
    """Return the value within the leaf's enum and bounds."""
    if allowed := schema.get("enum"):
        return value if value in allowed else allowed[0]
    if kind == "string":
        text = cut(str(value), int(schema.get("maxLength", 100_000)))
        return text.ljust(int(schema.get("minLength", 0)), ".")
    if kind in {"number", "integer"}:
        least = schema.get("minimum", schema.get("exclusiveMinimum", float("-inf")))
        bounded = clamp(float(value), least, schema.get("maximum", float("inf")))
        return round(bounded) if kind == "integer" else round(bounded, 4)
    if kind == "boolean":
        return bool(value)
    return None


def properties_of(root: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield every property of the schema with its own schema, at any depth, opened."""
    pending: list[tuple[Schema, int]] = [(root, 0)]
    while pending:
        schema, depth = pending.pop()
        schema = resolve(schema, root)
        if depth > DEPTH_MAX:
            continue
        for name, sub in schema.get("properties", {}).items():
            yield name, resolve(sub, root)
            pending.append((sub, depth + 1))
        if isinstance(element := schema.get("items"), Mapping):
            pending.append((element, depth + 1))
