"""JSON Lines: a line for each thing, however lines are told apart, and every document as it was."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId, json_util
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.application.exported_film import RUN_UID
from tests.support.application.rendered_exports import PROJECT, rendered, rendered_film, rendered_note
from tests.support.application.reported_shapes import REPORTED
from tests.support.application_documents import FORMS, person_note

FORMS_OF_NOTES = {**FORMS, **REPORTED}
AWARE = json_util.JSONOptions(tz_aware=True)


def lines(exported: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported.decode().splitlines()]


def test_it_begins_with_what_it_is_and_ends_with_how_many() -> None:
    found = lines(rendered_film("jsonl", of_run=False))
    assert [each["type"] for each in found[:4]] == ["export"] + ["department"] * 3
    assert found[-1] == {
        "type": "end", "notes": 16, "left_out": {"no text": 1, "not canon": 1},
    }  # fmt: skip
    assert [each["why"] for each in found if each["type"] == "unread"] == ["no text", "not canon"]


def test_departments_bring_scores_and_gaps() -> None:
    _, story, *_ = lines(rendered_film("jsonl", of_run=True))
    assert (story["slug"], story["score"], story["threshold"], story["documents"]) == ("story", 84.2, 80, 3)
    assert story["gaps"][0]["aspect"] == "the ending"
    assert story["parts"]["depth"] == 86.5


def test_a_note_brings_its_provenance() -> None:
    note = next(each for each in lines(rendered_film("jsonl", of_run=True)) if each["type"] == "note")
    assert note["by"] == "gather"
    assert note["provenance"] | {"run_uid": ""} == {
        "run": "the-salt-road", "run_uid": "", "task_id": "gather-story-1", "iteration": 1,
        "model": "anthropic/claude-sonnet-4.5", "prompt": "generate.v3", "quality_score": 71.5,
        "based_on": [],
    }  # fmt: skip
    assert note["provenance"]["run_uid"] == RUN_UID


@pytest.mark.parametrize("form", FORMS_OF_NOTES)
def test_every_form_of_a_document_comes_back_whole(form: str) -> None:
    """By MongoDB's own reader of its JSON."""
    document = person_note(PROJECT, **FORMS_OF_NOTES[form][0])
    document.setdefault("createdAt", datetime(2026, 1, 5, tzinfo=UTC))
    if not isinstance(document["createdAt"], datetime):
        document["createdAt"] = datetime(2026, 1, 5, tzinfo=UTC)
    (note,) = [each for each in lines(rendered("jsonl", [document])) if "document" in each]
    assert json_util.loads(json.dumps(note["document"]), json_options=AWARE) == document


@given(
    st.text(),
    st.dictionaries(
        st.text(st.characters(blacklist_characters="\0$.", blacklist_categories=["Cs"]), min_size=1),
        st.one_of(st.text(), st.floats(), st.booleans()),
    ),
)
@settings(max_examples=100, deadline=None)
def test_no_text_ends_a_line(content: str, others: dict[str, Any]) -> None:
    """Nor do the signs at which some readers end one."""
    exported = rendered_note("jsonl", content=content, others=others, _id=ObjectId())
    assert len(lines(exported)) == exported.count(b"\n") == 3
