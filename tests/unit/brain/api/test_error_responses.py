"""Errors become the standard body, with 400 where the framework says 422."""

from typing import Any

import pytest
from pydantic import ValidationError

from gather_brain.api.error_responses import validation_error
from gather_brain.errors import BatchValidationFailedError, ValidationFailedError
from gather_contracts.brain import BatchRequest, CoverageRequest, DuplicatesRequest

PROJECT = "507f1f77bcf86cd799439011"
NODE = {"type": "GatherItem", "content": "text", "projectId": PROJECT}


def _errors(model: Any, body: Any) -> list[Any]:
    with pytest.raises(ValidationError) as failed:
        model.model_validate(body)
    return [{**error, "loc": ("body", *error["loc"])} for error in failed.value.errors()]


def test_invalid_nodes_are_listed_with_index_and_reason() -> None:
    """As the requirements show it."""
    body = {"nodes": [{"type": "GatherItem", "projectId": PROJECT}, NODE, {**NODE, "projectId": "no"}]}
    failure = validation_error(_errors(BatchRequest, body))
    assert isinstance(failure, BatchValidationFailedError)
    assert failure.details is not None
    listed = failure.details["invalid_nodes"]
    assert listed[0] == {"index": 0, "reason": "Missing required field: content"}
    assert listed[1]["index"] == 2
    assert listed[1]["reason"].startswith("projectId: ")


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_of_too_few_or_too_many_nodes_is_invalid(count: int) -> None:
    """In the code that the requirements name, with what is wrong of their number."""
    failure = validation_error(_errors(BatchRequest, {"nodes": [NODE] * count}))
    assert isinstance(failure, BatchValidationFailedError)
    assert failure.details is not None
    assert failure.details["invalid_nodes"] == []
    assert "item" in failure.details["nodes"]


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (BatchRequest, {}, "nodes"),
        (DuplicatesRequest, {"projectId": PROJECT}, "content"),
        (DuplicatesRequest, {"projectId": PROJECT, "content": "x", "limit": 51}, "limit"),
        (DuplicatesRequest, {"projectId": PROJECT, "content": "x", "threshold": 1.1}, "threshold"),
        (DuplicatesRequest, {"projectId": "x" * 24, "content": "x"}, "projectId"),
        (DuplicatesRequest, {"projectId": PROJECT, "content": "x", "excludeNodeIDs": []}, "excludeNodeIDs"),
        (CoverageRequest, {"projectId": PROJECT, "department": "story"}, "gatherItems"),
    ],
)
def test_other_faults_name_their_field(model: Any, body: Any, field: str) -> None:
    """The caller must see what to mend."""
    failure = validation_error(_errors(model, body))
    assert isinstance(failure, ValidationFailedError)
    assert field in failure.message
    assert failure.details is not None
    assert field in failure.details


@pytest.mark.parametrize("value", [float("inf"), float("nan"), {"nested": 1}, [1], ["x"] * 51, "x" * 8001])
def test_property_values_that_cannot_go_back_as_they_came_are_refused(value: Any) -> None:
    """Properties are texts, numbers, truth values, null and lists of texts."""
    failure = validation_error(_errors(BatchRequest, {"nodes": [{**NODE, "properties": {"x": value}}]}))
    assert isinstance(failure, BatchValidationFailedError)


@pytest.mark.parametrize("department", ["", "x" * 64, 5, None])
def test_a_department_that_could_not_be_asked_for_is_refused(department: Any) -> None:
    """It becomes a filter of the index."""
    failure = validation_error(
        _errors(BatchRequest, {"nodes": [{**NODE, "properties": {"department": department}}]})
    )
    assert isinstance(failure, BatchValidationFailedError)


def test_project_ids_are_one_however_their_digits_are_written() -> None:
    """Two spellings would be two projects."""
    body = {"projectId": PROJECT.upper(), "content": "x"}
    assert DuplicatesRequest.model_validate(body).project_id == PROJECT
