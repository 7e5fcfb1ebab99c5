"""When the process should be restarted, and when not."""

from typing import Any

import pytest

from gather_operator.health import API_ANSWERS_S, NO_EVENTS_S, Health, WatchCanary
from tests.support.fake_clock import FakeClock

SILENT = "the GatherRun watch receives no events"


@pytest.fixture
def canary(clock: FakeClock) -> WatchCanary:
    canary = WatchCanary(30, clock)
    clock.now_s += 31
    return canary


def test_a_watch_that_delivers_is_not_silent(canary: WatchCanary, clock: FakeClock) -> None:
    """It may be behind a list by seconds."""
    canary.listed([("a", 5)])
    clock.now_s += 10
    canary.delivered("a", 5)
    clock.now_s += 60
    assert not canary.is_silent()


def test_a_quiet_namespace_is_not_silence(canary: WatchCanary, clock: FakeClock) -> None:
    """Nothing changed, so nothing was missed."""
    canary.delivered("a", 5)
    for _ in range(10):
        canary.listed([("a", 5)])
        clock.now_s += 60
    assert not canary.is_silent()


def test_what_a_list_shows_and_the_watch_does_not_is_silence(canary: WatchCanary, clock: FakeClock) -> None:
    """Also while the run goes on changing."""
    canary.delivered("a", 5)
    for version in (6, 7, 8, 9):
        canary.listed([("a", version)])
        clock.now_s += 10
    assert canary.is_silent()


def test_a_run_that_is_gone_is_no_longer_missed(canary: WatchCanary, clock: FakeClock) -> None:
    """It was created and deleted between two lists."""
    canary.listed([("a", 6)])
    canary.listed([])
    clock.now_s += 60
    assert not canary.is_silent()


def test_a_restarted_watch_gets_time(canary: WatchCanary, clock: FakeClock) -> None:
    """And if that does not help, the canary says for how long."""
    canary.listed([("a", 6)])
    clock.now_s += 31
    assert canary.is_silent()
    canary.restarted()
    assert not canary.is_silent()
    clock.now_s += 31
    assert canary.is_silent()
    assert canary.broken_for_s() == 31
    canary.delivered("a", 6)
    assert (canary.is_silent(), canary.broken_for_s()) == (False, 0)


def health_of(canary: WatchCanary, clock: FakeClock, listed_s: float | None, seen_s: float) -> Health:
    return Health(canary, lambda: [clock.now_s, seen_s], lambda: True, clock, listed_s)


def break_watch(canary: WatchCanary, clock: FakeClock) -> None:
    canary.listed([("a", 6)])
    clock.now_s += 31
    canary.restarted()
    clock.now_s += NO_EVENTS_S + 1


@pytest.mark.parametrize(
    ("is_broken", "ago_s", "expected"),  # ago: the last list, and when an informer last received
    [
        pytest.param(False, (1, 1), "", id="all well"),
        pytest.param(False, (None, 1e6), "", id="the API never answered"),
        pytest.param(
            True, (API_ANSWERS_S + 1, 1e6), "", id="the API is unavailable: a restart would not help"
        ),
        pytest.param(True, (1, 1), SILENT, id="kopf shows nothing"),
        pytest.param(
            False,
            (1, NO_EVENTS_S + 1),
            "the Job or pod watch receives no events",
            id="an informer receives nothing",
        ),
    ],
)
def test_liveness(
    canary: WatchCanary, clock: FakeClock, is_broken: bool, ago_s: tuple[float | None, float], expected: str
) -> None:
    """Only if the API answers and a watch is silent."""
    if is_broken:
        break_watch(canary, clock)
    listed_ago_s, seen_ago_s = ago_s
    listed_s = None if listed_ago_s is None else clock.now_s - listed_ago_s
    assert health_of(canary, clock, listed_s, clock.now_s - seen_ago_s).trouble() == expected


def test_readiness_needs_one_full_look(canary: WatchCanary, clock: FakeClock) -> None:
    """And stays when the API becomes unavailable."""
    assert health_of(canary, clock, None, 0).unready()
    health = health_of(canary, clock, clock.now_s, 0)
    clock.now_s += 10_000
    assert not health.unready()


async def test_the_endpoints_answer(canary: WatchCanary, clock: FakeClock, aiohttp_get: Any) -> None:
    """What the kubelet and Prometheus ask for."""
    health = health_of(canary, clock, None, 0)
    assert await aiohttp_get(health, "/healthz") == (200, "ok")
    assert (await aiohttp_get(health, "/readyz"))[0] == 503
    health.listed_s = clock.now_s
    assert (await aiohttp_get(health, "/readyz"))[0] == 200
    status, text = await aiohttp_get(health, "/metrics")
    assert status == 200
    assert "gather_operator_decisions" in text
    break_watch(canary, clock)
    health.listed_s = clock.now_s
    assert await aiohttp_get(health, "/healthz") == (500, SILENT)
