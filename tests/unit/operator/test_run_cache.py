"""The GatherRuns as last seen."""

from typing import Any

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
