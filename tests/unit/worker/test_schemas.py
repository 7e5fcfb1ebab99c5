"""The schemas that go with requests: strict, and without a word that is not the prompt's."""

import json
from typing import Any

import pytest

from gather_worker.prompt_files import PROBLEMS, lines, words
from gather_worker.schemas import (
    ITEMS_MAX,
    ITEMS_MIN,
    Answer,
    Batch,
    DraftBatch,
    PairVerdicts,
    QualityVerdict,
    json_schema,
)

SHAPES: list[type[Answer]] = [DraftBatch, QualityVerdict, PairVerdicts]
KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "description"}
TYPES = {"object", "array", "string", "number", "integer", "boolean"}


def nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a schema and all schemas in it."""
    below = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
    return [node, *(each for sub in below for each in nodes(sub))]


@pytest.mark.parametrize("answer", SHAPES)
def test_schemas_are_strict(answer: type[Answer]) -> None:
    """All properties required, no other allowed, no reference and no keyword that providers refuse."""
    for node in nodes(json_schema(answer)):
        assert set(node) <= KEYWORDS
        assert node["type"] in TYPES
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


@pytest.mark.parametrize("answer", SHAPES)
def test_every_word_of_a_schema_stands_in_the_prompts_file(answer: type[Answer]) -> None:
    """Each field is described there, and shown in its example."""
    described = lines(answer.prompt, "form")
    found = nodes(json_schema(answer))
    names = [name for node in found for name in node.get("properties", {})]
    assert list(described) == names
    assert {node["description"] for node in found if "description" in node} == set(described.values())
    example = words(answer.prompt, "form").split("\n")[0]
    assert all(f'"{name}": ' in example for name in names)
    with pytest.raises(ValueError, match="Expecting"):  # a model that copies it gives no answer
        json.loads(example)


def test_the_numbers_in_the_words_are_those_that_are_checked() -> None:
    """Of notes, and of what is asked for once more."""
    for section in ("form", "again", "user"):
        assert f"{ITEMS_MIN} to {ITEMS_MAX} " in words(DraftBatch.prompt, section)


@pytest.mark.parametrize("answer", [shape for shape in SHAPES if issubclass(shape, Batch)])
def test_the_entries_of_every_list_have_a_name_for_people(answer: type[Batch]) -> None:
    """A note, a verdict."""
    assert answer.list_name in lines(PROBLEMS, "entries")
