"""Results, events and run documents survive the wire and refuse what is too large or malformed."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gather_contracts import events, meters, result, run_document
from gather_contracts.departments import (
    CmsDepartment,
    CoordinationSettings,
    ResolvedDepartment,
    resolve_department,
)
from gather_contracts.resource import GatherRunSpec, dump_status, parse_run

PROJECT = "66f1a2b3c4d5e6f708192a3b"


@given(st.text(max_size=256), st.integers(0, 10**9), st.floats(0, 100), st.sampled_from(result.StopReason))
def test_a_termination_message_fits_and_comes_back(
    message: str, count: int, score: float, reason: result.StopReason
) -> None:
    """Under 1 KiB whatever the message holds; the numbers are never what is cut."""
    sent = result.DepartmentResult(
        iterations=count, items_created=count, quality_score=score, reason=reason, message=message
    )
    text = result.encode_result(sent)
    assert len(text.encode()) <= result.TERMINATION_MESSAGE_MAX_BYTES
    got = result.decode_result(text)
    assert got is not None
    assert got.model_copy(update={"message": ""}) == sent.model_copy(update={"message": ""})


def long_run(count: int) -> meters.Meters:
    """Measurements with `count` in every bucket that times of a run are in."""
    tally = [600 * 10**6, *[count] * 8]
    return meters.Meters(
        times=dict.fromkeys(meters.Timer, tally), items=[count] * 11, written=count,
        scores=[99.9] * 7, threshold_ms=10**7, evaluations_sent=1, evaluations_failed=1,
        judge_parts=[count, count],
    )  # fmt: skip


@given(st.text(max_size=256), st.integers(0, meters.COUNT_MAX))
def test_measurements_come_back_or_give_way_to_the_numbers(message: str, count: int) -> None:
    """Too long a message is cut first, measurements are left out whole, the numbers stay."""
    sent = result.DepartmentResult(
        iterations=500, items_created=5000, quality_score=1, cost_usd=0.000001, tokens=10**9,
        reason=result.StopReason.ITERATIONS_USED, message=message, meters=long_run(count),
    )  # fmt: skip
    text = result.encode_result(sent)
    assert len(text.encode()) <= result.TERMINATION_MESSAGE_MAX_BYTES
    got = result.decode_result(text)
    assert got is not None
    assert got.meters in (sent.meters, None)
    assert (got.iterations, got.tokens, got.cost_usd) == (500, 10**9, 0.000001)


def test_measurements_of_a_long_run_fit_beside_a_long_message() -> None:
    """A thousand times in each of eight buckets of every timer: more than 500 iterations can have."""
    sent = result.DepartmentResult(
        iterations=500, items_created=5000, quality_score=80.1, cost_usd=12.345678, tokens=12_345_678,
        reason=result.StopReason.THRESHOLD_REACHED, message="m" * 256, meters=long_run(999),
    )  # fmt: skip
    got = result.decode_result(result.encode_result(sent))
    assert got == sent


@pytest.mark.parametrize(
    "wrong", [7, "x", {"times": {"xx": [1]}}, {"written": -1}, {"times": {"st": [0] * 99}}]
)
def test_measurements_that_cannot_be_read_cost_nothing_else(wrong: object) -> None:
    """A worker of another version may count in other buckets."""
    body = {"iterations": 3, "itemsCreated": 9, "qualityScore": 50, "reason": "QualityFlat", "meters": wrong}
    got = result.decode_result(json.dumps(body))
    assert got is not None
    assert (got.iterations, got.meters) == (3, None)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"iterations": -1}', "OOMKilled"])
def test_an_unreadable_termination_message_is_no_result(text: str) -> None:
    """The operator must tell a readable result from anything else a pod may leave."""
    assert result.decode_result(text) is None


FAULT = {
    "error": "DeadlineNear", "message": "m", "failed_at_department": "story",
    "completed_departments": ["world"], "items_created_so_far": 12,
}  # fmt: skip


@pytest.mark.parametrize(
    "sent",
    [
        events.AutomationStarted(
            project_id=PROJECT, run="film", task_id="film", departments_count=7, max_iterations=50
        ),
        events.AutomationTimeout.model_validate({"project_id": PROJECT, "run": "film", **FAULT}),
        events.AutomationError.model_validate({"project_id": PROJECT, "run": "film", **FAULT}),
    ],
    ids=lambda event: str(event.type),
)
def test_the_application_s_events_come_back_and_end_no_run(sent: events.Event) -> None:
    """Whoever waits for a run's end would leave before its last event."""
    assert events.decode_event(events.encode_event(sent)) == sent
    assert sent.type not in events.FINAL_TYPES


def test_an_event_comes_back_as_its_own_type() -> None:
    """The type field selects the model."""
    sent = events.DepartmentComplete(
        project_id=PROJECT,
        run="film",
        at=events.timestamp(datetime(2026, 1, 2, tzinfo=UTC)),
        department="story",
        department_name="Story",
        quality_score=81.5,
        iterations_used=4,
    )
    assert events.decode_event(events.encode_event(sent)) == sent


def test_encoding_leaves_offset_and_epoch_to_the_log() -> None:
    """Only the script that appends knows them; a stale value must not travel."""
    sent = events.Deduplicating(project_id=PROJECT, run="film", department="story", offset=7, epoch="old")
    assert "offset" not in events.encode_event(sent)
    assert "epoch" not in events.encode_event(sent)


@pytest.mark.parametrize("text", ["{}", '{"type":"nonsense"}', "x" * (events.EVENT_MAX_BYTES + 1)])
def test_malformed_events_are_refused(text: str) -> None:
    """A reader gets an error that it can count, not a half-built event."""
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's and ours are both ValueError
        events.decode_event(text)


def test_timestamps_are_utc_with_milliseconds() -> None:
    """RFC 3339, sortable as text."""
    assert events.timestamp(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"


def test_a_department_s_own_threshold_goes_before_the_run_s() -> None:
    """Even when it is zero: zero is a setting, not its absence."""
    department = CmsDepartment(
        id="1", slug="story", name="Story", code_dep_number=1,
        coordination_settings=CoordinationSettings(quality_threshold=0),
    )  # fmt: skip
    assert resolve_department(department, 80).threshold == 0


def test_a_department_without_settings_takes_the_run_s_threshold_and_the_fallback_model() -> None:
    """What the CMS leaves out is decided once, at the run's start."""
    department = CmsDepartment(id="1", slug="story", name="Story", code_dep_number=1)
    assert resolve_department(department, 80, "some/model") == ResolvedDepartment(
        slug="story", name="Story", code_dep_number=1, threshold=80, model="some/model"
    )


@pytest.mark.parametrize("slug", ["", "Story", "a b", "-story", "story-", "s" * 64, "$(MONGODB_URI)", "a/b"])
def test_slugs_that_are_no_dns_labels_are_refused(slug: str) -> None:
    """A slug stands in Job names and labels."""
    with pytest.raises(ValidationError):
        CmsDepartment(id="1", slug=slug, name="Story", code_dep_number=1)


def test_a_run_document_comes_back_equal() -> None:
    """The worker sees exactly what the operator resolved."""
    sent = run_document.RunDocument(
        run=run_document.RunIdentity(name="film", namespace="gather", uid="u"),
        spec=GatherRunSpec(project_id=PROJECT, user_id="someone"),
        departments=[
            ResolvedDepartment(slug="story", name="Story", code_dep_number=1, threshold=80, model="m")
        ],
    )
    assert run_document.decode_run_document(run_document.encode_run_document(sent)) == sent


def test_the_largest_run_document_fits() -> None:
    """32 departments with the longest descriptions the CMS may hold."""
    departments = [
        ResolvedDepartment(
            slug=f"d{i}", name="n" * 128, description="d" * 8192, code_dep_number=i, threshold=80, model="m"
        )
        for i in range(32)
    ]
    text = run_document.encode_run_document(
        run_document.RunDocument(
            run=run_document.RunIdentity(name="film", namespace="gather", uid="u"),
            spec=GatherRunSpec(project_id=PROJECT, user_id="someone"),
            departments=departments,
        )
    )
    assert len(run_document.decode_run_document(text).departments) == 32


def test_a_run_without_status_is_pending() -> None:
    """A resource that the operator has not seen yet has no status at all."""
    run = parse_run(
        {
            "metadata": {"name": "film", "namespace": "gather", "uid": "u"},
            "spec": {"projectId": PROJECT, "userId": "someone"},
        }
    )
    assert run.status.phase == "Pending"
    assert not run.is_being_deleted
    assert dump_status(run.status)["phase"] == "Pending"
