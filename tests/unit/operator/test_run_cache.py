"""The GatherRuns as last seen."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gather_contracts.reasons import RunPhase
from gather_operator.run_cache import RunCache, RunVersion


def test_the_newest_version_is_kept(build: Any) -> None:
    """The watch may lag behind our own writes."""
    cache = RunCache()
    cache.put(build.body(version="10", generation=2))
    cache.put(build.body(version="9", generation=1))
    run = cache.get(build.uid)
    assert run is not None
    assert run.metadata.generation == 2


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
def test_another_shard_s_run_is_not_kept(build: Any, phase: str) -> None:
    """Neither whole nor as one that has ended, to be deleted after its time."""
    cache = RunCache(0, lambda uid: uid != build.uid)
    body = build.body(status={"phase": phase, "completionTime": "2026-01-01T00:00:00Z"}, finalizers=())
    assert cache.put(body) is None
    assert (cache.get(build.uid), cache.ended(build.uid), cache.expired(datetime.now(UTC))) == (
        None,
        None,
        [],
    )
    assert sum(cache.phases().values()) == 0


def test_a_newer_version_is_noted_until_it_has_been_read(build: Any) -> None:
    """Watches bring no whole runs, and our own writes come back on them."""
    cache = RunCache()
    cache.put(build.body(version="5"))
    assert not cache.note(RunVersion("film", build.uid, "5"))
    assert cache.stale(build.uid) is None
    assert cache.note(RunVersion("film", build.uid, "7"))
    cache.put(build.body(version="6"))
    assert cache.stale(build.uid) == "film"
    cache.put(build.body(version="7"))
    assert cache.stale(build.uid) is None


def test_a_run_is_to_begin_until_its_departments_stand(build: Any) -> None:
    """Those that are at work go before it; what is gone has nothing to begin."""
    cache = RunCache()
    assert not cache.is_to_begin(build.uid)
    cache.put(build.body(version="5"))
    assert cache.is_to_begin(build.uid)
    cache.put(build.body(version="6", status={"departments": build.departments("story")}))
    assert not cache.is_to_begin(build.uid)


@pytest.mark.parametrize(
    ("generation", "is_being_deleted", "is_asked_for"), [(1, False, False), (2, False, True), (1, True, True)]
)
def test_what_a_person_has_changed_goes_first(
    build: Any, generation: int, is_being_deleted: bool, is_asked_for: bool
) -> None:
    """Another spec or a deletion, known before the run was read."""
    cache = RunCache()
    cache.put(build.body(version="5"))
    cache.note(RunVersion("film", build.uid, "7", generation, is_being_deleted))
    assert (cache.is_asked_for(build.uid), cache.is_stopping(build.uid)) == (is_asked_for, is_asked_for)


def test_an_ended_run_whose_version_is_known_is_not_read_again(build: Any) -> None:
    cache = RunCache()
    cache.put(build.body(status=FINISHED, finalizers=(), version="5"))
    assert not cache.note(RunVersion("film", build.uid, "5"))
    assert cache.note(RunVersion("film", build.uid, "6"))


def test_an_unreadable_run_is_left_out(build: Any) -> None:
    """One that an older CRD let pass must not stop the others."""
    cache = RunCache()
    assert cache.put(build.body(spec={"maxIterations": "many"})) is None
    assert cache.put(build.body(uid="good")) is not None


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


def test_what_is_seen_of_a_run_while_it_is_written_makes_no_pass(build: Any) -> None:
    """It is most likely that write; if it was another's, the run is read after it."""
    cache = RunCache()
    cache.put(build.body(version="5"))
    with cache.writing(build.uid):
        assert not cache.note(RunVersion("film", build.uid, "6"))
        assert cache.note(RunVersion("film", build.uid, "7", generation=2)), "a person's wish"
        cache.put(build.body(version="6"))
    assert cache.stale(build.uid) == "film"
    cache.put(build.body(version="7", generation=2))
    assert cache.stale(build.uid) is None
