"""Pydantic models become structural schemas, and what a CRD cannot say is refused with the field's name."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from gather_contracts.crds.schema import SchemaError, cel_text, structural_schema

Short = Annotated[str, Field(max_length=8)]


class Colour(StrEnum):
    """What colours there are."""

    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    """An inner object."""

    model_config = ConfigDict(extra="forbid")
    name: Short


class Tree(BaseModel):
    """A model that refers to itself."""

    children: list["Tree"] = Field(max_length=2)


def schema_of(annotation: Any, default: Any = ..., *, with_defaults: bool = True, **field: Any) -> Any:
    """Return the schema of a model's only field."""
    model = type(
        "Model",
        (BaseModel,),
        {"__annotations__": {"value": annotation}, "value": Field(default, **field), "__module__": __name__},
    )
    whole = structural_schema(model, {"^a+$": "must be letters a"}, with_defaults=with_defaults)
    return whole["properties"]["value"]


@pytest.mark.parametrize(
    ("annotation", "field", "expected"),
    [
        pytest.param(int, {}, {"type": "integer", "format": "int64"}, id="integer"),
        pytest.param(
            int,
            {"ge": 1, "le": 500},
            {"type": "integer", "minimum": 1, "maximum": 500, "format": "int32"},
            id="small integer",
        ),
        pytest.param(float, {}, {"type": "number", "format": "double"}, id="number"),
        pytest.param(bool, {}, {"type": "boolean"}, id="boolean"),
        pytest.param(Short, {}, {"type": "string", "maxLength": 8}, id="text"),
        pytest.param(Short | None, {}, {"type": "string", "maxLength": 8}, id="text or None"),
        pytest.param(Literal["a"], {}, {"type": "string", "enum": ["a"]}, id="constant"),
        pytest.param(Literal["a", "b"], {}, {"type": "string", "enum": ["a", "b"]}, id="choice"),
        pytest.param(
            list[Short],
            {"max_length": 3},
            {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 8}},
            id="list",
        ),
        pytest.param(
            dict[str, Short],
            {"max_length": 3},
            {
                "type": "object",
                "maxProperties": 3,
                "additionalProperties": {"type": "string", "maxLength": 8},
            },
            id="map",
        ),
        pytest.param(
            int | str,
            {"json_schema_extra": {"x-kubernetes-int-or-string": True, "maxLength": 8}},
            {
                "x-kubernetes-int-or-string": True,
                "maxLength": 8,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            },
            id="quantity",
        ),
    ],
)
def test_a_field_is_said_in_kubernetes_words(annotation: Any, field: Any, expected: Any) -> None:
    """One type a node, bounds kept, None as unset."""
    assert schema_of(annotation, **field) == expected


def test_references_are_inlined_and_the_field_s_own_description_stays() -> None:
    """What stands beside a reference goes before what it refers to."""
    assert schema_of(Colour, Colour.RED, description="Of the paint.") == {
        "description": "Of the paint. (default red)",
        "type": "string",
        "enum": ["red", "blue"],
        "default": "red",
    }
    assert schema_of(Inner) == {
        "description": "An inner object.",
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "maxLength": 8}},
    }


def test_an_optional_object_is_the_object() -> None:
    """Unset is how a CRD says None."""
    assert schema_of(Inner | None, None) == schema_of(Inner)


def test_descriptions_tell_range_and_default() -> None:
    """`kubectl explain` prints neither."""
    described = schema_of(int, 50, ge=1, le=500, description="How often.")
    assert described["description"] == "How often. (1 to 500, default 50)"
    assert schema_of(bool, False, description="Whether.")["description"] == "Whether. (default false)"


def test_defaults_can_be_left_out() -> None:
    """A status holds what the operator wrote and nothing else."""
    schema = schema_of(int, 50, description="How often.", with_defaults=False)
    assert schema == {"description": "How often.", "type": "integer", "format": "int64"}


def test_a_pattern_becomes_a_rule_with_a_message_that_tells_the_fix() -> None:
    """Kubernetes' own message would show the pattern."""
    rule = {"rule": "self.matches('^a+$')", "message": "value must be letters a"}
    assert schema_of(str, pattern="^a+$", max_length=4)["x-kubernetes-validations"] == [rule]


def test_the_pattern_of_a_list_s_elements_names_the_list() -> None:
    """An element has no name of its own."""
    element = Annotated[str, Field(pattern="^a+$", max_length=4)]
    (rule,) = schema_of(list[element], max_length=2)["items"]["x-kubernetes-validations"]
    assert rule["message"] == "each of value must be letters a"


@pytest.mark.parametrize(
    ("annotation", "field", "message"),
    [
        pytest.param(int | Short, {}, "value: a CRD has no unions other than T | None", id="union"),
        pytest.param(str, {}, "value: give the text a maximal length", id="unbounded text"),
        pytest.param(list[int], {}, "value: give the list a maximal length", id="unbounded list"),
        pytest.param(dict[str, int], {}, "value: give the map a maximal size", id="unbounded map"),
        pytest.param(tuple[int, int], {}, "value: a CRD cannot say prefixItems", id="tuple"),
        pytest.param(Any, {}, "value must have exactly one type", id="anything"),
        pytest.param(dict[str, Any], {}, "value: name the type of the values", id="map of anything"),
        pytest.param(
            str, {"pattern": "^b$", "max_length": 2}, "value: give the pattern ^b$ a message", id="pattern"
        ),
        pytest.param(
            str,
            {"json_schema_extra": {"format": "hostname"}},
            "value: the API server does not check the format hostname",
            id="format",
        ),
        pytest.param(Tree, {}, "value.children[] refers to itself through Tree", id="recursion"),
        pytest.param(
            list[list[int]], {"max_length": 1}, "value[]: give the list a maximal length", id="inner list"
        ),
    ],
)  # fmt: skip
def test_what_a_crd_cannot_say_is_refused(annotation: Any, field: Any, message: str) -> None:
    """Silence would let the API server accept anything in its place."""
    with pytest.raises(SchemaError) as refused:
        schema_of(annotation, **field)
    assert message in str(refused.value)


def test_texts_in_rules_are_escaped() -> None:
    """A pattern's backslash is the pattern's, not CEL's."""
    assert cel_text(r"\d'") == r"'\\d\''"
