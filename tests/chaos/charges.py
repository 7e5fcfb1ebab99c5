"""What the demo model has charged, by run: out of its log, which outlives a process that is killed."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

STARTS: Final = "starts on port"
POLL_S: Final = 0.25


@dataclass
class Charges:
    """The sums by the user of the requests, which is a run's UID."""

    tokens: Counter[str] = field(default_factory=Counter)
    cost_usd: dict[str, float] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    last_life_usd: float = 0.0
    """Of the process that runs now: what its own `GET /demo/usage` must say."""
    starts: int = 0


def read_charges(log: Path) -> Charges:
    """Return what the log says; a line that a death cut off is none."""
    found = Charges()
    for text in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line: dict[str, Any] = json.loads(text)
        except ValueError:
            continue
        if STARTS in str(line.get("message")):
            found.starts, found.last_life_usd = found.starts + 1, 0.0
        if "cost_usd" in line:
            user = str(line["user"])
            found.tokens[user] += line["tokens"]
            found.requests[user] += 1
            found.cost_usd[user] = found.cost_usd.get(user, 0.0) + line["cost_usd"]
            found.last_life_usd += line["cost_usd"]
    return found


class Pulse:
    """Watches how long the model is asked nothing, which is how long all work stands still."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._is_over = threading.Event()
        self._beats: list[float] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._is_over.set()
        self._thread.join()

    def longest_pause_s(self, began_at: float, ended_at: float) -> float:
        """Return the longest time without an answer between two moments, in `POLL_S`."""
        beats = [beat for beat in self._beats if began_at < beat < ended_at]
        edges = [began_at, *beats, ended_at]
        return max(after - before for before, after in pairwise(edges))

    def _watch(self) -> None:
        size = 0
        while not self._is_over.wait(POLL_S):
            now = self._log.stat().st_size
            if now != size:
                size = now
                self._beats.append(time.monotonic())
