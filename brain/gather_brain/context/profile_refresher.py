"""Departments' profiles: read where they hold, made where they do not, and refreshed in the background.

A request never waits for more than a sample of each department and the phrases that nothing has embedded yet.
What it had to make itself, and what a write has changed, is made again in the background and stored for all
replicas.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np

from gather_brain.context.delay_queue import DelayQueue
from gather_brain.context.kept_themes import KeptThemes, Themes
from gather_brain.errors import UnavailableError
from gather_brain.store.department_store import Departments, Overview
from gather_brain.themes.phrases import candidates, chosen
from gather_brain.themes.profiles import (
    RESTS,
    Profile,
    StoredProfile,
    fingerprint,
    is_due,
    is_usable,
    profile_of,
    rests,
    rounded,
)
from gather_brain.vectors import Matrix

logger = logging.getLogger(__name__)

REFRESH_DELAY_S: Final = 2.0
"""From the first change to making the profile: a worker's batches come in bursts."""
WAITING_MAX: Final = 1000
"""Departments; those beyond it are made when they are next asked for."""


class Embeds(Protocol):
    """What turns texts into unit rows."""

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row for each text."""


@dataclass(frozen=True, slots=True)
class Task:
    """A department whose profile may have to be made, in the project that `departments` are of."""

    departments: Departments
    embedder: Embeds
    department: str

    @property
    def key(self) -> str:
        """The same for two tasks of one department."""
        return f"{self.departments.project_id}/{self.department}"


class Refines(Protocol):
    """What puts themes into better words when a profile has been made."""

    def wants(self, stored: StoredProfile | None) -> bool:
        """Return whether the department's themes could be refined."""

    def schedule(self, task: Task) -> None:
        """Have the department's themes refined in the background."""

    async def run(self) -> None:
        """Work until cancelled."""


class ProfileRefresher:
    """Makes and stores profiles, one at a time."""

    def __init__(
        self,
        refiner: Refines | None = None,
        delay_s: float = REFRESH_DELAY_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._refiner = refiner
        self._delay_s = delay_s
        self._now = now
        self._waiting = DelayQueue[Task](WAITING_MAX)
        self._themes = KeptThemes()

    def schedule(self, departments: Departments, embedder: Embeds, names: Sequence[str]) -> None:
        """Have the departments' profiles checked and made in the background; returns at once."""
        for name in names:
            task = Task(departments, embedder, name)
            self._waiting.put(task.key, task, self._delay_s)

    async def profiles(
        self, departments: Departments, embedder: Embeds, overviews: Mapping[str, Overview]
    ) -> dict[str, Profile]:
        """Return the profiles of the departments that have nodes: as stored, or made now from samples."""
        found, stale = self._stored(overviews)
        samples = await departments.samples([name for name in stale if name not in found])
        found |= await asyncio.to_thread(
            lambda: {name: profile_of(sample) for name, sample in samples.items()}
        )
        refiner = self._refiner
        refinable = [name for name, each in overviews.items() if refiner and refiner.wants(each.stored)]
        self.schedule(departments, embedder, [*stale, *refinable])
        return found

    def _stored(self, overviews: Mapping[str, Overview]) -> tuple[dict[str, Profile], list[str]]:
        """Return the stored profiles that may be used, and the departments whose profile is to be made."""
        found: dict[str, Profile] = {}
        stale: list[str] = []
        for name, each in overviews.items():
            stored = each.stored
            if not each.node_count:
                continue
            if stored and is_usable(stored, each.node_count, each.changed_at, self._now()):
                found[name] = stored.profile
            if is_due(stored, each.node_count, each.changed_at, self._now()):
                stale.append(name)
        return found, stale

    async def themes(self, profiles: Mapping[str, Profile], embedder: Embeds) -> Themes:
        """Return the themes of departments that are compared with one another, the best first."""
        themes = self._themes.get(profiles)
        if themes is None:
            themes = await themes_of(profiles, embedder)
            self._themes.keep(profiles, themes)
        return themes

    async def run(self) -> None:
        """Refresh scheduled profiles until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refresh_scheduled())
            if self._refiner:
                group.create_task(self._refiner.run())

    async def _refresh_scheduled(self) -> None:
        while True:
            task = await self._waiting.next()
            try:
                await self._refresh(task)
            except UnavailableError:
                logger.info("profile refresh skipped", extra={"reason": "Neo4j or the model is unavailable"})
            except Exception:
                logger.exception("profile refresh failed")

    async def _refresh(self, task: Task) -> None:
        """Make and store the profile unless the stored one holds; one that rests is looked at again later."""
        overview = (await task.departments.overview([task.department]))[task.department]
        _, stale = self._stored({task.department: overview})
        if stale:
            sample = (await task.departments.samples(stale))[task.department]
            profile = await asyncio.to_thread(profile_of, sample)
            vectors = await phrase_vectors(profile.counts.shortlist, task.embedder)
            await task.departments.store_profile(
                task.department,
                replace(profile, vectors=vectors),
                fingerprint(overview.node_count, overview.changed_at),
                self._now(),
            )
        elif overview.stored and rests(
            overview.stored, overview.node_count, overview.changed_at, self._now()
        ):
            self._waiting.put(task.key, task, RESTS.total_seconds())
        if self._refiner and overview.node_count:
            self._refiner.schedule(task)


async def themes_of(profiles: Mapping[str, Profile], embedder: Embeds) -> dict[str, list[str]]:
    """Compute the themes of departments that are compared with one another, the best first."""
    counts = {name: profile.counts for name, profile in profiles.items()}
    weights = await asyncio.to_thread(candidates, counts)
    unknown = [
        phrase for name, found in weights.items() for phrase in found if phrase not in profiles[name].vectors
    ]
    embedded = await phrase_vectors(list(dict.fromkeys(unknown)), embedder)
    return await asyncio.to_thread(_themes, profiles, weights, embedded)


def _themes(
    profiles: Mapping[str, Profile],
    weights: Mapping[str, Mapping[str, float]],
    embedded: Mapping[str, Matrix],
) -> dict[str, list[str]]:
    themes: dict[str, list[str]] = {name: [] for name in profiles}
    for name, profile in profiles.items():
        if weights[name]:
            vectors = {**embedded, **profile.vectors}
            rows = np.stack([vectors[phrase] for phrase in weights[name]])
            centre = rows.mean(axis=0) if profile.centre is None else profile.centre
            themes[name] = chosen(weights[name], rows, centre)
    return themes


async def phrase_vectors(phrases: Sequence[str], embedder: Embeds) -> dict[str, Matrix]:
    """Return the vectors as they are read back, so that themes do not depend on who made them."""
    if not phrases:
        return {}
    return dict(zip(phrases, rounded(await embedder.embed(phrases)), strict=True))
