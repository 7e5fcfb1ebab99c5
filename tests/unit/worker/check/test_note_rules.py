"""A collection's rules, told apart so that each can be asked of MongoDB by itself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gather_contracts.run_document import RunDocument
from gather_worker.check.note_rules import RULES_MAX, blocking_indexes, named, rules_of, sample_note
from gather_worker.department.task import DepartmentTask
from gather_worker.schemas import Draft
from gather_worker.services.store import document_of


def test_a_schema_is_told_apart_by_field_and_rule() -> None:
    """Required fields, properties of two levels, and whether others are let in."""
    schema = {
        "bsonType": "object",
        "required": ["content"],
        "additionalProperties": False,
        "properties": {
            "content": {"bsonType": "string", "description": "must be text"},
            "automationMetadata": {
                "bsonType": "object",
                "required": ["taskId"],
                "properties": {"iteration": {"bsonType": "int"}},
            },
        },
    }
    found = [(field, rule) for field, rule, _ in rules_of({"$jsonSchema": schema})]
    assert found == [
        ("content", "required"),
        ("content", "bsonType: string"),
        ("automationMetadata.taskId", "required"),
        ("automationMetadata.iteration", "bsonType: int"),
        ("automationMetadata", "bsonType: object"),
        ("the document", "additionalProperties: false, no fields but those listed"),
        ("the document", "bsonType: object"),
    ]


def test_a_rule_of_a_nested_field_is_asked_at_its_place() -> None:
    """The query is a whole one."""
    schema = {"properties": {"automationMetadata": {"properties": {"iteration": {"bsonType": "int"}}}}}
    (rule,) = rules_of({"$jsonSchema": schema})
    assert rule[2] == {"$jsonSchema": schema}


def test_a_plain_query_is_one_rule() -> None:
    """Validators were queries before there were schemas."""
    assert list(rules_of({"content": {"$type": "string"}})) == [
        ("content", "$type: string", {"content": {"$type": "string"}})
    ]


def test_a_validator_without_end_is_bounded() -> None:
    """Each rule is a query."""
    schema = {"required": [f"field{n}" for n in range(1_000)]}
    assert len(list(rules_of({"$jsonSchema": schema}))) == RULES_MAX


@pytest.mark.parametrize(
    ("index", "is_blocking"),
    [
        ({"name": "_id_", "key": {"_id": 1}, "unique": True}, False),
        ({"name": "i", "key": {"projectId": 1}}, False),
        ({"name": "i", "key": {"projectId": 1}, "unique": True}, True),
        ({"name": "i", "key": {"projectId": 1, "content": 1}, "unique": True}, False),
        ({"name": "i", "key": {"slug": 1}, "unique": True}, True),
        ({"name": "i", "key": {"slug": 1}, "unique": True, "sparse": True}, False),
        ({"name": "i", "key": {"projectId": 1}, "unique": True, "sparse": True}, True),
        ({"name": "i", "key": {"slug": 1}, "unique": True, "partialFilterExpression": {}}, False),
    ],
)
def test_a_unique_index_that_all_our_notes_share_is_found(index: dict[str, Any], is_blocking: bool) -> None:
    """Fields that no note of ours has are null in all; a sparse index leaves those out."""
    assert bool(blocking_indexes([index])) is is_blocking


def test_many_broken_rules_are_counted() -> None:
    """The first few are named."""
    assert named([("a", "required")]) == "a (required)"
    assert named([(str(n), "required") for n in range(8)]).endswith("4 (required); 3 more")


def test_the_sample_leaves_out_what_a_note_does_not_have() -> None:
    """Never null, and no score before it is measured."""
    note = sample_note("0" * 24)
    assert None not in note.values()
    assert "qualityScore" not in note["automationMetadata"]


def test_the_sample_has_the_form_of_a_note_that_a_worker_writes(document: RunDocument) -> None:
    """Field by field, of the same types; a rule that passes the one passes the other."""
    draft = Draft(content="The keeper counts every lamp.", summary="Counting.", context="It ties.")
    task = DepartmentTask(document, 0, 5, "pod-1")
    item = task.item(draft, 1, 0, datetime.now(UTC), prompt="generate.v3", based_on=["a" * 24])
    written, sample = document_of(item), sample_note("0" * 24)
    assert {name: type(value) for name, value in sample.items()} == {
        name: type(value) for name, value in written.items()
    }
    assert sample["automationMetadata"].keys() == written["automationMetadata"].keys()
