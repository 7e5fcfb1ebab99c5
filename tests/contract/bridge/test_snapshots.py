"""Runs' snapshots on a real Redis and MongoDB: a page is right after a reload, whatever was lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import redis
from bson import ObjectId
from pymongo import MongoClient

from gather_clients.event_log import EventLog
from gather_clients.snapshots.mongodb_snapshots import MongoSnapshots
from gather_clients.snapshots.redis_snapshots import RedisSnapshots, RunPlace
from gather_contracts import names
from gather_contracts.snapshots.run_state import DepartmentState, RunState
from tests.support.events.page import taken
from tests.support.events.played_run import played_run

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]
HEADERS = {"Authorization": "Bearer a-token-for-every-project"}


async def get(serving: Any, path: str) -> httpx.Response:
    async with httpx.AsyncClient(headers=HEADERS, timeout=30) as client:
        return await client.get(f"http://127.0.0.1:{serving.port}/api/v1/projects/{path}")


async def snapshot(serving: Any, project: str, run: str = "film") -> dict[str, Any]:
    answer = await get(serving, f"{project}/runs/{run}/snapshot")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    body: dict[str, Any] = answer.json()
    return body


async def followed(serving: Any, project: str, page: dict[str, Any], until: int) -> dict[str, Any]:
    """Return the page after all events that follow it, up to an offset."""
    query = f"?run=film&offset={page['offset']}&epoch={page['epoch']}"
    async with serving.client(project, query) as client:
        hello = await client.event()
        assert hello["recovered"] is True
        page = {**page, "offset": page["offset"]}
        while page["offset"] < until:
            event = await client.event()
            page = taken(page, event) | {"offset": event["offset"]}
    return page


def without_order(page: dict[str, Any]) -> dict[str, Any]:
    return page | {"departments": sorted(page["departments"], key=lambda d: str(d["slug"]))}


@pytest.fixture
async def written(redis_url: str) -> AsyncIterator[RedisSnapshots]:
    """What the operator writes to."""
    store = RedisSnapshots(redis_url, 2)
    yield store
    await store.close()


async def test_a_page_that_is_loaded_anywhere_ends_up_the_same(
    serving: Any, log: EventLog, project: str
) -> None:
    """A snapshot after each event, and the socket from there on; another run's events lie in between."""
    events = played_run(project)
    pages = []
    for number, event in enumerate(events):
        await log.append(event)
        if number % 4 == 0:
            await log.append(event.model_copy(update={"run": "other", "run_uid": "u-2"}))
        pages.append(await snapshot(serving, project))
    await log.append(events[-1].model_copy(update={"run": "third", "run_uid": "u-3"}))
    last = max(
        e["offset"]
        for e in map(json.loads, [e.text for e in await log.read(project, 0)])
        if e["run"] == "film"
    )
    expected = (await snapshot(serving, project)) | {"offset": last}
    assert (expected["phase"], expected["items_created"]) == ("Succeeded", 30)
    assert expected["notes"] is None
    found = await asyncio.gather(*(followed(serving, project, page, last) for page in pages))
    for page in found:
        page["offset"] = last
        assert without_order(page) == without_order(expected)


async def test_the_log_s_loss_leaves_what_the_operator_wrote(
    serving: Any, log: EventLog, project: str, redis_url: str, written: RedisSnapshots
) -> None:
    """A log that begins in the run's middle, and one that begins again."""
    for event in played_run(project)[:9]:
        await log.append(event)
    state = RunState(
        project_id=project, run="film", run_uid="u-1", phase="Running", started_at="2026-11-29T12:00:00.000Z",
        phase_at="2026-11-29T12:00:09Z", departments={
            "story": DepartmentState(slug="story", place=0, phase="Running", iterations=3, items_created=15),
            "sound": DepartmentState(slug="sound", place=2, name="Sound"),
        },
    )  # fmt: skip
    await written.put(state, 1.0)
    with redis.Redis.from_url(redis_url) as client:
        client.xtrim(names.event_log(project), minid="8-0", approximate=False)
        page = await snapshot(serving, project)
        assert [(d["slug"], d["items_created"]) for d in page["departments"]] == [("story", 15), ("sound", 0)]
        assert (page["offset"], page["complete"], page["phase"]) == (9, True, "Running")
        client.delete(names.event_log(project))
    page = await snapshot(serving, project)
    assert (page["offset"], page["items_created"]) == (0, 15)
    for event in played_run(project)[9:]:
        await log.append(event)
    assert (await snapshot(serving, project))["phase"] == "Succeeded"


async def test_mongodb_gives_what_redis_has_lost(
    serve_bridge: ServeBridge, mongodb_uri: str, project: str, log: EventLog
) -> None:
    """The run, its curve from the checkpoints, and its newest notes without their content."""
    store = MongoSnapshots(mongodb_uri, 2)
    state = RunState(
        project_id=project, run="film", run_uid="u-1", phase="Succeeded",
        departments={"story": DepartmentState(slug="story", iterations=3, items_created=15)},
    )  # fmt: skip
    await store.put(state, 1.0)
    await store.put(state, 1.0)
    await store.close()
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        database = client[names.gather_database(project)]
        checkpoint = {"_id": names.checkpoint_id("u-1", "story"), "department": "story"}
        findings = {
            "gaps": [{"aspect": "sound", "coverage": 12, "severity": "high", "suggestion": "Name it."}]
        }
        kept = {
            "scores": [61.5, None, 80],
            "meters": {"written": 9, "items": [0, 2, 2]},
            "findings": findings,
        }
        database[names.CHECKPOINTS_COLLECTION].insert_one({**checkpoint, **kept})
        for number in range(30):
            database[names.ITEMS_COLLECTION].insert_one(
                {
                    "_id": ObjectId(f"{number:024x}"), "summary": "s" * 900, "content": "secret",
                    "createdAt": datetime(2026, 11, 29, 12, number, tzinfo=UTC),
                    "automationMetadata": {
                        "taskId": f"film-story-{number}", "runUid": "u-1" if number % 3 else "u-0",
                        "department": "story", "iteration": number,
                    },
                }
            )  # fmt: skip
    async with serve_bridge(mongodb_uri=mongodb_uri) as serving:
        page = await snapshot(serving, project)
        assert page["departments"][0]["curve"] == [
            {"iteration": 1, "quality_score": 61.5},
            {"iteration": 3, "quality_score": 80.0},
        ]
        assert page["departments"][0]["duplicates_dropped"] == 3
        assert page["departments"][0]["gaps"] == [
            {"aspect": "sound", "severity": "high", "coverage": 12.0, "suggestion": "Name it."}
        ]
        assert [note["iteration"] for note in page["notes"]] == [n for n in range(29, 0, -1) if n % 3][:20]
        assert {len(note["summary"]) for note in page["notes"]} == {500}
        assert "secret" not in json.dumps(page)
        listed = (await get(serving, f"{project}/runs")).json()
        assert [(run["run"], run["phase"]) for run in listed["runs"]] == [("film", "Succeeded")]
        await log.append(played_run(project)[1])
        assert (await snapshot(serving, project))["offset"] == 1


async def test_an_unavailable_mongodb_leaves_redis_alone_and_says_so(
    serve_bridge: ServeBridge, project: str, log: EventLog
) -> None:
    """Nothing optional is fatal; what is not known is not said to be not there."""
    await log.append(played_run(project)[0])
    away = "mongodb://user:hidden@127.0.0.1:1/?directConnection=true"
    async with serve_bridge(mongodb_uri=away, mongodb_timeout_s=0.2) as serving:
        page = await snapshot(serving, project)
        assert (page["phase"], page["complete"], page["notes"]) == ("Running", False, None)
        answer = await get(serving, f"{project}/runs/nothing/snapshot")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_a_run_made_again_under_its_name_is_another_one(
    serving: Any, log: EventLog, project: str, written: RedisSnapshots
) -> None:
    """The newest is shown, also before it has said anything."""
    for event in played_run(project, uid="u-old"):
        await log.append(event)
    assert (await snapshot(serving, project))["run_uid"] == "u-old"
    await written.put(RunState(project_id=project, run="film", run_uid="u-new"), 2.0)
    page = await snapshot(serving, project)
    assert (page["run_uid"], page["phase"], page["departments"]) == ("u-new", "Pending", [])
    listed = (await get(serving, f"{project}/runs")).json()["runs"]
    assert [run["run_uid"] for run in listed] == ["u-new", "u-old"]


async def test_a_run_is_found_by_its_namespace(
    serve_bridge: ServeBridge, written: RedisSnapshots, mongodb_uri: str, project: str
) -> None:
    """Of two runs of one name in two namespaces each is its own; one made again is the newer one."""
    space = f"films-{project}"
    in_mongodb = MongoSnapshots(mongodb_uri, 2)
    async with serve_bridge(mongodb_uri=mongodb_uri) as serving:
        places = serving.bridge.snapshots.place
        for store, name in ((written, "film"), (in_mongodb, "kept")):
            for created, (uid, namespace) in enumerate(
                [("u-2", space), ("u-3", f"{space}-other"), ("u-1", space)]
            ):
                state = RunState(project_id=project, run=name, run_uid=f"{uid}-{name}", namespace=namespace)
                await store.put(state, -created if uid == "u-1" else created)
            assert await places(space, name) == RunPlace(project, f"u-2-{name}")
            other = await serving.bridge.snapshots.of_run(project, name, f"u-3-{name}")
            assert other["namespace"] == f"{space}-other"
        assert await places(space, "nothing") is None
    await in_mongodb.close()


async def test_a_replica_that_writes_late_undoes_nothing(
    written: RedisSnapshots, mongodb_uri: str, project: str
) -> None:
    """What it knew is joined with what stands there; each score that was written stays."""
    states = [
        RunState(
            project_id=project, run="film", run_uid=f"u-{project}",
            phase=phase, phase_at=f"2026-11-29T12:00:0{at}Z",
            departments={"story": DepartmentState(slug="story", iterations=at, curve={at: 60.0 + at})},
        )
        for at, phase in ((1, "Running"), (3, "Succeeded"), (2, "Running"))
    ]  # fmt: skip
    in_mongodb = MongoSnapshots(mongodb_uri, 2)
    for store in (written, in_mongodb):
        for state in states:
            await store.put(state, 1.0)
        (kept,) = await store.newest(project, 5)
        assert kept.phase == "Succeeded"
        assert kept.departments["story"].curve == {1: 61.0, 2: 62.0, 3: 63.0}
    await in_mongodb.close()


async def test_what_is_listed_and_kept_is_bounded(
    serving: Any, project: str, written: RedisSnapshots, redis_url: str
) -> None:
    """However many runs a project has had."""
    for number in range(120):
        state = RunState(project_id=project, run=f"run-{number}", run_uid=f"u-{number}")
        await written.put(state, float(number))
    with redis.Redis.from_url(redis_url) as client:
        assert client.zcard(names.run_snapshots(project)) == 100
    listed = (await get(serving, f"{project}/runs")).json()
    assert len(listed["runs"]) == 50
    assert {"run-119", "run-70"} <= {run["run"] for run in listed["runs"]}


async def test_strangers_learn_nothing_of_runs(serving: Any, project: str) -> None:
    """The same answers as on the socket."""
    async with httpx.AsyncClient() as client:
        base = f"http://127.0.0.1:{serving.port}/api/v1/projects/{project}/runs"
        for path in (base, f"{base}/film/snapshot"):
            assert (await client.get(path)).status_code == 401
    assert (await get(serving, f"{project}/runs/film/snapshot")).status_code == 404
    assert (await get(serving, f"{project}/runs/Film$/snapshot")).status_code == 400
