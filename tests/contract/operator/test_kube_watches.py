"""Watches of Jobs and pods over connections that break in every way, and the cache on top of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_clients.kube_api import api_calls
from gather_clients.kube_api.cluster_errors import ClusterError, ClusterUnavailable, Conflict
from gather_contracts import names
from gather_operator.kube import informer as informer_module
from gather_operator.kube.cluster import WATCH_WINDOW_S, Cluster
from gather_operator.kube.informer import Informer, Observer
from tests.support.kubernetes.scripted_kube_api import (
    ScriptedApi,
    event,
    hangs,
    reaching,
    refuses,
    says,
    scripted_api,
    streams,
)

LIMIT_S = 30
TOO_OLD = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)"}


@pytest.fixture
async def api() -> AsyncIterator[ScriptedApi]:
    """An API server without answers yet."""
    async with scripted_api() as served:
        yield served


@pytest.fixture
async def cluster(api: ScriptedApi) -> AsyncIterator[Cluster]:
    """A cluster that is reached without credentials."""
    async with reaching(api) as made:
        yield made


def pod(name: str, version: int, **status: Any) -> dict[str, Any]:
    labels = {names.LABEL_RUN_UID: "u"}
    metadata = {"name": name, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "status": {"phase": "Running", **status}}


def listed(*pods: dict[str, Any], version: int) -> Any:
    return says({"metadata": {"resourceVersion": str(version)}, "items": list(pods)})


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})


async def collect(cluster: Cluster, count: int = 100) -> list[tuple[str, str, str]]:
    """Return (type, name, version) of the events of one watch, until it ends or so many have come."""
    events: list[tuple[str, str, str]] = []
    async with asyncio.timeout(LIMIT_S), aclosing(cluster.watch_pods("3")) as watch:
        async for kind, facts in watch:
            events.append((kind, facts.name, facts.resource_version))
            if len(events) == count:
                break
    return events


# --- one watch


async def test_a_watch_asks_for_what_is_ours_from_a_version_on_with_bookmarks(
    api: ScriptedApi, cluster: Cluster
) -> None:
    """And says when it shall end."""
    api.plays(streams(end="clean"))
    assert await collect(cluster) == []
    assert api.asked[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "3",
        "timeoutSeconds": str(WATCH_WINDOW_S),
        "labelSelector": f"{names.LABEL_MANAGED_BY}=gather-operator",
    }


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_events_come_whole_however_they_are_cut(api: ScriptedApi, cluster: Cluster, size: int) -> None:
    """Also between the bytes of one character, and several in one chunk."""
    text = (
        event("ADDED", pod("a", 4, message="größer 映画 🎬")) + event("MODIFIED", pod("b", 5)) + bookmark(6)
    )
    api.plays(streams(*(text[i : i + size] for i in range(0, len(text), size)), end="clean"))
    expected = [("ADDED", "a", "4"), ("MODIFIED", "b", "5"), ("BOOKMARK", "", "6")]
    assert await collect(cluster) == expected


async def test_text_that_was_cut_between_bytes_is_right(api: ScriptedApi, cluster: Cluster) -> None:
    """Not only whole, but the same."""
    text = event("ADDED", pod("a", 4, reason="Evicted", message="größer 映画 🎬"))
    api.plays(streams(*(bytes([b]) for b in text), end="clean"))
    async with aclosing(cluster.watch_pods("3")) as watch:
        _, facts = await anext(watch)
    assert facts.message == "größer 映画 🎬"


async def test_an_object_of_a_mebibyte_passes(api: ScriptedApi, cluster: Cluster) -> None:
    """It is longer than the lines that aiohttp reads by itself."""
    big = pod("a", 4)
    big["metadata"]["annotations"] = {"note": "x" * 2**20}
    api.plays(streams(event("ADDED", big), event("ADDED", pod("b", 5)), end="clean"))
    assert await collect(cluster) == [("ADDED", "a", "4"), ("ADDED", "b", "5")]


async def test_a_line_without_an_end_is_given_up(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(api_calls, "LINE_MAX_BYTES", 1000)
    api.plays(streams(b"x" * 600, b"x" * 600))
    with pytest.raises(ClusterUnavailable, match="more than 1000 bytes"):
        await collect(cluster)


@pytest.mark.parametrize("end", ["clean", "reset"])
async def test_a_torn_last_event_is_dropped_and_the_watch_just_ends(
    api: ScriptedApi, cluster: Cluster, end: Any
) -> None:
    """It comes again, from the version before it on."""
    whole = event("ADDED", pod("a", 4))
    api.plays(streams(whole, event("MODIFIED", pod("a", 5))[:30], end=end))
    assert await collect(cluster) == [("ADDED", "a", "4")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (streams(event("ERROR", TOO_OLD)), Conflict),
        (streams(event("ERROR", {**TOO_OLD, "reason": "Gone"})), Conflict),
        (streams(event("ERROR", TOO_OLD).rstrip(), end="clean"), Conflict),
        (says(TOO_OLD), Conflict),
        (refuses(410, "Expired"), Conflict),
        (streams(event("ERROR", {"kind": "Status", "code": 500, "message": "etcd"})), ClusterUnavailable),
        (streams(event("ERROR", {})), ClusterUnavailable),
        (refuses(429, "TooManyRequests", headers={"Retry-After": "5"}), ClusterUnavailable),
        (refuses(504, "Timeout", "Too large resource version"), ClusterUnavailable),
        (streams(b'{"type": "ADDED", "object": \n'), ClusterUnavailable),
        (streams(b"<html>\n"), ClusterUnavailable),
        (streams(b"[]\n"), ClusterUnavailable),
        (streams(b'{"type": "ADDED"}\n'), ClusterUnavailable),
        (streams(b'{"type": 1, "object": {}}\n'), ClusterUnavailable),
        (streams(b'{"type": "ADDED", "object": "\xff"}\n'), ClusterUnavailable),
        (streams(b"[" * 100_000 + b"\n"), ClusterUnavailable),
    ],
)
async def test_what_makes_going_on_wrong_is_an_error(
    api: ScriptedApi, cluster: Cluster, answer: Any, error: type[ClusterError]
) -> None:
    """Everything has to be listed again."""
    api.plays(answer)
    with pytest.raises(error) as caught:
        await collect(cluster)
    assert type(caught.value) is error


async def test_the_time_that_an_error_event_asks_for_is_handed_on(api: ScriptedApi, cluster: Cluster) -> None:
    """Events have no headers."""
    status = {"kind": "Status", "code": 429, "message": "no", "details": {"retryAfterSeconds": 4}}
    api.plays(streams(event("ERROR", status)))
    with pytest.raises(ClusterUnavailable) as caught:
        await collect(cluster)
    assert caught.value.retry_after_s == 4


async def test_empty_lines_are_no_events(api: ScriptedApi, cluster: Cluster) -> None:
    """A proxy keeps a connection open with them."""
    api.plays(streams(b"\n\r\n", event("ADDED", pod("a", 4)), b"\n", end="clean"))
    assert await collect(cluster) == [("ADDED", "a", "4")]


async def test_bent_objects_do_not_end_a_watch(api: ScriptedApi, cluster: Cluster) -> None:
    """Of types that Kubernetes never writes."""
    bent = {"metadata": {"name": 1, "labels": [], "resourceVersion": "4"}, "status": {"containerStatuses": 3}}
    api.plays(streams(event("ADDED", bent), event("ADDED", pod("b", 5)), end="clean"))
    assert await collect(cluster) == [("ADDED", "", "4"), ("ADDED", "b", "5")]


async def test_a_closed_watch_closes_its_connection(api: ScriptedApi, cluster: Cluster) -> None:
    """At once, and not when somebody collects garbage."""
    api.plays(streams(event("ADDED", pod("a", 4))))
    await collect(cluster, count=1)
    async with asyncio.timeout(LIMIT_S):
        await api.was_left.wait()


async def test_a_cancelled_watch_closes_its_connection(api: ScriptedApi, cluster: Cluster) -> None:
    """In the middle of waiting for an event."""
    api.plays(streams(event("ADDED", pod("a", 4))))
    started = asyncio.Event()

    async def follow() -> None:
        async with aclosing(cluster.watch_pods("3")) as watch:
            async for _ in watch:
                started.set()

    task = asyncio.create_task(follow())
    async with asyncio.timeout(LIMIT_S):
        await started.wait()
        await end_tasks([task])
        await api.was_left.wait()


# --- the cache on top


@asynccontextmanager
async def informing(cluster: Cluster) -> AsyncIterator[Informer[Any]]:
    """Keep the pods' cache current while the block lasts."""
    observer = Observer(cluster, lambda _: None)
    task = asyncio.create_task(observer.pods.run())
    try:
        yield observer.pods
    finally:
        await end_tasks([task])


async def until(holds: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - server and cache have no event in common
            await asyncio.sleep(0.01)


def lists(api: ScriptedApi) -> int:
    return sum("watch" not in asked.query for asked in api.asked)


def versions(api: ScriptedApi) -> list[str]:
    """The versions from which watches went on."""
    return [asked.query["resourceVersion"] for asked in api.asked if "watch" in asked.query]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on quickly."""
    monkeypatch.setattr(informer_module, "BACKOFF", Backoff(0.01, 0.05))


async def test_a_watch_that_ends_goes_on_from_the_last_bookmark_without_a_list(
    api: ScriptedApi, cluster: Cluster
) -> None:
    """A quiet cluster: five windows, one list."""
    windows = [streams(bookmark(version), end="clean") for version in (20, 30, 40, 50)]
    api.plays(listed(pod("a", 1), version=10), *windows, streams(event("ADDED", pod("b", 60))))
    async with informing(cluster) as pods:
        await until(lambda: len(pods.of_run("u")) == 2)
        assert pods.of_run("") == [], "a bookmark is no object"
    assert lists(api) == 1
    assert versions(api) == ["10", "20", "30", "40", "50"]


@pytest.mark.parametrize("end", ["clean", "reset"])
async def test_a_connection_that_breaks_goes_on_where_it_broke_and_loses_nothing(
    api: ScriptedApi, cluster: Cluster, end: Any
) -> None:
    """The torn event comes again."""
    torn = event("DELETED", pod("a", 13))
    api.plays(
        listed(pod("a", 1), version=10),
        streams(event("ADDED", pod("b", 12)), torn[:40], end=end),
        streams(torn),
    )
    async with informing(cluster) as pods:
        await until(lambda: [p.name for p in pods.of_run("u")] == ["b"])
    assert lists(api) == 1
    assert versions(api) == ["10", "12"]


@pytest.mark.parametrize(
    "fault", [streams(event("ERROR", TOO_OLD)), streams(b"<html>\n"), refuses(410), refuses(500)]
)
async def test_after_what_is_no_event_everything_is_listed_again(
    api: ScriptedApi, cluster: Cluster, fault: Any
) -> None:
    """What was missed is in the list; the watch begins at the list's version."""
    api.plays(listed(pod("a", 1), version=10), fault, listed(pod("b", 19), version=20), streams())
    async with informing(cluster) as pods:
        await until(lambda: [p.name for p in pods.of_run("u")] == ["b"] and len(versions(api)) == 2)
    assert lists(api) == 2
    assert versions(api) == ["10", "20"]


async def test_a_silent_watch_is_left_for_a_new_list(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection may be dead without an error; it is closed."""
    monkeypatch.setattr(informer_module, "SILENCE_S", 0.1)
    api.plays(listed(pod("a", 1), version=10), streams(), listed(pod("b", 19), version=20), streams())
    async with informing(cluster) as pods:
        await until(lambda: [p.name for p in pods.of_run("u")] == ["b"])
        await until(api.was_left.is_set)


async def test_a_server_that_never_begins_a_watch_does_not_hang_us(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer at all, not even its head."""
    monkeypatch.setattr(cluster._calls, "_timeout_s", 0.1)
    api.plays(listed(pod("a", 1), version=10), hangs, listed(pod("b", 19), version=20), streams())
    async with informing(cluster) as pods:
        await until(lambda: [p.name for p in pods.of_run("u")] == ["b"])


async def test_a_watch_that_always_ends_at_once_is_slowed_down_and_listed_again(
    api: ScriptedApi, cluster: Cluster
) -> None:
    """Somebody between us and the server closes every stream."""
    short = [streams(end="clean")] * informer_module.SHORT_MAX
    api.plays(listed(pod("a", 1), version=10), *short, listed(pod("b", 19), version=20), streams())
    async with informing(cluster) as pods:
        await until(lambda: [p.name for p in pods.of_run("u")] == ["b"])
    assert lists(api) == 2


async def test_a_watch_that_always_answers_410_is_listed_ever_more_slowly(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that succeeds in between does not make it a first failure again."""
    waits: list[int] = []

    class Waits:
        def wait_s(self, failures: int) -> float:
            waits.append(failures)
            return 0

    monkeypatch.setattr(informer_module, "BACKOFF", Waits())
    gone, there = streams(event("ERROR", TOO_OLD)), listed(pod("a", 1), version=10)
    api.plays(*[there, gone] * 6, there, streams())
    async with informing(cluster):
        await until(lambda: lists(api) == 7)
    assert waits == [1, 2, 3, 4, 5, 6]


async def test_a_list_that_is_older_than_the_watch_is_not_believed(
    api: ScriptedApi, cluster: Cluster
) -> None:
    """A member of the store that lags behind; what it does not know yet must not count as deleted."""
    api.plays(
        listed(pod("a", 1), version=10),
        streams(event("ADDED", pod("b", 30)), b"<html>\n"),
        listed(pod("a", 1), version=12),
        listed(pod("a", 1), pod("b", 30), version=31),
        streams(),
    )
    seen: set[str] = set()
    async with informing(cluster) as pods:
        await until(lambda: len(pods.of_run("u")) == 2)
        while len(versions(api)) < 2:
            seen |= {",".join(p.name for p in pods.of_run("u"))}
            await asyncio.sleep(0.005)
    assert seen <= {"a,b"}
    assert versions(api) == ["10", "31"]


async def test_a_store_that_was_restored_is_believed_in_the_end(api: ScriptedApi, cluster: Cluster) -> None:
    """Its versions have gone back for good."""
    restored = listed(pod("c", 2), version=5)
    api.plays(listed(pod("a", 1), version=10), streams(b"<html>\n"), *[restored] * 5, streams())
    async with informing(cluster) as pods:
        await until(lambda: [p.name for p in pods.of_run("u")] == ["c"])


async def test_asking_for_a_run_itself_heals_what_a_watch_did_not_bring(
    api: ScriptedApi, cluster: Cluster
) -> None:
    """A lost event: the pod went, and another came."""
    observer = Observer(cluster, lambda _: None)
    for name in ("a", "b"):
        observer.pods._apply("ADDED", (await _facts(api, cluster, pod(name, 4))))
    api.answers.clear()
    api.plays(listed(version=9), listed(pod("b", 4), pod("c", 8), version=9))
    await observer.fresh("u")
    _, pods = observer.cached("u")
    assert [(p.name, p.is_gone) for p in pods] == [("a", True), ("b", False), ("c", False)]


async def _facts(api: ScriptedApi, cluster: Cluster, body: dict[str, Any]) -> Any:
    api.answers.clear()
    api.plays(listed(body, version=5))
    found, _ = await cluster.list_pods()
    return found[0]
