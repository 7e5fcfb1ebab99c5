"""Rate limits on the wire: two brains that share one Redis, and one that loses it."""

import asyncio
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from dev.service_process import ServiceProcess
from gather_brain.app import BUCKETS_PREFIX
from gather_clients.brain_client import BrainClient
from gather_contracts.brain import DuplicatesRequest
from gather_worker.attempt import Attempt
from gather_worker.services.brain import Brain as WorkersBrain

FIELDS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit-Policy", "RateLimit")
OWN_PROJECT = secrets.token_hex(12)
SLOW = {"per_minute": 1, "burst": 20}
"""No test lasts until one more is admitted."""
KEYS: dict[str, dict[str, Any]] = {
    "usual": {"projects": ["*"]},
    "slow": {"projects": ["*"], "limits": {"coverage": SLOW, "duplicates": SLOW}},
    "quick": {"projects": ["*"], "limits": {"duplicates": {"per_minute": 60, "burst": 1}}},
    "tenant": {"projects": [OWN_PROJECT]},
    "clumsy": {"projects": [OWN_PROJECT], "limits": {"refused": {"per_minute": 1, "burst": 3}}},
    "late": {"projects": ["*"], "expires_at": "2020-01-01T00:00:00Z"},
}

Request = tuple[str, str, dict[str, Any] | None]


@dataclass(frozen=True)
class Replicas:
    """Two brains with one keys file and one Redis."""

    brains: tuple[Any, Any]
    keys: dict[str, str]

    def client(self, name: str, replica: int = 0) -> httpx.AsyncClient:
        """Return a client with the named key."""
        headers = {"Authorization": f"Bearer {self.keys[name]}"}
        return httpx.AsyncClient(base_url=self.brains[replica].url, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def settings(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of a brain that knows `KEYS`, each named as its own secret."""
    listed = [
        {"name": name, "sha256": hashlib.sha256(key_of(name).encode()).hexdigest(), **rest}
        for name, rest in KEYS.items()
    ]
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.write_text(json.dumps(listed))
    return {"GATHER_BRAIN_KEYS_FILE": str(path), "REDIS_URL": redis_url, "GATHER_REDIS_TIMEOUT_S": "30"}


def key_of(name: str) -> str:
    """Return the key of that name."""
    return f"key-{name}"


@pytest.fixture(scope="module")
def replicas(
    start_brain: Callable[..., AbstractContextManager[Any]], settings: dict[str, str]
) -> Iterator[Replicas]:
    """Two brains."""
    with start_brain(**settings) as one, start_brain(**settings) as other:
        yield Replicas((one, other), {name: key_of(name) for name in KEYS})


def batch(project: str) -> Request:
    node = {"type": "GatherItem", "content": "Ada keeps the lamp.", "projectId": project, "id": "one"}
    return "POST", "/api/v1/nodes/batch", {"nodes": [node]}


def search(project: str) -> Request:
    return "POST", "/api/v1/search/duplicates", {"content": "Ada keeps the lamp.", "projectId": project}


def search_batch(project: str) -> Request:
    contents = ["Ada keeps the lamp.", "The ferry is late."]
    return "POST", "/api/v1/search/duplicates/batch", {"contents": contents, "projectId": project}


def compare(project: str) -> Request:
    pairs = [{"a": "Ada keeps the lamp.", "b": "The ferry is late."}]
    return "POST", "/api/v1/search/similarity", {"pairs": pairs, "projectId": project}


def context(project: str) -> Request:
    query = f"projectId={project}&department=x&previousDepartments[]=story"
    return "GET", f"/api/v1/context/department?{query}", None


def coverage(project: str) -> Request:
    return "POST", "/api/v1/analyze/coverage", {"projectId": project, "department": "x", "gatherItems": []}


def listing(project: str) -> Request:
    return "GET", f"/api/v1/nodes?projectId={project}", None


def get(project: str) -> Request:
    return "GET", f"/api/v1/nodes/one?projectId={project}", None


def delete(project: str) -> Request:
    return "DELETE", f"/api/v1/nodes?projectId={project}&ids=one", None


def erase(project: str) -> Request:
    return "DELETE", f"/api/v1/projects/{project}?confirm={project}", None


async def send(client: httpx.AsyncClient, request: Request) -> httpx.Response:
    method, path, body = request
    return await client.request(method, path, json=body)


def available(response: httpx.Response) -> int:
    """Return how many requests would be admitted now."""
    return int(response.headers["RateLimit"].split(";")[1].removeprefix("r="))


@pytest.mark.parametrize(
    ("build", "per_minute", "burst"),
    [
        (batch, 10, 20),
        (search, 30, 50),
        (search_batch, 30, 50),
        (compare, 30, 50),
        (context, 20, 30),
        (coverage, 5, 10),
        (listing, 60, 120),
        (get, 120, 200),
        (delete, 10, 20),
        (erase, 2, 2),
    ],
)
async def test_two_replicas_admit_the_burst_together_and_then_say_when_to_come_back(
    replicas: Replicas, project: str, build: Callable[[str], Request], per_minute: int, burst: int
) -> None:
    """In the required form, to every endpoint with its own limit."""
    started = time.monotonic()
    async with replicas.client("usual", 0) as one, replicas.client("usual", 1) as other:
        sent = [send((one, other)[turn % 2], build(project)) for turn in range(burst + 10)]
        answers = await asyncio.gather(*sent)
    refused = [answer for answer in answers if answer.status_code == 429]
    regained = int((time.monotonic() - started) * per_minute / 60) + 1
    assert burst <= len(answers) - len(refused) <= burst + regained
    for answer in refused:
        body, headers = answer.json(), answer.headers
        retry_after = body.pop("retry_after")
        assert body == {
            "error": "rate_limit_exceeded", "message": "Too many requests",
            "limit": per_minute, "window": "1 minute",
        }  # fmt: skip
        assert headers["Retry-After"] == str(retry_after)
        assert 1 <= retry_after <= -(-60 // per_minute)
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == (str(per_minute), "0")
        assert retry_after - 1 <= int(headers["X-RateLimit-Reset"]) - time.time()


async def test_a_batch_of_searches_is_one_request_of_the_same_bucket(
    replicas: Replicas, project: str
) -> None:
    """Batches are welcome; they are no second allowance."""
    async with replicas.client("slow") as client:
        seen = [await send(client, build(project)) for build in (search, search_batch, compare)]
    assert [available(answer) for answer in seen] == [19, 18, 17]


async def test_projects_and_keys_do_not_share_a_bucket(replicas: Replicas, project: str) -> None:
    """The pair counts."""
    async with replicas.client("slow") as slow, replicas.client("usual") as usual:
        first = await send(slow, search(project))
        elsewhere = await send(slow, search(secrets.token_hex(12)))
        others = await send(usual, search(project))
    assert (available(first), available(elsewhere), available(others)) == (19, 19, 49)


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("status", "key", "request_"),
    [
        (401, None, {"json": {}}),
        (401, "late", {"json": {}}),
        (200, "tenant", {"json": batch(OWN_PROJECT)[2]}),
        (400, "tenant", {"json": {}}),
        (400, "tenant", {"json": {"nodes": [{"content": ""}]}}),
        (404, "tenant", {"json": batch("0" * 24)[2]}),
        (404, "tenant", {"url": "/api/v1/nope"}),
        (405, "tenant", {"method": "DELETE"}),
        (413, "tenant", {"content": b" " * 11_000_000, "headers": JSON}),
        (415, "tenant", {"content": b"{}"}),
    ],
)
async def test_every_answer_has_the_limit_header_fields(
    replicas: Replicas, status: int, key: str | None, request_: dict[str, Any]
) -> None:
    """Whatever went wrong, and before a project is known."""
    async with replicas.client(key or "usual") as client:
        if key is None:
            del client.headers["Authorization"]
        answer = await client.request(**{"method": "POST", "url": "/api/v1/nodes/batch", **request_})
    assert answer.status_code == status, answer.text
    limit, remaining, reset = (int(answer.headers[name]) for name in FIELDS[:3])
    assert 0 <= remaining <= limit == (120 if "url" in request_ else 10)
    assert reset >= int(time.time()) - 1
    assert re.fullmatch(r'"minute";q=\d+;w=60, "burst";q=\d+', answer.headers["RateLimit-Policy"])
    assert re.fullmatch(r'"burst";r=\d+;t=\d+', answer.headers["RateLimit"])


def test_a_brain_without_neo4j_sends_the_limit_header_fields_too(starting_brain: Any) -> None:
    """503 is an answer like any other."""
    method, path, body = search("0" * 24)
    headers = {"Authorization": f"Bearer {starting_brain.service_key}"}
    answer = httpx.request(method, starting_brain.url + path, json=body, headers=headers)
    assert answer.status_code == 503
    assert [name for name in FIELDS if name not in answer.headers] == []


async def test_another_s_project_touches_no_bucket_and_looks_like_none(
    replicas: Replicas, project: str, redis: Redis
) -> None:
    """Neither the body nor the figures tell the one that exists from the one that does not."""
    async with replicas.client("usual") as service, replicas.client("tenant") as tenant:
        assert (await send(service, batch(project))).status_code == 200
        for build in (batch, search, search_batch, context, coverage, listing, get, delete, erase):
            theirs = await send(tenant, build(project))
            missing = await send(tenant, build("0" * 24))
            assert (theirs.status_code, theirs.content) == (missing.status_code, missing.content)
            assert theirs.status_code == 404
            figures = [
                [answer.headers[name] for name in FIELDS if name != "X-RateLimit-Reset"]
                for answer in (theirs, missing)
            ]
            assert figures[0] == figures[1]
            assert theirs.headers["X-RateLimit-Limit"] == theirs.headers["X-RateLimit-Remaining"]
    touched = [key async for key in redis.scan_iter(f"{BUCKETS_PREFIX}file:tenant:*")]
    assert f"{BUCKETS_PREFIX}file:tenant:-:refused" in touched
    assert not [bucket for bucket in touched if project in bucket or "0" * 24 in bucket]


async def test_requests_that_reach_no_project_have_a_limit_of_their_own(replicas: Replicas) -> None:
    """A flood of them ends in 429 while the key's right requests go on."""
    async with replicas.client("clumsy") as client:
        wrong: list[Request] = [
            batch("0" * 24),
            ("POST", "/api/v1/nodes/batch", {}),
            ("GET", "/api/v1/nope", None),
        ]
        answers = [await send(client, request) for request in [*wrong, *wrong]]
        assert [answer.status_code for answer in answers] == [404, 400, 404, 429, 429, 429]
        assert answers[-1].json()["limit"] == 1
        assert (await send(client, search(OWN_PROJECT))).status_code != 429


async def test_a_missing_redis_fails_no_request_and_forgets_nothing_of_this_process(
    start_brain: Callable[..., AbstractContextManager[Any]],
    settings: dict[str, str],
    redis_store: ServiceProcess,
    project: str,
) -> None:
    """The process goes on with its own count, says so once, and comes back by itself."""

    async def shared() -> bool:
        (line,) = [
            line
            for line in (await asyncio.to_thread(lambda: brain.metrics)).splitlines()
            if line.startswith("gather_brain_limits_shared ")
        ]
        return float(line.split()[1]) == 1.0

    with start_brain(**settings) as brain:
        headers = {"Authorization": f"Bearer {key_of('slow')}"}
        async with httpx.AsyncClient(base_url=brain.url, headers=headers, timeout=60) as client:
            before = [available(await send(client, search(project))) for _ in range(3)]
            assert await shared()
            with redis_store.absent():
                without = [await send(client, search(project)) for _ in range(18)]
                assert not await shared()
            assert before == [19, 18, 17]
            assert [available(answer) for answer in without] == [*range(16, -1, -1), 0]
            assert [answer.status_code for answer in without] == [404] * 17 + [429]
            while not await shared():
                pass
        lines = [json.loads(line) for line in brain.log.read_text().splitlines()]
    logged = [line["message"] for line in lines if line["logger"] == "gather_clients.limits.buckets"]
    assert logged == [
        "Redis is unavailable: this process counts its limits alone",
        "Redis is back: limits are counted together",
    ]


async def test_the_client_and_the_worker_wait_as_long_as_a_429_says(replicas: Replicas, project: str) -> None:
    """A run can want more than its limit; that costs time and nothing else."""
    async with replicas.client("usual") as service:
        assert (await send(service, batch(project))).status_code == 200
        before = await refusals_of(replicas.brains[0])
        async with BrainClient(replicas.brains[0].url, replicas.keys["quick"]) as client:
            request = DuplicatesRequest(content="Ada keeps the lamp.", project_id=project)
            for _ in range(3):
                assert (await client.find_duplicates(request)).duplicates
            worker = WorkersBrain(client, Attempt(300), project)
            for _ in range(2):
                assert [len(found) for found in await worker.neighbours(["Ada keeps the lamp."])] == [1]
        after = await refusals_of(replicas.brains[0])
    assert sum(after.values()) > sum(before.values())


async def refusals_of(brain: Any) -> dict[str, float]:
    """Return `rate_limit_exceeded_total` by endpoint."""
    lines = (await asyncio.to_thread(lambda: brain.metrics)).splitlines()
    found = [line.rsplit(" ", 1) for line in lines if line.startswith("rate_limit_exceeded_total{")]
    return {name.split('"')[1]: float(value) for name, value in found}


async def test_refused_requests_are_counted_and_logged_without_the_key(
    replicas: Replicas, project: str
) -> None:
    """With the request's id and the key's, which is no secret."""
    before = (await refusals_of(replicas.brains[0]))["/api/v1/search/duplicates"]
    async with replicas.client("quick") as client:
        client.headers["X-Request-Id"] = f"mine-{project}"
        answers = [await send(client, search(project)) for _ in range(2)]
        while answers[-1].status_code != 429:
            answers.append(await send(client, search(project)))
    async with replicas.client("late") as client:
        client.headers["X-Request-Id"] = f"late-{project}"
        assert (await send(client, search(project))).status_code == 401
    assert (await refusals_of(replicas.brains[0]))["/api/v1/search/duplicates"] > before
    log = replicas.brains[0].log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    of_limit = [line for line in lines if line.get("request_id") == f"mine-{project}"]
    assert {(line["status"], line["key_id"], line["endpoint"]) for line in of_limit} >= {
        (429, "file:quick", "/api/v1/search/duplicates")
    }
    of_key = [line["message"] for line in lines if line.get("request_id") == f"late-{project}"]
    assert of_key == ["authentication failed", "request"]
    assert "key-quick" not in log
    assert "key-late" not in log


async def test_a_revoked_key_is_refused_by_every_replica_within_five_seconds(
    replicas: Replicas, project: str
) -> None:
    """Both had it in their memory."""
    one, _ = replicas.brains
    created = one.keys(
        "create", "--name", "app", "--project", project, "--limit", "batch=1/70", "--expires-in", "1d"
    )
    key = created.stdout.strip()
    (line,) = [line for line in one.keys("list").stdout.splitlines() if project in line]
    key_id, *_, expires, limits = line.split("\t")
    assert limits == "batch=1/70"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", expires)
    clients = [
        httpx.AsyncClient(base_url=brain.url, headers={"Authorization": f"Bearer {key}"})
        for brain in replicas.brains
    ]
    try:
        first = [await send(client, batch(project)) for client in clients]
        assert [(answer.status_code, available(answer)) for answer in first] == [(200, 69), (200, 68)]
        assert one.keys("revoke", key_id).returncode == 0
        ends_at = time.monotonic() + 5
        for client in clients:
            sent_at = 0.0
            while (await send(client, context(project))).status_code != 401:
                assert sent_at < ends_at
                await asyncio.sleep(0.05)  # else a fast machine reaches the limit of requests first
                sent_at = time.monotonic()
    finally:
        for client in clients:
            await client.aclose()


def test_a_key_expires_at_its_time(replicas: Replicas, project: str) -> None:
    """Also one for all projects, and although the brain had it in its memory."""
    one, _ = replicas.brains
    key = one.keys("create", "--name", "service", "--project", "*", "--expires-in", "1s").stdout.strip()
    method, path, body = search(project)
    headers = {"Authorization": f"Bearer {key}"}
    ends_at = time.monotonic() + 10
    with httpx.Client(base_url=one.url, headers=headers) as client:
        while (answer := client.request(method, path, json=body)).status_code != 401:
            assert answer.status_code == 404
            assert time.monotonic() < ends_at
            time.sleep(0.05)  # else a fast machine reaches the limit of requests first
