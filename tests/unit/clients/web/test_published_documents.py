"""Both published documents say nothing over which generators of clients stumble.

It is not the letter of OpenAPI but what they make of it: fields that are asked for although they have a
default, numbers that lose half of their digits, bodies without a name, two parameters under one.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from gather_brain.app import published_document
from gather_bridge.http_door.door_document import build_document

DOCUMENTS = {"brain": published_document, "door": build_document}


@pytest.fixture(params=list(DOCUMENTS))
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each document."""
    return DOCUMENTS[request.param]()


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what can be called."""
    for methods in document["paths"].values():
        yield from methods.values()


def test_every_field_of_a_body_is_typed_as_generators_read_it(document: dict[str, Any]) -> None:
    """A default is said in words, a number has 64 bits, and a body in a body has a name of its own."""
    for name, schema in document["components"]["schemas"].items():
        assert not (schema.get("additionalProperties") is True and "properties" in schema), name
        for field, said in schema.get("properties", {}).items():
            place = f"{name}.{field}"
            assert "default" not in said, place
            assert "properties" not in said, place
            assert said.get("additionalProperties") is not True, place
            assert said.get("type") != "number" or said["format"] == "double", place


def test_bodies_of_requests_and_answers_have_names(document: dict[str, Any]) -> None:
    """Those that a callback brings included."""
    described = [content["schema"] for content in _values_of(document["paths"], "application/json")]
    assert described
    assert all(set(schema) == {"$ref"} for schema in described)


def test_errors_have_one_body(document: dict[str, Any]) -> None:
    """Some generators know one type of error for an operation."""
    schemas = [each["schema"] for each in _values_of(document["components"]["responses"], "application/json")]
    assert schemas
    assert all(schema == {"$ref": "#/components/schemas/ErrorBody"} for schema in schemas)


def test_no_two_parameters_are_one_word(document: dict[str, Any]) -> None:
    """Once brackets and case are gone, as in names of variables."""
    for operation in operations(document):
        words = [re.sub(r"\W", "", each["name"]).lower() for each in operation.get("parameters", ())]
        assert len(words) == len(set(words)), operation["operationId"]


def test_no_body_has_the_name_of_a_response(document: dict[str, Any]) -> None:
    """Generators make a type of each, in one place."""
    components = document["components"]
    assert not components["schemas"].keys() & components["responses"].keys()


def test_no_link_carries_a_body(document: dict[str, Any]) -> None:
    """Generators refuse the whole document over one that is no text."""
    links = [link for links in _values_of(document["paths"], "links") for link in links.values()]
    assert not [link for link in links if "requestBody" in link]


def _values_of(tree: Any, key: str) -> Iterator[Any]:
    """Yield what stands under the key, wherever in the tree."""
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    if isinstance(tree, dict) and key in tree:
        yield tree[key]
    for child in children:
        yield from _values_of(child, key)


def test_every_pattern_is_one_that_validators_of_many_languages_read(document: dict[str, Any]) -> None:
    """Rust knows no halves of characters, and a validator that cannot read a pattern drops it."""
    for pattern in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(document)):
        checked = jsonschema_rs.validator_for({"type": "string", "pattern": json.loads(pattern)})
        assert not checked.is_valid("\r")
