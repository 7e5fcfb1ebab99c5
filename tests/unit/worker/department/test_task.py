"""The task, its ids, and input that can never work."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gather_contracts.items import BASED_ON_MAX
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
    places = [
        DepartmentTask(document, index, 5, "p").item(DRAFT, iteration, slot, NOW).id
        for index in (0, 1) for iteration in (1, 2) for slot in range(10)
    ]  # fmt: skip
    assert len(set(places)) == 40
    assert one.id == places[0]


def test_an_item_carries_where_it_comes_from(document: RunDocument) -> None:
    """The metadata that the application reads."""
    based_on = [f"{n}" for n in range(BASED_ON_MAX + 5)]
    item = DepartmentTask(document, 1, 5, "pod-1").item(DRAFT, 3, 2, NOW, based_on=based_on)
    made = item.automation_metadata
    assert (item.created_by, item.is_automated) == ("u", True)
    assert (made.department, made.department_name, made.task_id) == ("sound", "Sound", "pod-1")
    assert (made.run, made.iteration, made.quality_score) == ("run", 3, None)
    assert made.based_on_nodes == based_on[:BASED_ON_MAX]


def test_notes_of_an_iteration_keep_their_order_by_time(document: RunDocument) -> None:
    """To the millisecond, which is all that MongoDB keeps."""
    task = DepartmentTask(document, 1, 5, "pod-1")
    now = NOW.replace(microsecond=123_999)
    times = [task.item(DRAFT, 1, slot, now).created_at for slot in range(10)]
    assert times == sorted(set(times))
    assert all(time.microsecond % 1000 == 0 for time in times)


def test_earlier_departments_are_those_before_it(document: RunDocument) -> None:
    """In the run's order."""
    assert DepartmentTask(document, 0, 5, "p").previous == []
    assert DepartmentTask(document, 1, 5, "p").previous == ["story"]


def test_the_last_attempt_is_known_by_its_epoch(document: RunDocument) -> None:
    """With three retries there are four pods."""
    task = DepartmentTask(document, 0, 5, "p")
    assert [task.is_last_attempt(epoch) for epoch in (1, 3, 4, 5)] == [False, False, True, True]


def test_of_departments_at_once_each_may_be_the_last(document: RunDocument) -> None:
    """One alone in its run has nobody beside it."""
    at_once = document.model_copy(update={"spec": document.spec.model_copy(update={"parallelism": 2})})
    alone = at_once.model_copy(update={"departments": at_once.departments[:1]})
    count = len(document.departments)
    tasks = [DepartmentTask(document, index, 5, "p") for index in range(count)]
    assert [task.is_last_department for task in tasks] == [False] * (count - 1) + [True]
    assert not any(task.is_beside_others for task in tasks)
    tasks = [DepartmentTask(at_once, index, 5, "p") for index in range(count)]
    assert all(task.is_last_department for task in tasks)
    assert all(task.is_beside_others for task in tasks)
    assert not DepartmentTask(alone, 0, 5, "p").is_beside_others


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
