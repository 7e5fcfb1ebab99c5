"""The cache of Jobs and pods: whatever happens to a watch, the cache comes right again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Conflict
from gather_contracts.result import StopReason
from gather_operator.decisions.facts import JobFacts, PodFacts
from gather_operator.kube import informer as module
from gather_operator.kube.informer import Informer, Observer

LIMIT_S = 30


def job(name: str, version: int, run_uid: str = "run", **fields: Any) -> JobFacts:
    return JobFacts(name, run_uid, 0, resource_version=str(version), **fields)


class Api:
    """Answers lists, and plays one script of watch events after the other."""

    def __init__(self, lists: list[Any], watches: list[list[Any]]) -> None:
        self.lists = lists
        self.watches = watches
        self.listed = 0
        self.since: list[str] = []

    async def list_objects(self) -> tuple[list[JobFacts], str]:
        answer = self.lists[min(self.listed, len(self.lists) - 1)]
        self.listed += 1
        if isinstance(answer, Exception):
            raise answer
        return answer, str(100 + self.listed)

    async def watch_objects(self, since: str) -> AsyncIterator[tuple[str, JobFacts]]:
        self.since.append(since)
        for event in self.watches.pop(0) if self.watches else []:
            if isinstance(event, Exception):
                raise event
            yield event
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors are tried again at once."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(0, 0))


async def settle(api: Api, until: Any) -> Informer[JobFacts]:
    """Run an informer until the condition holds for it."""
    changed = asyncio.Event()
    informer: Informer[JobFacts] = Informer(
        "jobs", api.list_objects, api.watch_objects, lambda _: changed.set()
    )
    task = asyncio.create_task(informer.run())
    try:
        async with asyncio.timeout(LIMIT_S):
            while not until(informer):
                await changed.wait()
                changed.clear()
    finally:
        await end_tasks([task])
    return informer


def names(informer: Informer[JobFacts]) -> list[str]:
    return sorted(o.name for o in informer.of_run("run"))


async def test_changes_are_applied_on_top_of_the_list() -> None:
    """Added, modified and deleted; the watch begins where the list ended."""
    api = Api(
        [[job("a", 1), job("b", 1)]],
        [[("ADDED", job("c", 5)), ("MODIFIED", job("a", 6, is_complete=True)), ("DELETED", job("b", 7))]],
    )
    informer = await settle(api, lambda i: names(i) == ["a", "c"])
    assert api.since == ["101"]
    assert {o.name: o.is_complete for o in informer.of_run("run")} == {"a": True, "c": False}


@pytest.mark.parametrize(
    "fault",
    [Conflict("410 Gone"), ClusterUnavailable("an error event"), ClusterUnavailable("a torn line")],
)
async def test_after_any_fault_everything_is_listed_again(fault: Exception) -> None:
    """What was missed meanwhile is in the list: one more, one less."""
    api = Api([[job("a", 1)], [job("b", 2)]], [[fault]])
    await settle(api, lambda i: names(i) == ["b"])
    assert api.listed == 2


async def test_a_list_that_fails_is_tried_again() -> None:
    """The API server was unavailable."""
    api = Api([ClusterUnavailable("refused"), ClusterUnavailable("refused"), [job("a", 1)]], [])
    await settle(api, lambda i: names(i) == ["a"])


async def test_a_silent_watch_is_left_for_a_new_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection may be dead without an error."""
    monkeypatch.setattr(module, "SILENCE_S", 0.02)
    api = Api([[job("a", 1)], [job("b", 2)]], [])
    await settle(api, lambda i: names(i) == ["b"])


async def test_an_older_version_does_not_overwrite_a_newer_one() -> None:
    """Events can be replayed."""
    stale = ("MODIFIED", job("a", 3))
    api = Api([[job("a", 5, is_complete=True)]], [[stale, ("ADDED", job("b", 6))]])
    informer = await settle(api, lambda i: names(i) == ["a", "b"])
    assert next(o for o in informer.of_run("run") if o.name == "a").is_complete


async def test_a_new_list_notifies_only_runs_that_changed() -> None:
    """A thousand unchanged runs are not decided again."""
    notified: list[str] = []
    both = [job("a", 1, "one"), job("b", 1, "other")]
    api = Api([both, [both[0], job("b", 2, "other", is_failed=True)]], [[Conflict("410")]])
    informer: Informer[JobFacts] = Informer("jobs", api.list_objects, api.watch_objects, notified.append)
    await informer._relist("start")
    notified.clear()
    await informer._relist("gone")
    assert notified == ["other"]


async def test_what_runs_of_other_shards_have_is_passed_over_but_for_how_far_it_brings() -> None:
    """Neither the list nor a watch may put it into memory; the next watch goes on after it."""
    notified: list[str] = []
    api = Api(
        [[job("a", 1), job("x", 1, "other")]],
        [[("ADDED", job("y", 5, "other")), ("DELETED", job("x", 6, "other")), ClusterUnavailable("torn")]],
    )
    informer: Informer[JobFacts] = Informer(
        "jobs", api.list_objects, api.watch_objects, notified.append, is_ours="run".__eq__
    )
    await informer._relist("start")
    with pytest.raises(ClusterUnavailable):
        await informer._watch_once()
    assert names(informer) == ["a"]
    assert [o.name for o in informer.all()] == ["a"]
    assert notified == ["run"]
    assert informer.seen == 6


class NoCluster:
    """Stands in where nothing is called."""

    list_jobs = list_pods = list_documents = None
    watch_jobs = watch_pods = watch_documents = None


def test_a_deleted_pod_s_result_is_remembered(build: Any) -> None:
    """A stopped worker's result comes just before its pod goes."""
    observer = Observer(NoCluster(), lambda _: None)  # type: ignore[arg-type]
    last = build.pod("story", phase="Failed", result=build.result(2, 9, reason=StopReason.TERMINATED))
    observer.pods._apply("ADDED", build.pod("story", phase="Running"))
    observer.pods._apply("DELETED", last)
    _, (pod,) = observer.cached(build.uid)
    assert pod.is_gone
    assert pod.result == last.result


def test_what_ended_runs_have_is_not_kept(build: Any) -> None:
    """Five thousand of them have seventy thousand Jobs and pods, which the API server keeps for a week."""
    over: set[str] = set()
    observer = Observer(NoCluster(), lambda _: None, is_over=over.__contains__)  # type: ignore[arg-type]
    job, pod = build.job("story"), build.pod("story", phase="Succeeded")
    observer.jobs._apply("ADDED", job)
    observer.pods._apply("ADDED", pod)
    over.add(build.uid)
    observer.pods._apply("MODIFIED", replace(pod, resource_version="9"))
    observer.pods.sweep()
    observer.jobs.sweep()
    assert observer.cached(build.uid) == ({job.name: job}, (pod,)), "its end is counted by them"
    observer.pods.sweep()
    observer.jobs.sweep()
    assert observer.cached(build.uid) == ({}, ())
    observer.pods._apply("MODIFIED", replace(pod, resource_version="10"))
    observer.jobs._apply("ADDED", job)
    assert observer.cached(build.uid) == ({}, ()), "nor is what comes later, or was there at the start"


async def test_a_list_takes_in_nothing_of_ended_runs_and_forgets_none_of_their_pods(build: Any) -> None:
    """What is left out of a cache is not what has gone."""
    pod = build.pod("story", phase="Succeeded")
    over: set[str] = set()
    forgotten: list[PodFacts] = []

    async def listed() -> tuple[list[PodFacts], str]:
        return [pod], "5"

    pods: Informer[PodFacts] = Informer(
        "pods",
        listed,
        NoCluster.watch_pods,  # type: ignore[arg-type]
        lambda _: None,
        forgotten.append,
        is_over=over.__contains__,
    )
    await pods._relist("start")
    assert pods.all() == [pod]
    over.add(build.uid)
    await pods._relist("silence")
    assert (pods.all(), forgotten) == ([], [])


def test_only_so_many_deleted_pods_are_remembered(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first."""
    monkeypatch.setattr(module, "GONE_PODS_MAX", 3)
    observer = Observer(NoCluster(), lambda _: None)  # type: ignore[arg-type]
    for attempt in range(1, 6):
        observer.pods._apply("DELETED", build.pod("story", attempt=attempt))
    _, pods = observer.cached(build.uid)
    assert [p.name[-1] for p in pods] == ["3", "4", "5"]


def test_the_deleted_pods_of_a_run_that_is_over_are_forgotten(build: Any) -> None:
    observer = Observer(NoCluster(), lambda _: None)  # type: ignore[arg-type]
    other = replace(build.pod("story", attempt=2), run_uid="other")
    for pod in (build.pod("story"), other):
        observer.pods._apply("DELETED", pod)
    observer.forget(build.uid)
    assert observer.cached(build.uid)[1] == ()
    assert [p.name for p in observer.cached("other")[1]] == [other.name]


def test_pods_come_oldest_first(build: Any) -> None:
    """The last attempt's reason is the one that counts."""
    observer = Observer(NoCluster(), lambda _: None)  # type: ignore[arg-type]
    for attempt in (2, 1, 3):
        pod: PodFacts = build.pod("story", attempt=attempt)
        observer.pods._apply("ADDED", pod)
    _, pods = observer.cached(build.uid)
    assert [p.created[-8:-6] for p in pods] == ["01", "02", "03"]


class OldLists:
    """Lists nothing, as of version 5."""

    watch_jobs = watch_pods = list_documents = watch_documents = None

    async def list_jobs(self, _: str) -> tuple[list[JobFacts], str]:
        return [], "5"

    async def list_pods(self, _: str) -> tuple[list[PodFacts], str]:
        return [], "5"


async def test_a_list_from_before_what_was_seen_is_not_believed() -> None:
    """An API server that lags behind would make a Job that has failed be made again."""
    observer = Observer(OldLists(), lambda _: None)  # type: ignore[arg-type]
    observer.jobs._seen = "6"
    with pytest.raises(ClusterUnavailable, match="older"):
        await observer.fresh("run")
    observer.jobs._seen = "5"
    assert await observer.fresh("run") == ({}, ())


def noting(heard: list[str]) -> Observer:
    return Observer(NoCluster(), heard.append)  # type: ignore[arg-type]


def test_a_change_of_nothing_that_is_read_wakes_no_run(build: Any) -> None:
    """A finished pod loses its Job's finalizer, and its Job counts it: each would cost a pass."""
    heard: list[str] = []
    observer = noting(heard)
    pod: PodFacts = build.pod("story", phase="Running")
    observer.pods._apply("ADDED", pod)
    observer.pods._apply("MODIFIED", replace(pod, resource_version="9"))
    assert heard == [build.uid]
    observer.pods._apply("MODIFIED", replace(pod, resource_version="10", is_terminating=True))
    assert heard == [build.uid, build.uid]


def test_a_job_that_was_just_made_is_seen_at_once(build: Any) -> None:
    observer = noting([])
    made = replace(build.job("story"), resource_version="7")
    observer.note_job(made)
    jobs, _ = observer.cached(build.uid)
    assert jobs == {made.name: made}


def test_a_job_that_was_deleted_before_its_creation_was_answered_does_not_come_back(build: Any) -> None:
    """The watch has come further than the answer: what it shows is the truth."""
    observer = noting([])
    observer.jobs._seen = "8"
    observer.note_job(replace(build.job("story"), resource_version="7"))
    assert observer.cached(build.uid) == ({}, ())
