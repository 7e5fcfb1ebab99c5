"""To the requirements' letter: limits in every answer, failures of keys in the log, origins of pages."""

import hashlib
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gather_brain.auth.api_keys import new_key
from gather_brain.limits.policy import DEFAULTS
from tests.support.brain_nodes import node, write

LIMIT_FIELDS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def raw(url: str, request: bytes) -> str:
    """Send bytes and return all that is answered."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@contextmanager
def held_request(url: str, key: str) -> Iterator[None]:
    """Have one request under way, whose body does not come: the brain has said that it waits for it."""
    parts = urlsplit(url)
    head = f"POST /api/v1/nodes/batch HTTP/1.1\r\nHost: brain\r\nAuthorization: Bearer {key}\r\n"
    body = "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"{head}{body}".encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        yield


async def test_every_answer_shows_a_limit(brain: Any, http: httpx.AsyncClient, project: str) -> None:
    """Refusals, errors of the protocol, documents and probes included."""
    async with httpx.AsyncClient(base_url=brain.url) as stranger:
        answers = [
            await http.get("/api/v1/nodes", params={"projectId": project}),
            await http.get("/api/v1/nodes"),
            await http.get("/api/v1/nope"),
            await http.put("/api/v1/nodes/batch"),
            await stranger.get("/api/v1/nodes"),
            await stranger.get("/api/v1/docs"),
            await stranger.get("/api/v1/openapi.json"),
            await stranger.get("/api/v1/docs/swagger-ui.css"),
            await stranger.get("/healthz"),
            await stranger.get("/readyz"),
            await stranger.get("/"),
        ]
    for answer in answers:
        assert all(answer.headers[name].isdecimal() for name in LIMIT_FIELDS), answer.request.url
        assert answer.headers["x-request-id"]
    malformed = raw(brain.url, b"GET /api/v1/nodes HTTP/1.1\r\nbad header\r\n\r\n").lower()
    assert malformed.startswith("http/1.1 400")
    assert all(f"{name}: " in malformed for name in (*LIMIT_FIELDS, "x-request-id"))


async def test_a_keys_limits_can_be_read_without_using_any(
    start_brain: Callable[..., AbstractContextManager[Any]], redis_url: str, project: str
) -> None:
    """Counted together in Redis, or in the process alone; of others' projects there is nothing to read."""
    # One of those that are used comes back a minute: none while the test runs.
    slow = f"duplicates=1/{DEFAULTS['duplicates'].burst}"
    for settings in ({}, {"REDIS_URL": redis_url, "GATHER_REDIS_KEY_PREFIX": f"{secrets.token_hex(4)}:"}):
        with start_brain(**settings) as brain:
            key = brain.keys("create", "--name", "t", "--project", project, "--limit", slow).stdout.strip()
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=brain.url, headers=headers, timeout=30) as own:
                for _ in range(3):
                    unused = await _available(own, project)
                    assert unused["duplicates"] == DEFAULTS["duplicates"].burst
                body = {"projectId": project, "content": "Ada keeps the lamp."}
                for _ in range(3):
                    assert (await own.post("/api/v1/search/duplicates", json=body)).status_code == 200
                after = await _available(own, project)
                assert after["duplicates"] == DEFAULTS["duplicates"].burst - 3
                assert after["batch"] == DEFAULTS["batch"].burst
                other = await own.get("/api/v1/limits", params={"projectId": secrets.token_hex(12)})
                assert other.status_code == 404


async def _available(own: httpx.AsyncClient, project: str) -> dict[str, int]:
    answer = await own.get("/api/v1/limits", params={"projectId": project})
    assert answer.status_code == 200, answer.text
    limits = answer.json()["limits"]
    assert {each["name"] for each in limits} == set(DEFAULTS) - {"refused"}
    return {each["name"]: each["available"] for each in limits}


def test_a_failed_authentication_is_logged_with_who_it_was(brain: Any) -> None:
    """The address and the key's fingerprint, never the key; without a key there is none."""
    key = f"gbk_{secrets.token_hex(16)}"
    seen = brain.log.stat().st_size
    for headers in ({"Authorization": f"Bearer {key}"}, {}):
        assert httpx.get(f"{brain.url}/api/v1/limits", headers=headers).status_code == 401
    written = brain.log.read_bytes()[seen:].decode()
    lines = [json.loads(line) for line in written.splitlines()]
    failures = [line for line in lines if line["message"] == "authentication failed"]
    fingerprint = hashlib.sha256(key.encode()).hexdigest()[:12]
    assert [(line["client"], line["key_fingerprint"]) for line in failures] == [
        ("127.0.0.1", fingerprint), ("127.0.0.1", None),
    ]  # fmt: skip
    assert key not in written


def test_keys_that_cannot_be_looked_up_are_no_failed_authentication(starting_brain: Any) -> None:
    """Neo4j is unavailable: 503, and the log says that and nothing of the caller."""
    key = new_key()
    answer = httpx.get(
        f"{starting_brain.url}/api/v1/limits", headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.status_code == 503
    written = starting_brain.log.read_text()
    assert "keys cannot be looked up: Neo4j is unavailable" in written
    assert "authentication failed" not in written


async def test_pages_of_allowed_origins_may_call_the_api(
    start_brain: Callable[..., AbstractContextManager[Any]], project: str
) -> None:
    """A browser asks first, without a key; other origins get no leave, and by default none does.

    A page's script may read refusals too, those of a brain that has no room included.
    """
    page = "https://studio.example"
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    settings = {"GATHER_BRAIN_ALLOWED_ORIGINS": json.dumps([page]), "GATHER_BRAIN_MAX_REQUESTS": "1"}
    with start_brain(**settings) as brain:
        url = f"{brain.url}/api/v1/search/duplicates"
        async with httpx.AsyncClient() as browser:
            preflight = await browser.options(url, headers={"Origin": page, **asks})
            other = await browser.options(url, headers={"Origin": "https://elsewhere.example", **asks})
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, page)
        assert "access-control-allow-origin" not in other.headers
        assert (other.status_code, other.json()["error"]) == (400, "validation_failed")
        assert all(name in preflight.headers and name in other.headers for name in LIMIT_FIELDS)
        headers = {"Authorization": f"Bearer {brain.service_key}", "Origin": page}
        async with httpx.AsyncClient(base_url=brain.url, headers=headers, timeout=30) as own:
            await write(own, node(project, "n"))
            answer = await own.get("/api/v1/nodes", params={"projectId": project})
            refused = await own.get("/api/v1/nodes")
            with held_request(brain.url, brain.service_key):
                full = await own.get("/api/v1/nodes")
        assert (answer.status_code, refused.status_code, full.status_code) == (200, 400, 503)
        for each in (answer, refused, full):
            assert each.headers["access-control-allow-origin"] == page
            assert "X-RateLimit-Remaining" in each.headers["access-control-expose-headers"]


def test_no_page_may_call_by_default(brain: Any) -> None:
    """What the browser then hears is a refusal."""
    asks = {"Origin": "https://studio.example", "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{brain.url}/api/v1/search/duplicates", headers=asks)
    assert answer.status_code == 401
    assert "access-control-allow-origin" not in answer.headers


def test_the_documentation_is_there_with_a_slash_too(brain: Any) -> None:
    """As people type it."""
    answer = httpx.get(f"{brain.url}/api/v1/docs/", follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/api/v1/docs")


@pytest.mark.parametrize(
    "form",
    [
        [("previousDepartments[]", "story"), ("previousDepartments[]", "visual")],
        [("previousDepartments", "story"), ("previousDepartments", "visual")],
        [("previousDepartments", "story,visual")],
        [("previousDepartments[0]", "story"), ("previousDepartments[1]", "visual")],
    ],
    ids=["brackets", "plain", "commas", "places"],
)
async def test_a_list_may_be_written_in_any_usual_form(
    http: httpx.AsyncClient, project: str, form: list[tuple[str, str]]
) -> None:
    """As libraries of different languages do it."""
    await write(http, node(project, "n", properties={"department": "story"}))
    query = httpx.QueryParams([("projectId", project), ("department", "music"), *form])
    answer = await http.get("/api/v1/context/department", params=query)
    assert answer.status_code == 200, answer.text
    assert {name: each["nodeCount"] for name, each in answer.json()["context"].items()} == {
        "story": 1,
        "visual": 0,
    }
