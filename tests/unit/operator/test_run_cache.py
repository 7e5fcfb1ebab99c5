"""The GatherRuns as last seen."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gather_contracts.reasons import RunPhase
from gather_operator.run_cache import RunCache


def test_the_newest_version_is_kept(build: Any) -> None:
    """The watch may lag behind our own writes."""
    cache = RunCache()
    cache.put(build.body(version="10", generation=2))
    cache.put(build.body(version="9", generation=1))
    run = cache.get(build.uid)
    assert run is not None
    assert run.metadata.generation == 2


def test_a_list_adds_what_was_missed_and_removes_what_is_gone(build: Any) -> None:
    """And returns which runs changed."""
    cache = RunCache()
    cache.put(build.body(uid="gone", version="1"))
    cache.put(build.body(uid="same", version="2"))
    cache.put(build.body(uid="old", version="3"))
    listed = [build.body(uid="same", version="2"), build.body(uid="old", version="8")]
    assert cache.replace([*listed, build.body(uid="new", version="9")], "9") == {"gone", "old", "new"}
    assert {run.metadata.uid for run in cache.all()} == {"same", "old", "new"}


def test_a_run_newer_than_the_list_is_not_gone(build: Any) -> None:
    """It was created while the list was on its way."""
    cache = RunCache()
    cache.put(build.body(uid="newer", version="12"))
    assert cache.replace([], "11") == set()
    assert cache.get("newer") is not None


def test_an_unreadable_run_is_left_out(build: Any) -> None:
    """One that an older CRD let pass must not stop the others."""
    cache = RunCache()
    assert cache.put(build.body(spec={"maxIterations": "many"})) is None
    assert cache.replace([build.body(spec={"maxIterations": 0}), build.body(uid="good")], "1") == {"good"}


def test_runs_are_counted_by_phase(build: Any) -> None:
    """Every phase has a number, if only zero."""
    cache = RunCache()
    cache.put(build.body(uid="a", status={"phase": "Running"}))
    cache.put(build.body(uid="b"))
    assert cache.phases()[RunPhase.RUNNING] == 1
    assert cache.phases()[RunPhase.PENDING] == 1
    assert cache.phases()[RunPhase.FAILED] == 0


ENDED = "2026-05-01T11:00:00.000Z"
FINISHED = {"phase": "Succeeded", "completionTime": ENDED}


def test_of_a_run_with_nothing_left_to_do_a_few_words_are_kept(build: Any) -> None:
    """Thousands of them must not fill the memory; one that holds a finalizer or is deleted has work left."""
    cache = RunCache()
    departments = build.departments(*(f"department-{n}" for n in range(32)))
    status = {**FINISHED, "departments": departments}
    assert cache.put(build.body(status=status, finalizers=(), version="7")) is None
    assert (cache.get(build.uid), cache.all()) == (None, [])
    ended = cache.ended(build.uid)
    assert ended is not None
    assert (ended.name, ended.version, ended.phase, ended.delete_at) == ("film", 7, "Succeeded", None)
    assert sys.getsizeof(ended) < 100
    assert cache.phases()[RunPhase.SUCCEEDED] == 1
    assert cache.put(build.body(status=status, version="8")) is not None
    assert cache.put(build.body(status=status, finalizers=(), deleted=ENDED, version="9")) is not None
    assert cache.ended(build.uid) is None
    cache.put(build.body(status=FINISHED, finalizers=("a.b/c",), version="10"))
    assert cache.ended(build.uid) is not None


def test_an_ended_run_that_a_list_does_not_name_is_gone(build: Any) -> None:
    """And one that it names unchanged is not read again."""
    cache = RunCache()
    cache.put(build.body(uid="stays", status=FINISHED, finalizers=(), version="5"))
    cache.put(build.body(uid="gone", status=FINISHED, finalizers=(), version="6"))
    unread = {"metadata": {"uid": "stays", "name": "stays", "resourceVersion": "5"}}
    assert cache.replace([unread], "9") == {"gone"}
    assert (cache.ended("gone"), cache.ended("stays") is not None) == (None, True)


@pytest.mark.parametrize(
    ("own_s", "default_s", "expected_s"),
    [(None, None, None), (60, None, 60), (None, 3600, 3600), (0, 3600, 0), (120, 3600, 120)],
)
def test_an_ended_run_knows_when_it_is_to_be_deleted(
    build: Any, own_s: int | None, default_s: int | None, expected_s: int | None
) -> None:
    """Its own word goes before the operator's."""
    cache = RunCache(default_s)
    spec = {} if own_s is None else {"ttlSecondsAfterFinished": own_s}
    cache.put(build.body(status=FINISHED, spec=spec, finalizers=()))
    at = datetime.fromisoformat(ENDED).astimezone(UTC)
    soon = timedelta(seconds=1)
    for seconds in (0, 60, 120, 3600):
        due = expected_s is not None and seconds >= expected_s
        assert cache.expired(at + timedelta(seconds=seconds)) == ([build.uid] if due else [])
    assert cache.expired(at - soon) == []
