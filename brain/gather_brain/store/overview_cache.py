"""What this process keeps of departments' overviews, each under its project's version.

Counting a department reads all of its nodes. A project's version changes with every write and every
deletion, in the same transaction, so a query that finds the version that is kept need not count again. A
profile is kept under when and of what it was made.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from gather_brain.themes.profiles import Profile

DEPARTMENTS_KEPT: Final = 120
"""Of all projects; a profile has up to 150 KiB, so about 18 MiB when full."""

Key = tuple[str, str, str]
"""Project, model, department."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a department's nodes come to; `changed_at` is when one of them last changed."""

    node_count: int
    quality_score: float | None
    changed_at: str | None


@dataclass(frozen=True, slots=True)
class KeptOverview:
    """An overview as it was last read; "" stands for a version or a profile that is not there."""

    version: str
    counted: Counted
    stamp: str
    profile: Profile | None


NOTHING_KEPT: Final = KeptOverview("", Counted(0, None, None), "", None)


class OverviewCache:
    """The overviews read last, of a limited number of departments."""

    def __init__(self, entries: int = DEPARTMENTS_KEPT) -> None:
        self._entries = entries
        self._kept: OrderedDict[Key, KeptOverview] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> KeptOverview:
        """Return what is kept; `NOTHING_KEPT` where nothing is."""
        return self._kept.get(key, NOTHING_KEPT)

    def keep(self, key: Key, overview: KeptOverview) -> None:
        """Keep what was read; the ones read longest ago make room."""
        self._kept[key] = overview
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
