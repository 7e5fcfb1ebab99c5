"""Whoever has no business in a project: what each operation answers, what it costs, and how long it takes."""

import logging
import os
import random
import re
import secrets
import statistics
import time
from typing import Any, Final

import httpx
import pytest

from gather_brain.auth.api_keys import new_key
from gather_brain.context.profile_refresher import REFRESH_DELAY_S

logger = logging.getLogger(__name__)

TIMED_REQUESTS: Final = int(os.environ.get("GATHER_ISOLATION_TIMED_REQUESTS", "10"))
TIMED_MIN: Final = 500
"""Medians of fewer requests are not compared: `make isolation` has more."""
SHUFFLES: Final = 2000
QUIET_S: Final = REFRESH_DELAY_S + 1
"""Without a query for so long, nothing that follows a write waits any more."""
OPERATIONS: Final = (
    "write", "search", "several", "compare", "context", "coverage", "list", "get", "delete", "erase",
)  # fmt: skip
NOT_FOUND: Final = {"error": "not_found", "message": "Project not found"}
UNAUTHORIZED: Final = {"error": "unauthorized", "message": "Invalid or missing API key"}
SITUATIONS: Final = {
    "another's project": (404, NOT_FOUND),
    "an unknown project": (404, NOT_FOUND),
    "no key": (401, UNAUTHORIZED),
    "a malformed key": (401, UNAUTHORIZED),
    "a key that was never made": (401, UNAUTHORIZED),
    "a revoked key": (401, UNAUTHORIZED),
    "an expired key": (401, UNAUTHORIZED),
}


def _queries(world: Any) -> dict[str, float]:
    """How often Neo4j was asked, by kind, but for what no request asks."""
    text = world.brain.metrics
    found = re.findall(r'neo4j_query_duration_seconds_count\{query_type="(\w+)"\} (\S+)', text)
    return {kind: float(count) for kind, count in found if kind not in {"probe", "embeddings", "schema"}}


@pytest.fixture(scope="module")
def quiet_world(world: Any) -> Any:
    """The world once the other tenant's project has nodes and nothing waits in the background."""
    theirs = world.tenants[1]
    method, path, more = world.operations["write"](theirs.project)
    url = f"{world.brain.url}/api/v1{path}"
    assert httpx.request(method, url, headers=theirs.headers, timeout=60, **more).status_code == 200
    ends_at = time.monotonic() + 60
    counts, since = _queries(world), time.monotonic()
    while time.monotonic() < since + QUIET_S:
        time.sleep(0.2)
        if (found := _queries(world)) != counts:
            counts, since = found, time.monotonic()
        assert time.monotonic() < ends_at
    return world


@pytest.mark.parametrize("operation", OPERATIONS)
def test_neither_anothers_project_nor_an_unknown_one_costs_a_query(quiet_world: Any, operation: str) -> None:
    """So there is nothing that could take longer for the one than for the other."""
    world = quiet_world
    mine, theirs = world.tenants
    before = _queries(world)
    with httpx.Client(base_url=f"{world.brain.url}/api/v1", timeout=60) as http:
        for project in (theirs.project, secrets.token_hex(12)):
            method, path, more = world.operations[operation](project)
            for _ in range(5):
                assert http.request(method, path, headers=mine.headers, **more).status_code == 404
    assert _queries(world) == before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_time_does_not_tell_anothers_project_from_an_unknown_one(world: Any, operation: str) -> None:
    """Medians of interleaved requests differ no more than those of two projects that are both unknown."""
    mine, theirs = world.tenants
    projects = {
        "theirs": theirs.project,
        "unknown": secrets.token_hex(12),
        "as unknown": secrets.token_hex(12),
    }
    taken: dict[str, list[float]] = {name: [] for name in projects}
    with httpx.Client(base_url=f"{world.brain.url}/api/v1", timeout=60) as http:
        method, path, more = world.operations["write"](projects["theirs"])
        assert http.request(method, path, headers=theirs.headers, **more).status_code == 200
        for _ in range(TIMED_REQUESTS):
            for name in random.sample(list(projects), len(projects)):
                method, path, more = world.operations[operation](projects[name])
                started = time.perf_counter()
                response = http.request(method, path, headers=mine.headers, **more)
                taken[name].append(time.perf_counter() - started)
                assert response.status_code == 404
    difference = _median_difference(taken["theirs"], taken["unknown"])
    noise = _noise(taken["unknown"], taken["as unknown"])
    logger.info(
        "%s: median %.3f ms, theirs - unknown %+.4f ms, noise (A/A) %.4f ms, %d of each",
        operation, statistics.median(taken["unknown"]) * 1e3, difference * 1e3, noise * 1e3, TIMED_REQUESTS,
    )  # fmt: skip
    assert TIMED_REQUESTS < TIMED_MIN or abs(difference) <= noise


def _median_difference(one: list[float], other: list[float]) -> float:
    return statistics.median(one) - statistics.median(other)


def _noise(one: list[float], other: list[float]) -> float:
    """How far apart the medians of two halves of the same lie at most, in 2,000 shuffles, and half more.

    By chance alone that is exceeded once in two thousand times; the half is for what changes on the machine.
    """
    pool, chance = [*one, *other], random.Random(1)  # noqa: S311 - repeatable, not secret
    widest = 0.0
    for _ in range(SHUFFLES):
        chance.shuffle(pool)
        widest = max(widest, abs(_median_difference(pool[: len(one)], pool[len(one) :])))
    return 1.5 * max(widest, abs(_median_difference(one, other)))


@pytest.fixture(scope="module")
def spent_keys(world: Any) -> dict[str, str]:
    """Keys for the first tenant's project that were good once."""
    project = world.tenants[0].project
    create = ("create", "--project", project, "--name", "spent")
    revoked = world.brain.keys(*create).stdout.strip()
    (identity,) = [
        line.split("\t")[0] for line in world.brain.keys("list").stdout.splitlines() if project in line
    ]
    assert world.brain.keys("revoke", identity).returncode == 0
    expired = world.brain.keys(*create, "--expires-in", "1s").stdout.strip()
    method, path, more = world.operations["write"](project)
    for key in (revoked, expired):
        deadline = time.monotonic() + 10
        headers = {"Authorization": f"Bearer {key}"}
        while (
            httpx.request(method, f"{world.brain.url}/api/v1{path}", headers=headers, **more).status_code
            != 401
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    return {"a revoked key": revoked, "an expired key": expired}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_answers_without_permission(
    world: Any, spent_keys: dict[str, str], operation: str, situation: str
) -> None:
    """Every operation by everybody who has no business there: the same words, and nothing besides."""
    mine, theirs = world.tenants
    key = {
        "no key": None,
        "a malformed key": mine.key[:-1] + ("0" if mine.key[-1] != "0" else "1"),
        "a key that was never made": new_key(),
        **spent_keys,
    }.get(situation, mine.key)
    project = {"another's project": theirs.project, "an unknown project": secrets.token_hex(12)}.get(
        situation, mine.project
    )
    method, path, more = world.operations[operation](project)
    response = httpx.request(
        method,
        f"{world.brain.url}/api/v1{path}",
        headers={} if key is None else {"Authorization": f"Bearer {key}"},
        **more,
    )
    assert (response.status_code, response.json()) == SITUATIONS[situation]
    assert project not in str(response.headers)
