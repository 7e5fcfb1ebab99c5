"""A department is counted again until the version that it was counted under is surely whole."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from gather_brain.store import department_store
from gather_brain.store.database import Database
from gather_brain.store.department_store import Departments
from gather_brain.store.overview_cache import SETTLED_AFTER_S, OverviewCache

BEGUN_S = 100.0


class FakeDatabase:
    """Returns a count, unless the caller already has the one of this version."""

    def __init__(self) -> None:
        self.overviews = OverviewCache()
        self.version, self.count = "1@t", 5
        self.counted = 0

    async def read(self, _: str, __: str, **parameters: Any) -> list[Mapping[str, Any]]:
        (wanted,) = parameters["departments"]
        is_kept = self.version != "" and wanted["version"] == self.version
        self.counted += not is_kept
        return [
            {
                "department": wanted["name"], "version": self.version, "isKept": is_kept, "stamp": None,
                "nodeCount": None if is_kept else self.count, "qualityScore": None, "changedAt": None,
                "stored": None,
            }
        ]  # fmt: skip


class World:
    """A project's departments, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = FakeDatabase()
        scope = {"projectId": "p", "model": "m"}
        self._departments = Departments(cast(Database, self.database), scope, "a")
        self.now_s = BEGUN_S
        monkeypatch.setattr(f"{department_store.__name__}.monotonic", lambda: self.now_s)

    async def count(self, at_s: float) -> int:
        """Return how many nodes are said at that time."""
        self.now_s = BEGUN_S + at_s
        return (await self._departments.overview(["sound"]))["sound"].node_count


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_what_was_counted_while_a_commit_came_in_is_counted_again(world: World) -> None:
    """Its version was there before its nodes were gone."""
    assert await world.count(0) == 5
    world.database.count = 4
    assert await world.count(0.01) == 4
    assert await world.count(SETTLED_AFTER_S - 0.01) == 4
    assert world.database.counted == 3


async def test_what_was_counted_later_is_kept(world: World) -> None:
    """Until something is written."""
    for at_s in (0, SETTLED_AFTER_S, SETTLED_AFTER_S + 1, 3600):
        assert await world.count(at_s) == 5
    assert world.database.counted == 2
    world.database.version, world.database.count = "2@t", 6
    for at_s in (3601, 3601 + SETTLED_AFTER_S, 7200):
        assert await world.count(at_s) == 6
    assert world.database.counted == 4


async def test_a_project_without_a_version_is_always_counted(world: World) -> None:
    """An older version's, or one that does not exist."""
    world.database.version = ""
    for at_s in (0, 10, 20):
        await world.count(at_s)
    assert world.database.counted == 3
