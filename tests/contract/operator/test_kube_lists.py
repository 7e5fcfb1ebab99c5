"""Lists of an API server: read in pages, bounded in bytes, and whole or not at all."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gather_clients.kube_api import api_calls
from gather_clients.kube_api.cluster_errors import (
    AnswerTooLong,
    ClusterError,
    ClusterUnavailable,
    Conflict,
    Refused,
)
from gather_contracts import names
from gather_operator.kube import cluster as cluster_module
from tests.support.kubernetes.scripted_kube_api import (
    ScriptedApi,
    reaching,
    refuses,
    says,
    scripted_api,
    streams,
)

RUN: dict[str, Any] = {"metadata": {"name": "film", "resourceVersion": "7"}}


@pytest.fixture
async def api() -> AsyncIterator[ScriptedApi]:
    """An API server without answers yet."""
    async with scripted_api() as served:
        yield served


def job(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {names.LABEL_RUN_UID: "u"}, "resourceVersion": "5"}}


def page(*jobs: str, more: str = "", version: str = "9") -> dict[str, Any]:
    metadata = {"resourceVersion": version, **({"continue": more} if more else {})}
    return {"metadata": metadata, "items": [job(name) for name in jobs]}


async def test_a_list_is_read_page_by_page(api: ScriptedApi) -> None:
    """With the selector in each, and the version of the whole."""
    api.plays(says(page("a", "b", more="t")), says(page("c")))
    async with reaching(api) as cluster:
        jobs, version = await cluster.list_jobs("u")
    assert [j.name for j in jobs] == ["a", "b", "c"]
    assert version == "9"
    selector = f"{names.LABEL_MANAGED_BY}=gather-operator,{names.LABEL_RUN_UID}=u"
    assert [a.query["labelSelector"] for a in api.asked] == [selector, selector]
    assert [a.query.get("continue") for a in api.asked] == [None, "t"]


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (streams(b'{"metadata":{},"items":[{"metadata":{"na', end="reset"), ClusterUnavailable),
        (refuses(410, "Expired", "the continue token is too old"), Conflict),
    ],
)
async def test_a_list_that_breaks_in_the_middle_is_no_list(
    api: ScriptedApi, second: Any, error: type[ClusterError]
) -> None:
    """Half of it, taken for the whole, would delete the other half from the cache."""
    api.plays(says(page("a", more="t")), second)
    async with reaching(api) as cluster:
        with pytest.raises(error):
            await cluster.list_jobs()


async def test_a_list_without_an_end_is_given_up(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same token, again and again."""
    monkeypatch.setattr(cluster_module, "PAGES_MAX", 5)
    api.plays(says(page("a", more="t")))
    async with reaching(api) as cluster:
        with pytest.raises(ClusterUnavailable, match="no end"):
            await cluster.list_jobs()
    assert len(api.asked) == 5


async def test_a_page_of_huge_objects_is_asked_for_in_smaller_ones(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by bytes, not by objects."""
    monkeypatch.setattr(api_calls, "BODY_MAX_BYTES", 4096)
    api.plays(says({**page("a"), "padding": "x" * 5000}), says(page("a", more="t")), says(page("b")))
    async with reaching(api) as cluster:
        jobs, _ = await cluster.list_jobs()
    assert [j.name for j in jobs] == ["a", "b"]
    assert [a.query["limit"] for a in api.asked] == ["250", "16", "16"]
    assert [a.query.get("continue") for a in api.asked] == [None, None, "t"]


async def test_an_answer_that_stays_too_long_is_an_error(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed before all of it has come."""
    monkeypatch.setattr(api_calls, "BODY_MAX_BYTES", 4096)
    api.plays(says({**page("a"), "padding": "x" * 5000}))
    async with reaching(api) as cluster:
        with pytest.raises(AnswerTooLong):
            await cluster.list_jobs()


async def test_an_object_of_a_mebibyte_is_read(api: ScriptedApi) -> None:
    """Somebody annotated a run with all that etcd takes."""
    run = {**RUN, "metadata": {**RUN["metadata"], "annotations": {"note": "ü" * 2**19}}}
    api.plays(says(run))
    async with reaching(api) as cluster:
        assert await cluster.get_run("film") == run


async def test_of_runs_no_more_is_kept_than_is_read(api: ScriptedApi) -> None:
    """Thousands of whole runs would not fit into the operator's memory."""
    run = {"metadata": {"name": "film", "managedFields": [{"manager": "kubectl"}]}}
    api.plays(says({"metadata": {"resourceVersion": "9"}, "items": [run, "bent"]}))
    async with reaching(api) as cluster:
        runs, version = await cluster.list_runs(lambda body: str(body["metadata"]["name"]))
    assert runs == ["film"]
    assert version == "9"


def an_event(name: str, reason: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"involvedObject": {"kind": "Job", "name": name}, "reason": reason, "lastTimestamp": at, **fields}


async def test_events_are_asked_for_one_object_and_come_in_order(api: ScriptedApi) -> None:
    """By field selector, with a limit; what a server sends of other objects is left out."""
    items = [
        an_event("job-1", "FailedCreate", "2026-05-01T12:00:09Z", message="m" * 5000),
        an_event("job-1", "SuccessfulCreate", "2026-05-01T12:00:02Z"),
        an_event("job-2", "FailedCreate", "2026-05-01T12:00:03Z"),
        {"involvedObject": None, "reason": 7},
        "no event",
    ]
    api.plays(says({"metadata": {}, "items": items}))
    async with reaching(api) as cluster:
        events = await cluster.list_events("job-1")
    assert [(e.reason, len(e.message)) for e in events] == [("SuccessfulCreate", 0), ("FailedCreate", 1024)]
    (asked,) = api.asked
    assert asked.path.endswith("/events")
    assert dict(asked.query) == {"fieldSelector": "involvedObject.name=job-1", "limit": "100"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says({"items": ["x" * 2**20]}), AnswerTooLong),
        (refuses(403, "Forbidden", "events is forbidden"), Refused),
        (says("[]"), ClusterUnavailable),
    ],
)
async def test_events_that_cannot_be_read_are_an_error(
    api: ScriptedApi, answer: Any, error: type[ClusterError]
) -> None:
    """Bounded in bytes, whatever their number."""
    api.plays(answer)
    async with reaching(api) as cluster:
        with pytest.raises(error):
            await cluster.list_events("job-1")
