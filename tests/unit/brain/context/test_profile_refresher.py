"""Profiles are made once, kept for all, refined in the background, and nothing of it stops for a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from gather_brain.context.profile_refresher import ProfileRefresher, themes_of
from gather_brain.context.theme_refiner import CallBudget, ThemeRefiner
from gather_brain.errors import UnavailableError
from gather_brain.store.department_store import Departments, Overview, TopNode
from gather_brain.themes.profiles import Profile, Refined, Sample, StoredProfile
from gather_brain.themes.refinement import RefinementError
from gather_brain.vectors import Matrix, unit_rows
from gather_clients.background_tasks import end_tasks

PHRASES = ["salt", "tide", "pump", "causeway", "ledger", "engineer", "sister"]
ANSWER = '{"themes": ["salt and tide", "unpaid debts", "estranged sisters"]}'


class Embedder:
    """One direction for all, and a count of what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked += texts
        return unit_rows(np.array([[1.0, 0.01 * len(text)] for text in texts], np.float32))


@dataclass
class Store:
    """The departments of one project, held in memory; `is_unavailable` makes every call fail."""

    terms: dict[str, list[list[str]]]
    changed_at: str = "2026-03-01T12:00:00.000Z"
    project_id: str = "a" * 24
    stored: dict[str, StoredProfile] = field(default_factory=dict)
    claimed_until: datetime | None = None
    sampled: list[str] = field(default_factory=list)
    claims: int = 0
    overviews: int = 0
    is_unavailable: bool = False

    async def overview(self, departments: Sequence[str]) -> dict[str, Overview]:
        self.overviews += 1
        if self.is_unavailable:
            raise UnavailableError
        return {
            name: Overview(name, len(self.terms[name]), None, self.changed_at, self.stored.get(name))
            for name in departments
        }

    async def samples(self, departments: Sequence[str]) -> dict[str, Sample]:
        self.sampled += departments
        return {
            name: Sample(self.terms[name], np.ones((len(self.terms[name]), 2), np.float32) / 2**0.5)
            for name in departments
        }

    async def nearest(
        self, counts: Mapping[str, int], _target: Matrix, _limit: int
    ) -> dict[str, list[TopNode]]:
        return {name: [TopNode("n1", "Salt.", "", 0.9)] for name in counts}

    async def store_profile(self, department: str, profile: Profile, fingerprint: str, now: datetime) -> None:
        held = self.stored.get(department)
        self.stored[department] = StoredProfile(
            profile, fingerprint, now.isoformat(), held.refined if held else None
        )

    async def store_refined(self, department: str, refined: Refined, _now: datetime) -> None:
        self.stored[department] = replace(self.stored[department], refined=refined)

    async def claim_refinement(self, _department: str, now: datetime, lease: timedelta) -> bool:
        self.claims += 1
        is_free = self.claimed_until is None or self.claimed_until <= now
        if is_free:
            self.claimed_until = now + lease
        return is_free

    def departments(self) -> Departments:
        """Return itself, for code that wants the real thing."""
        return cast("Departments", self)


async def until(condition: Callable[[], Any]) -> None:
    """Let other tasks work until the condition holds."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0)


class Script:
    """A model that gives the answers or failures of a script."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def ask(self, _messages: Sequence[dict[str, str]]) -> str:
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def story() -> Store:
    return Store({"story": [PHRASES] * 3})


@asynccontextmanager
async def running(refresher: ProfileRefresher) -> AsyncIterator[None]:
    task = asyncio.create_task(refresher.run())
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        await end_tasks([task])


async def test_a_scheduled_department_gets_a_profile_that_requests_read() -> None:
    """Afterwards a request samples nothing and embeds nothing for it."""
    store, embedder, refresher = story(), Embedder(), ProfileRefresher(delay_s=0)
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, ["story", "story"])
        await until(lambda: "story" in store.stored)
    store.sampled.clear()
    embedder.asked.clear()
    overviews = await store.overview(["story"])
    profiles = await refresher.profiles(store.departments(), embedder, overviews)
    assert (await themes_of(profiles, embedder))["story"]
    assert (store.sampled, embedder.asked) == ([], [])


async def test_themes_are_computed_once_for_the_same_profiles() -> None:
    """What phrases are embedded for tells whether they were computed."""
    store, embedder, refresher = story(), Embedder(), ProfileRefresher()
    profiles = await refresher.profiles(store.departments(), embedder, await store.overview(["story"]))
    first = await refresher.themes(profiles, embedder)
    assert set(embedder.asked) == set(PHRASES)
    embedder.asked.clear()
    assert await refresher.themes(profiles, embedder) == first
    assert embedder.asked == []


async def test_a_stored_profile_and_one_made_at_once_give_the_same_themes() -> None:
    """The answer does not show whether the background task was there before."""
    store, embedder, refresher = story(), Embedder(), ProfileRefresher(delay_s=0)
    fresh = await refresher.profiles(store.departments(), embedder, await store.overview(["story"]))
    async with running(refresher):
        await until(lambda: "story" in store.stored)
    kept = await refresher.profiles(store.departments(), embedder, await store.overview(["story"]))
    assert kept["story"].vectors
    assert not fresh["story"].vectors
    assert await themes_of(fresh, embedder) == await themes_of(kept, embedder)


async def test_a_request_never_answers_with_what_has_changed() -> None:
    """A stale profile of a small department is made again in the request itself, and in the background."""
    store, embedder, refresher = story(), Embedder(), ProfileRefresher(delay_s=0)
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: "story" in store.stored)
        store.terms["story"], store.changed_at = [["redemption"]] * 3, "2026-03-01T12:00:01.000Z"
        profiles = await refresher.profiles(store.departments(), embedder, await store.overview(["story"]))
        assert await themes_of(profiles, embedder) == {"story": ["redemption"]}
        await until(lambda: "redemption" in store.stored["story"].profile.counts.uses)


async def test_a_large_department_is_not_made_again_with_every_write() -> None:
    """What it holds now is looked at again later."""
    store, embedder, refresher = Store({"story": [PHRASES] * 201}), Embedder(), ProfileRefresher(delay_s=0)
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: "story" in store.stored)
        made = store.stored["story"]
        store.changed_at = "2026-03-01T12:00:01.000Z"
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: store.overviews > 1 and len(refresher._waiting))
    assert (store.sampled, store.stored["story"]) == (["story"], made)


async def test_a_unavailable_store_stops_nothing() -> None:
    """What was scheduled meanwhile is lost, and what is scheduled later is done."""
    store, embedder, refresher = story(), Embedder(), ProfileRefresher(delay_s=0)
    store.is_unavailable = True
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: not len(refresher._waiting))
        store.is_unavailable = False
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: "story" in store.stored)


async def test_refined_themes_are_kept_and_asked_for_once() -> None:
    """Content that the model has seen costs no second call."""
    store, embedder, outcomes, model = story(), Embedder(), list[str](), Script(ANSWER)
    refresher = ProfileRefresher(ThemeRefiner(model, CallBudget(10), 300, outcomes.append), delay_s=0)
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: "story" in store.stored and store.stored["story"].refined)
        seen = store.overviews
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: store.overviews == seen + 2)
    refined = store.stored["story"].refined
    assert refined is not None
    assert refined.themes == ("salt and tide", "unpaid debts", "estranged sisters")
    assert (model.calls, outcomes) == (1, ["refined"])


@pytest.mark.parametrize("failure", [RefinementError("status 500"), "rubbish", ValueError("unforeseen")])
async def test_a_failed_call_is_not_made_again_within_its_lease(failure: str | Exception) -> None:
    """A model that fails, or answers rubbish, is neither hammered nor waited for: profiles are kept."""
    store, embedder, model = story(), Embedder(), Script(failure, ANSWER)
    refresher = ProfileRefresher(ThemeRefiner(model, CallBudget(10), 300), delay_s=0)
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: model.calls)
        store.changed_at = "2026-03-01T12:00:09.000Z"
        refresher.schedule(store.departments(), embedder, ["story"])
        await until(lambda: store.stored["story"].fingerprint.endswith("09.000Z"))
        await until(lambda: store.claims == 2)
    assert model.calls == 1


async def test_no_more_calls_than_the_budget_has() -> None:
    """Of any number of departments, in any hour."""
    store, embedder, outcomes = Store({f"d{n}": [PHRASES] * 3 for n in range(4)}), Embedder(), list[str]()
    model = Script(*[ANSWER] * 4)
    refresher = ProfileRefresher(ThemeRefiner(model, CallBudget(2), 0, outcomes.append), delay_s=0)
    async with running(refresher):
        refresher.schedule(store.departments(), embedder, list(store.terms))
        await until(lambda: len(outcomes) == 4)
    assert sorted(outcomes) == ["limited", "limited", "refined", "refined"]
    assert model.calls == 2


def test_a_budget_is_of_any_hour() -> None:
    """Not of the clock's hours, at whose turn twice as many could be made."""
    now = [0.0]
    budget = CallBudget(2, clock=lambda: now[0])
    for moment, allowed in (
        (0, True),
        (3599, True),
        (3599, False),
        (3600, True),
        (3601, False),
        (7199, True),
    ):
        now[0] = moment
        assert budget.allows() is allowed
        if allowed:
            budget.spend()
