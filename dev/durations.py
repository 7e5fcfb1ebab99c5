"""How long steps and whole runs took the last time on this machine: `durations.json` in the cache.

A hint for people and nothing more: a file that cannot be read or written is as good as none.
"""

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dev.artefacts.cache import Cache

FILE = "durations.json"
STEPS_MAX = 200
"""Titles that are kept; the oldest go. A demo has about 30."""
WORTH_SAYING_S = 5.0
"""A step that took less last time is over before its estimate is read."""
KINDS = {"programs": "cold", "images": "changed images", "": "warm"}
"""What had to be built in a run to how the run is called; the first that was counts."""


def clock(seconds: float) -> str:
    """Return seconds as people read them: 0:07, 9:20, 1:02:03."""
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def run_kind(built: frozenset[str]) -> str:
    """Return how a run is called that had to build those things."""
    return next(kind for thing, kind in KINDS.items() if thing in built or not thing)


def of_last_time(elapsed_s: float, last_s: float | None) -> str:
    """Return how far a step is, such as `3:10 of about 9:20`."""
    if last_s is None or last_s < WORTH_SAYING_S:
        return clock(elapsed_s)
    if elapsed_s > last_s:
        return f"{clock(elapsed_s)}, {clock(last_s)} last time"
    return f"{clock(elapsed_s)} of about {clock(last_s)}"


class Durations:
    """The times of the last run, each written when its step has ended well."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def of(cls, cache: Cache) -> "Durations":
        """Return the times that are kept in a cache."""
        return cls(cache.root / FILE)

    def step(self, title: str) -> float | None:
        """Return how many seconds a step took the last time, if it is known."""
        return _number(self._read("steps").get(title))

    def record_step(self, title: str, seconds: float) -> None:
        """Keep how long a step took."""
        with self._lock:
            steps = self._read("steps")
            steps.pop(title, None)
            self._write("steps", dict([*steps.items(), (title, round(seconds, 1))][-STEPS_MAX:]))

    def total(self, kind: str) -> float | None:
        """Return how many seconds the last run of that kind took in all."""
        known = self._read("totals").get(kind)
        return _number(known.get("seconds")) if isinstance(known, dict) else None

    def record_total(self, kind: str, seconds: float) -> None:
        """Keep how long a whole run took, and when that was."""
        entry = {"seconds": round(seconds, 1), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        with self._lock:
            self._write("totals", {**self._read("totals"), kind: entry})

    def totals_line(self) -> str:
        """Return the last run of each kind in one line."""
        found = [(kind, self.total(kind)) for kind in KINDS.values()]
        return ", ".join(f"{kind} {clock(seconds)}" for kind, seconds in found if seconds is not None)

    def _read(self, part: str) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))[part]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return dict(found) if isinstance(found, dict) else {}

    def _write(self, part: str, content: Mapping[str, Any]) -> None:
        whole = {"steps": self._read("steps"), "totals": self._read("totals"), part: content}
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            half = self._file.with_suffix(".half")
            half.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
            half.replace(self._file)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
