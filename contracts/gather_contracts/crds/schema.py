"""Pydantic models as structural OpenAPI v3.0 schemas, the only form that a CRD may hold.

Pydantic writes JSON Schema 2020-12: `$defs`, `anyOf` with null, `const`. Kubernetes wants every node to have
one type and nothing to be referred to. What cannot be said that way is refused here and not dropped, and so
is text without a bound: the API server must be able to estimate what a validation rule costs.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

INT32_MAX: Final = 2**31 - 1
FORMATS: Final = frozenset({"date-time"})
"""Formats of text that the API server checks and that pydantic or our models write."""
PASSED_ON: Final = (
    "type", "enum", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "required",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
)  # fmt: skip
CONVERTED: Final = frozenset(
    {"title", "description", "default", "const", "pattern", "properties", "items", "additionalProperties"}
)


class SchemaError(ValueError):
    """The model says something that a CRD cannot; the message names the field. Change the model."""


def structural_schema(
    model: type[BaseModel], pattern_messages: Mapping[str, str], *, with_defaults: bool
) -> Schema:
    """Return the model's schema with all references inlined.

    Args:
        model: aliases become the field names.
        pattern_messages: for each pattern, the sentence that follows the field's name when a text does not
            match. Kubernetes' own message shows the pattern and leaves the reader to guess.
        with_defaults: whether the API server fills in the defaults.

    Raises:
        SchemaError: see there.
    """
    document = model.model_json_schema(by_alias=True)
    converter = _Converter(document.get("$defs", {}), pattern_messages, with_defaults)
    return converter.convert(document, ())


class _Converter:
    def __init__(
        self, definitions: Mapping[str, Schema], pattern_messages: Mapping[str, str], with_defaults: bool
    ) -> None:
        self._definitions = definitions
        self._pattern_messages = pattern_messages
        self._with_defaults = with_defaults

    def convert(self, node: Schema, path: tuple[str, ...], seen: tuple[str, ...] = ()) -> Schema:
        """Return the structural schema of one node; `seen` holds the definitions around it."""
        if node.get("x-kubernetes-int-or-string"):
            return _int_or_string(node)
        node, seen = self._resolved(node, path, seen)
        self._refuse_unknown(node, path)
        schema: Schema = {"description": self._described(node)} if "description" in node else {}
        schema |= {key: node[key] for key in PASSED_ON if key in node}
        if "const" in node:
            schema["enum"] = [node["const"]]
        if self._with_defaults and node.get("default") is not None:
            schema["default"] = node["default"]
        schema |= _number_format(schema)
        schema |= self._pattern_rule(node, path)
        schema |= self._children(node, path, seen)
        _refuse_unbounded(schema, path)
        return schema

    def _resolved(
        self, node: Schema, path: tuple[str, ...], seen: tuple[str, ...]
    ) -> tuple[Schema, tuple[str, ...]]:
        """Inline references and `T | None`; what stands beside a reference goes before what it refers to."""
        while True:
            rest = {k: v for k, v in node.items() if k not in {"$ref", "anyOf", "$defs"}}
            if "$ref" in node:
                name = node["$ref"].removeprefix("#/$defs/")
                if name in seen:
                    raise SchemaError(f"{_dotted(path)} refers to itself through {name}")
                node, seen = {**self._definitions[name], **rest}, (*seen, name)
            elif "anyOf" in node:
                node = {**_only_type(node["anyOf"], path), **rest}
            else:
                return rest, seen

    def _refuse_unknown(self, node: Schema, path: tuple[str, ...]) -> None:
        unknown = sorted(set(node) - set(PASSED_ON) - CONVERTED)
        if unknown:
            raise SchemaError(f"{_dotted(path)}: a CRD cannot say {', '.join(unknown)}")
        if not isinstance(node.get("type"), str):
            raise SchemaError(f"{_dotted(path)} must have exactly one type")
        if node["type"] == "string" and node.get("format", "date-time") not in FORMATS:
            raise SchemaError(f"{_dotted(path)}: the API server does not check the format {node['format']}")

    def _described(self, node: Schema) -> str:
        """Return the description with the range and the default, which `kubectl explain` does not print."""
        facts = []
        if "minimum" in node and "maximum" in node:
            facts.append(f"{node['minimum']:g} to {node['maximum']:g}")
        if self._with_defaults and node.get("default") not in (None, "", []):
            default = node["default"]
            facts.append(f"default {str(default).lower() if isinstance(default, bool) else default}")
        text = " ".join(str(node["description"]).split())
        return f"{text} ({', '.join(facts)})" if facts else text

    def _pattern_rule(self, node: Schema, path: tuple[str, ...]) -> Schema:
        pattern = node.get("pattern")
        if pattern is None:
            return {}
        if pattern not in self._pattern_messages:
            raise SchemaError(f"{_dotted(path)}: give the pattern {pattern} a message that names the fix")
        field = f"each of {path[-2]}" if path and path[-1] in {"[]", "{}"} else path[-1]
        message = f"{field} {self._pattern_messages[pattern]}"
        return {
            "x-kubernetes-validations": [{"rule": f"self.matches({cel_text(pattern)})", "message": message}]
        }

    def _children(self, node: Schema, path: tuple[str, ...], seen: tuple[str, ...]) -> Schema:
        children: Schema = {}
        if "properties" in node:
            children["properties"] = {
                name: self.convert(child, (*path, name), seen) for name, child in node["properties"].items()
            }
        if "items" in node:
            children["items"] = self.convert(node["items"], (*path, "[]"), seen)
        extra = node.get("additionalProperties", False)  # False is what pruning does, and forbidden to say
        if extra is True:
            raise SchemaError(f"{_dotted(path)}: name the type of the values")
        if extra is not False:
            children["additionalProperties"] = self.convert(extra, (*path, "{}"), seen)
        return children


def cel_text(text: str) -> str:
    """Return `text` as a CEL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _int_or_string(node: Schema) -> Schema:
    """Return the one union that a structural schema has, in the one form that it may have."""
    kept: Schema = {
        key: node[key] for key in ("description", "maxLength", "x-kubernetes-int-or-string") if key in node
    }
    return {**kept, "anyOf": [{"type": "integer"}, {"type": "string"}]}


def _only_type(choices: list[Schema], path: tuple[str, ...]) -> Schema:
    """Return T of `T | None`: unset is how a CRD says None, and the API server prunes a null."""
    types = [choice for choice in choices if choice.get("type") != "null"]
    if len(types) != 1:
        raise SchemaError(f"{_dotted(path)}: a CRD has no unions other than T | None")
    return types[0]


def _number_format(schema: Schema) -> Schema:
    if schema.get("type") == "number":
        return {"format": "double"}
    if schema.get("type") == "integer":
        return {"format": "int32" if schema.get("maximum", INT32_MAX + 1) <= INT32_MAX else "int64"}
    return {}


def _refuse_unbounded(schema: Schema, path: tuple[str, ...]) -> None:
    is_bounded_text = any(key in schema for key in ("maxLength", "enum", "format"))
    if schema["type"] == "string" and not is_bounded_text:
        raise SchemaError(f"{_dotted(path)}: give the text a maximal length")
    if schema["type"] == "array" and "maxItems" not in schema:
        raise SchemaError(f"{_dotted(path)}: give the list a maximal length")
    if "additionalProperties" in schema and "maxProperties" not in schema:
        raise SchemaError(f"{_dotted(path)}: give the map a maximal size")


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[]", "[]").replace(".{}", "{}") or "the model"
