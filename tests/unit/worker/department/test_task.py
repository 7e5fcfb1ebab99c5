"""The task, its ids, and input that can never work."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gather_contracts.run_document import RUN_DOCUMENT_MAX_BYTES, RunDocument, encode_run_document
from gather_worker.cli.arguments import parse_arguments
from gather_worker.department.task import DepartmentTask, read_task
from gather_worker.errors import InvalidInput
from gather_worker.schemas import Draft

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DRAFT = Draft(content="The keeper counts every lamp.", summary="Lamps.", context="Why")


def test_ids_follow_from_the_place_alone(document: RunDocument) -> None:
    """Neither the text nor the pod nor the hour changes them; every part of the place does."""
    task = DepartmentTask(document, 0, 5, "pod-1")
    again = DepartmentTask(document, 0, 9, "pod-2")
    one = task.item(DRAFT, 1, 0, NOW)
    assert (
        one.id == again.item(DRAFT.model_copy(update={"content": "Other words, same place."}), 1, 0, NOW).id
    )
    ids = task.item_ids(1, 10) + task.item_ids(2, 10) + DepartmentTask(document, 1, 5, "p").item_ids(1, 10)
    assert len(set(ids)) == 30
    assert one.id == ids[0]


def test_an_item_carries_where_it_comes_from(document: RunDocument) -> None:
    """The metadata that the application reads."""
    item = DepartmentTask(document, 1, 5, "pod-1").item(DRAFT, 3, 2, NOW)
    assert item.automation is not None
    assert (item.department, item.department_name, item.user_id, item.is_automated) == (
        "sound",
        "Sound",
        "u",
        True,
    )
    assert (item.automation.run, item.automation.iteration, item.automation.task_id) == ("run", 3, "pod-1")
    assert (item.automation.quality_score, item.automation.created_at) == (None, NOW)


def test_earlier_departments_are_those_before_it(document: RunDocument) -> None:
    """In the run's order."""
    assert DepartmentTask(document, 0, 5, "p").previous == []
    assert DepartmentTask(document, 1, 5, "p").previous == ["story"]


def test_the_last_attempt_is_known_by_its_epoch(document: RunDocument) -> None:
    """With three retries there are four pods."""
    task = DepartmentTask(document, 0, 5, "p")
    assert [task.is_last_attempt(epoch) for epoch in (1, 3, 4, 5)] == [False, False, True, True]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "null", "{", "[1]", '{"run": {"name": "x"}}', "\x00", "x" * (RUN_DOCUMENT_MAX_BYTES + 10)],
    ids=["empty", "empty object", "null", "half", "list", "part", "binary", "too large"],
)
def test_a_malformed_run_file_can_never_work(tmp_path: Path, text: str) -> None:
    """Exit 64: a retry would read the same file."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InvalidInput):
        read_task(tmp_path / "run.json", 0, 5, "p")


def test_a_missing_run_file_or_department_can_never_work(tmp_path: Path, document: RunDocument) -> None:
    """Likewise."""
    with pytest.raises(InvalidInput):
        read_task(tmp_path / "none.json", 0, 5, "p")
    (tmp_path / "run.json").write_text(encode_run_document(document))
    with pytest.raises(InvalidInput, match="none with index 2"):
        read_task(tmp_path / "run.json", 2, 5, "p")
    assert read_task(tmp_path / "run.json", 1, 5, "p").department.slug == "sound"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "walk",
        "run",
        "run --run-file x --department-index 0",
        "run --run-file x --department-index -1 --iterations 5",
        "run --run-file x --department-index 32 --iterations 5",
        "run --run-file x --department-index 0 --iterations 0",
        "run --run-file x --department-index 0 --iterations 501",
        "run --run-file x --department-index $(N) --iterations 5",
        "run --run-file x --department-index 0 --iterations 5 --more 1",
    ],
)
def test_wrong_arguments_can_never_work(line: str) -> None:
    """They are the operator's numbers, so that a wrong one is a fault and no typing error."""
    with pytest.raises(InvalidInput, match="arguments"):
        parse_arguments(line.split())
