"""What this process keeps of departments' overviews, each under its project's version.

Counting a department reads all of its nodes. A project's version changes with every write and every
deletion, in the same transaction, so a query that finds the version that is kept need not count again. But
Neo4j shows a commit piece by piece: a reader may see the new version and the old index. So what is counted
counts as settled only if the version had been seen a while before. A profile is kept under when and of what
it was made.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from gather_brain.themes.profiles import Profile

DEPARTMENTS_KEPT: Final = 120
"""Of all projects; a profile has up to 150 KiB, so about 18 MiB when full."""

SETTLED_AFTER_S: Final = 2.0
"""From a commit's first sight; its pieces follow each other within milliseconds."""

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
    seen_at_s: float = 0.0
    """When this process had first seen the version, by the monotonic clock."""
    is_settled: bool = False
    """Whether the version was old enough when the department was counted."""

    @property
    def settled_version(self) -> str:
        """Return the version under which the department need not be counted again, "" if it must be."""
        return self.version if self.is_settled else ""

    def next(self, version: str, counted: Counted, *, began_at_s: float, now_s: float) -> "KeptOverview":
        """Return what is kept of a query that began then and counted under a version; without a profile."""
        is_same = version != "" and version == self.version
        return KeptOverview(
            version,
            counted,
            "",
            None,
            self.seen_at_s if is_same else now_s,
            is_same and (self.is_settled or began_at_s - self.seen_at_s >= SETTLED_AFTER_S),
        )


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
