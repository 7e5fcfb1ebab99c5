"""The brain's client: what it retries, what it gives up on, and what it sends."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import (
    BrainInvalid,
    BrainNotFound,
    BrainRateLimited,
    BrainRejected,
    BrainUnauthorized,
    BrainUnavailable,
)
from gather_contracts.brain import CoverageRequest, DuplicatesRequest, NodeIn

PROJECT = "507f1f77bcf86cd799439011"
LIMITED = {
    "error": "rate_limit_exceeded", "message": "Too many requests",
    "retry_after": 42, "limit": 30, "window": "1 minute",
}  # fmt: skip
READY = {"status": "ready", "model": "m", "neo4j": "online"}
EMPTY_SEARCH = {"duplicates": [], "query_embedding_time_ms": 1, "search_time_ms": 1, "total_time_ms": 2}
SEARCH = DuplicatesRequest(content="text", project_id=PROJECT)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.slept.append(seconds)
        self.now += seconds


class Server:
    """Answers from a list, the last answer without end; keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def time() -> Time:
    """A clock for one test."""
    return Time()


@pytest.fixture
def client_of(time: Time) -> Callable[[Server], BrainClient]:
    """Make a client that talks to a server of the test's."""
    return lambda server: BrainClient(
        "http://brain/",
        "secret",
        transport=httpx.MockTransport(server),
        deadline_s=30,
        clock=time,
        sleep=time.sleep,
    )


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(429, headers={"Retry-After": "3"}),
        httpx.Response(503, headers={"Retry-After": "3"}),
        httpx.Response(500),
        httpx.Response(502),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(200, text="<html>a proxy's page</html>"),
    ],
    ids=lambda failure: (
        type(failure).__name__ if isinstance(failure, Exception) else str(failure.status_code)
    ),
)
async def test_what_may_pass_is_tried_again(
    failure: httpx.Response | Exception, time: Time, client_of: Callable[[Server], BrainClient]
) -> None:
    """A brain that restarts is a pause and not an error; Retry-After is obeyed."""
    server = Server(failure, httpx.Response(200, json=EMPTY_SEARCH))
    async with client_of(server) as client:
        assert (await client.find_duplicates(SEARCH)).duplicates == []
    assert len(server.requests) == 2
    if isinstance(failure, httpx.Response) and "Retry-After" in failure.headers:
        assert time.slept[0] >= 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BrainInvalid),
        (401, BrainUnauthorized),
        (403, BrainUnauthorized),
        (404, BrainNotFound),
        (413, BrainRejected),
    ],
)
async def test_what_cannot_pass_is_not_tried_again(
    status: int, error: type[BrainRejected], client_of: Callable[[Server], BrainClient]
) -> None:
    """The standard error body's code and message reach the caller."""
    server = Server(httpx.Response(status, json={"error": "code_x", "message": "why", "details": {"a": "b"}}))
    async with client_of(server) as client:
        with pytest.raises(error) as refused:
            await client.find_duplicates(SEARCH)
    assert type(refused.value) is error
    assert (refused.value.status, refused.value.code) == (status, "code_x")
    assert refused.value.details == {"a": "b"}
    assert "why" in str(refused.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("details", "places"),
    [
        ({"invalid_nodes": [{"index": 3, "reason": "why"}]}, {3: "why"}),
        ({"limit": "too large"}, {}),
        ({"invalid_nodes": ["?"]}, {}),
    ],
)
async def test_nodes_that_are_refused_are_known_by_their_place(
    details: dict[str, Any], places: dict[int, str], client_of: Callable[[Server], BrainClient]
) -> None:
    """A writer can drop them and send the rest."""
    server = Server(httpx.Response(400, json={"error": "x", "message": "y", "details": details}))
    async with client_of(server) as client:
        with pytest.raises(BrainInvalid) as refused:
            await client.find_duplicates(SEARCH)
    assert refused.value.invalid_nodes == places


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(429, headers={"Retry-After": "50"}, json=LIMITED), (50, 30, "1 minute")),
        (httpx.Response(429, json=LIMITED), (42, 30, "1 minute")),
        (httpx.Response(429, text="a proxy's page"), (None, None, None)),
    ],
)
async def test_a_reached_limit_says_which_and_for_how_long(
    answer: httpx.Response,
    expected: tuple[int | None, int | None, str | None],
    client_of: Callable[[Server], BrainClient],
) -> None:
    """The body of a 429 is its own; the header goes before it."""
    async with client_of(Server(answer)) as client:
        with pytest.raises(BrainRateLimited) as limited:
            await client.find_duplicates(SEARCH, deadline_s=0.01)
    assert (limited.value.retry_after_s, limited.value.limit, limited.value.window) == expected


async def test_a_brain_that_stays_away_is_given_up_at_the_deadline(
    time: Time, client_of: Callable[[Server], BrainClient]
) -> None:
    """The caller's deadline counts waits too."""
    async with client_of(Server(httpx.Response(503, headers={"Retry-After": "4"}))) as client:
        with pytest.raises(BrainUnavailable) as gave_up:
            await client.find_duplicates(SEARCH, deadline_s=10)
    assert time.now <= 10
    assert len(time.slept) >= 1
    assert gave_up.value.retry_after_s == 4


async def test_a_wait_longer_than_the_deadline_is_not_begun(
    time: Time, client_of: Callable[[Server], BrainClient]
) -> None:
    """Sleeping only to fail would waste the attempt's time."""
    async with client_of(Server(httpx.Response(429, headers={"Retry-After": "120"}))) as client:
        with pytest.raises(BrainUnavailable):
            await client.find_duplicates(SEARCH)
    assert time.slept == []


async def test_nodes_without_ids_get_one_that_stays_over_all_attempts(
    client_of: Callable[[Server], BrainClient],
) -> None:
    """An attempt whose answer was lost must not be written twice."""
    written = {
        "success": True,
        "created": 1,
        "nodeIds": ["x"],
        "nodes": [],
        "timing": {"embedding_time_ms": 1, "neo4j_write_time_ms": 1, "total_time_ms": 2},
    }
    server = Server(httpx.ReadTimeout("lost"), httpx.Response(200, json=written))
    async with client_of(server) as client:
        properties: dict[str, Any] = {"department": "story", "note": None, "iteration": 3}
        await client.create_nodes(
            [NodeIn(type="GatherItem", content="text", project_id=PROJECT, properties=properties)]
        )
    bodies = [json.loads(request.content) for request in server.requests]
    assert bodies[0] == bodies[1]
    assert bodies[0]["nodes"][0]["id"]
    assert bodies[0]["nodes"][0]["properties"] == properties


async def test_requests_carry_the_key_and_the_names_of_the_requirements(
    client_of: Callable[[Server], BrainClient],
) -> None:
    """CamelCase names, `previousDepartments[]`, a bearer key."""
    context = {
        "projectId": PROJECT,
        "targetDepartment": "character",
        "context": {},
        "aggregatedSummary": "",
        "relevantNodes": [],
        "totalNodesAggregated": 0,
        "timing": {"query_time_ms": 1, "aggregation_time_ms": 1, "total_time_ms": 2},
    }
    server = Server(httpx.Response(200, json=context))
    async with client_of(server) as client:
        await client.department_context(PROJECT, "character", ["story", "visual"], limit=5)
    request = server.requests[0]
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.url.params.get_list("previousDepartments[]") == ["story", "visual"]
    assert request.url.params["limit"] == "5"


async def test_the_key_is_in_no_error(client_of: Callable[[Server], BrainClient]) -> None:
    """Errors end up in logs."""
    async with client_of(Server(httpx.ConnectError("secret place"))) as client:
        with pytest.raises(BrainUnavailable) as failed:
            await client.analyze_coverage(
                CoverageRequest(project_id=PROJECT, department="story", gather_items=[]), deadline_s=0.01
            )
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (httpx.Response(200, json=READY), True),
        (httpx.Response(503, json={**READY, "status": "starting"}), False),
        (httpx.ConnectError("x"), False),
    ],
)
async def test_readiness_is_a_plain_yes_or_no(
    answer: httpx.Response | Exception, ready: bool, client_of: Callable[[Server], BrainClient]
) -> None:
    """The caller goes on either way."""
    async with client_of(Server(answer)) as client:
        assert await client.is_ready() is ready


async def test_an_endless_answer_is_cut_off(
    client_of: Callable[[Server], BrainClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every input is bounded, answers too."""
    monkeypatch.setattr("gather_clients.brain_client.MAX_RESPONSE_BYTES", 100)
    async with client_of(Server(httpx.Response(200, content=b"x" * 200))) as client:
        with pytest.raises(BrainRejected):
            await client.find_duplicates(SEARCH)


async def test_readiness_says_why_the_brain_is_not_ready(client_of: Callable[[Server], BrainClient]) -> None:
    """Starting and unavailable call for different patience."""
    async with client_of(Server(httpx.Response(503, json={**READY, "status": "starting"}))) as client:
        assert (await client.readiness()).status == "starting"


@pytest.mark.parametrize("answer", [httpx.Response(200, text="a proxy's page"), httpx.ConnectError("x")])
async def test_readiness_that_the_brain_did_not_tell_is_unavailable(
    answer: httpx.Response | Exception, client_of: Callable[[Server], BrainClient]
) -> None:
    """Nothing is made up."""
    async with client_of(Server(answer)) as client:
        with pytest.raises(BrainUnavailable):
            await client.readiness()


def _page(*ids: str, following: str | None = None) -> httpx.Response:
    node = {
        "type": "GatherItem", "contentHash": "0" * 64, "properties": {}, "revision": 3,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    page: dict[str, Any] = {"nodes": [node | {"id": each} for each in ids]}
    return httpx.Response(200, json=page if following is None else page | {"nextCursor": following})


async def test_nodes_are_listed_over_all_pages(client_of: Callable[[Server], BrainClient]) -> None:
    """Each page with the cursor of the one before, as it came; an empty page need not be the last."""
    server = Server(_page("a", "b", following="b&ä"), _page(following="c"), _page("d"))
    async with client_of(server) as client:
        found = [node.id async for node in client.list_nodes(PROJECT, department="story", page_size=2)]
    assert found == ["a", "b", "d"]
    assert [request.url.params.get("cursor") for request in server.requests] == [None, "b&ä", "c"]
    for request in server.requests:
        sent = {name: value for name, value in request.url.params.items() if name != "cursor"}
        assert sent == {"projectId": PROJECT, "limit": "2", "department": "story"}


async def test_many_nodes_are_deleted_in_several_requests(client_of: Callable[[Server], BrainClient]) -> None:
    """Each id once, and the counts together."""
    server = Server(httpx.Response(200, json={"deleted": 70, "notFound": 30}))
    async with client_of(server) as client:
        answer = await client.delete_nodes(PROJECT, [f"n{n % 150}" for n in range(300)])
    assert (answer.deleted, answer.not_found) == (140, 60)
    assert [len(request.url.params.get_list("ids")) for request in server.requests] == [100, 50]


async def test_a_project_is_erased_in_as_many_requests_as_it_takes(
    client_of: Callable[[Server], BrainClient],
) -> None:
    """What is asked to confirm is the caller's own word."""
    some = {"projectId": PROJECT, "deleted": 5, "profiles": 0, "remaining": True}
    rest = some | {"deleted": 2, "profiles": 1, "remaining": False}
    server = Server(httpx.Response(200, json=some), httpx.Response(200, json=rest))
    async with client_of(server) as client:
        answer = await client.delete_project(PROJECT, confirm=PROJECT)
    assert (answer.deleted, answer.profiles, answer.remaining) == (7, 1, False)
    for request in server.requests:
        assert (request.method, request.url.path) == ("DELETE", f"/api/v1/projects/{PROJECT}")
        assert dict(request.url.params) == {"confirm": PROJECT}
