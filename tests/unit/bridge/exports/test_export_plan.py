"""The order and the reports of departments, whichever of snapshot, checkpoints and notes there are."""

import pytest

from gather_bridge.exports.department_reports import departments_of
from gather_bridge.exports.export_process import plan_of
from gather_bridge.exports.stored_notes import CHUNK_BYTES, CHUNK_NOTES, Key, Scope, chunks
from tests.support.application.exported_film import checkpoint_documents, snapshot


def key(place: int, department: str = "", size: int = 100) -> Key:
    return Key(place, f"{place:04}", place, size, department, department.title())


def test_departments_are_those_of_the_snapshot_in_its_order() -> None:
    found = departments_of(snapshot(), checkpoint_documents(), {}, {})
    assert [(each.slug, each.score) for each in found] == [
        ("story", 84.2),
        ("character", 77.3),
        ("sound", None),
    ]


def test_without_a_snapshot_the_order_is_that_of_their_numbers() -> None:
    """Departments that only notes name come last."""
    found = departments_of(None, checkpoint_documents(), {"zoo": "Animals", "art": ""}, {"zoo": 2})
    assert [each.slug for each in found] == ["story", "character", "sound", "art", "zoo"]
    assert (found[-1].title, found[-1].documents, found[-2].title) == ("Animals", 2, "art")


def test_of_several_checkpoints_the_first_counts() -> None:
    old = {"department": "story", "departmentNumber": 9, "scores": [10.0]}
    (story,) = departments_of(None, [*checkpoint_documents()[-1:], old], {}, {})
    assert story.score == 84.2


def test_a_department_that_a_note_makes_up_is_one_line_without_signs_for_terminals() -> None:
    (made_up,) = departments_of(None, [], {"a\n# b\x1b[2J": ""}, {})
    assert made_up.title == "a # b[2J"


@pytest.mark.parametrize(
    "checkpoint",
    [
        pytest.param({"scores": "x", "quality": 3, "findings": [], "gaps": {}}, id="odd"),
        pytest.param({"findings": {"gaps": [3, {"aspect": 4}], "contradictions": [None]}}, id="odd within"),
        pytest.param({}, id="empty"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_any_form_is_read(checkpoint: dict[str, object]) -> None:
    (story,) = departments_of(None, [{"department": "story", **checkpoint}], {}, {})
    assert (story.score, story.gaps) == (None, ())


def test_the_whole_film_s_notes_have_a_place_and_notes_their_order() -> None:
    plan = plan_of(Scope("p"), "", None, [key(3, "b"), key(1), key(2, "b"), key(4, "a")], [])
    assert {slug: [each.at_ms for each in keys] for slug, keys in plan.keys.items()} == {
        "": [1], "b": [2, 3], "a": [4],
    }  # fmt: skip
    assert [each.slug for each in plan.departments] == ["a", "b"]


def test_documents_are_read_in_pieces_that_can_be_held() -> None:
    keys = [key(place, size=CHUNK_BYTES // 4) for place in range(9)]
    assert [len(each) for each in chunks(keys)] == [4, 4, 1]
    assert [len(each) for each in chunks([key(place) for place in range(CHUNK_NOTES + 1)])] == [
        CHUNK_NOTES,
        1,
    ]
    assert [len(each) for each in chunks([key(0, size=9 * CHUNK_BYTES), key(1)])] == [1, 1]
    assert chunks([]) == []
