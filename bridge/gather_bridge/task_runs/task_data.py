"""A task's data as a GatherRun: the requirements' names and the application's, pure.

Both `project_id` and `projectId` are understood, for every field that a GatherRun's spec has. What only
the API server can judge (rules of the CRD) is refused there, with the field's name too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from gather_bridge.errors import TaskRefused
from gather_contracts import names
from gather_contracts.crds.crd import PATTERN_MESSAGES
from gather_contracts.resource import GatherRunSpec

DATA_MAX_BYTES: Final = 64 * 1024
TASK_ID_MAX: Final = 255
KEEP_RUNS_S: Final = 3600
"""No task's run is deleted sooner after its end: somebody polls it, and a door that was away must find it."""
TTL: Final = "ttlSecondsAfterFinished"
NOT_FOR_TASKS: Final = frozenset({"worker", "suspend", "cancel"})
"""Whoever may send a task does not thereby decide on pods; a task is cancelled by its door."""
FIELDS: Final = tuple(name for name in GatherRunSpec.model_fields if name not in NOT_FOR_TASKS)
OPTIONS: Final = "options"


@dataclass(frozen=True, slots=True)
class TaskInput:
    """What a task asks for."""

    project_id: str
    user_id: str
    spec: Mapping[str, Any]
    """A GatherRun's, with what the task names and nothing else."""


def read_task(data: Any, user_id: str | None = None) -> TaskInput:
    """Return what the task asks for; raises TaskRefused, which names the field.

    Args:
        data: the object that the sender gave; what it does not know of is passed over. `options` may hold
            further fields.
        user_id: for data that names no user.
    """
    _check_size(data)
    if not isinstance(data, Mapping):
        raise TaskRefused("", "the task takes one object, such as {'project_id': …, 'user_id': …}")
    options = data.get(OPTIONS)
    if options is not None and not isinstance(options, Mapping):
        raise TaskRefused(OPTIONS, "must be an object")
    given = {**_fields(options or {}, f"{OPTIONS}."), **_fields(data, "")}
    if user_id and "user_id" not in given:
        given["user_id"] = ("user_id", user_id)
    try:
        spec = GatherRunSpec.model_validate({name: value for name, (_, value) in given.items()})
    except ValidationError as error:
        raise _refusal(error, {name: place for name, (place, _) in given.items()}) from None
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return TaskInput(spec.project_id, spec.user_id, dumped)


def build_manifest(
    task: TaskInput, task_id: str, door: str, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the GatherRun of a task, named by its id; raises TaskRefused for an id that cannot be kept."""
    if not 0 < len(task_id) <= TASK_ID_MAX or not task_id.isprintable():
        raise TaskRefused("task_id", f"must have 1 to {TASK_ID_MAX} printable characters")
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "metadata": {
            "name": names.task_run_name(task_id),
            "labels": {names.LABEL_DOOR: door},
            "annotations": {**(annotations or {}), names.ANNOTATION_TASK_ID: task_id},
        },
        "spec": _kept(task.spec),
    }


def _kept(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec with a run that is not deleted before it can be asked for."""
    wanted_s = spec.get(TTL)
    return dict(spec) if wanted_s is None else {**spec, TTL: max(wanted_s, KEEP_RUNS_S)}


def _check_size(data: Any) -> None:
    try:
        size = len(json.dumps(data, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        raise TaskRefused("", "the task's data is not what JSON can hold") from None
    if size > DATA_MAX_BYTES:
        raise TaskRefused("", f"the task's data has {size} bytes, more than {DATA_MAX_BYTES}")


def _fields(data: Mapping[str, Any], before: str) -> dict[str, tuple[str, Any]]:
    """Return by field the name under which it was given, and its value; null is as if it were not there."""
    found: dict[str, tuple[str, Any]] = {}
    for field, name in _spellings():
        if (value := data.get(name)) is None:
            continue
        if field in NOT_FOR_TASKS:
            raise TaskRefused(before + name, "cannot be given by a task: leave it out")
        if field in found and found[field][1] != value:
            raise TaskRefused(before + name, f"contradicts {found[field][0]}: leave one out")
        found[field] = (before + name, value)
    return found


def _spellings() -> Iterator[tuple[str, str]]:
    """Yield each field with both of its names."""
    for field in (*FIELDS, *sorted(NOT_FOR_TASKS)):
        yield field, field
        if (camel := to_camel(field)) != field:
            yield field, camel


def _refusal(error: ValidationError, places: Mapping[str, str]) -> TaskRefused:
    """Return the first thing that is wrong, by the name under which it was given."""
    found = error.errors()[0]
    first, *rest = (str(part) for part in found["loc"])
    field = next((name for name in FIELDS if first in {name, to_camel(name)}), first)
    return TaskRefused(".".join([places.get(field, field), *rest]), _reason(found))


def _reason(found: ErrorDetails) -> str:
    if found["type"] == "missing":
        return "is missing"
    if found["type"] == "string_pattern_mismatch":
        return PATTERN_MESSAGES.get(found.get("ctx", {}).get("pattern", ""), "has another form")
    return found["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
