"""Show what is done and what is waited for: a live line on a terminal, a line now and then in a log.

Each step is shown with the time that it took the last time on this machine, if it is known.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

from dev.artefacts.cache import Cache
from dev.durations import Durations, clock, of_last_time

HEARTBEAT_S = 30.0
"""In a log without a terminal: how often a step that still runs says so."""


class Step:
    """One thing that is under way; `detail` says what it waits for right now."""

    def __init__(self, title: str, last_s: float | None = None) -> None:
        self.title = title
        self.detail = ""
        self.last_s = last_s
        self.started = time.monotonic()

    def waits_for(self, detail: str) -> None:
        """Say what the step waits for now."""
        self.detail = detail

    def line(self) -> str:
        """Return the step in one line, without its time."""
        return f"{self.title}: {self.detail}" if self.detail else self.title

    def timed_line(self) -> str:
        """Return the step in one line with its time, and the last one's."""
        return f"{self.line()} ({of_last_time(self.elapsed_s, self.last_s)})"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started


class Reporter:
    """Prints steps as they begin, go on and end; several may run at once in threads.

    Attributes:
        durations: what steps took the last time; without, nothing is known nor kept.
        built: what kinds of things had to be built: `programs`, `images`.
    """

    def __init__(self, console: Console | None = None, durations: Durations | None = None) -> None:
        self.console = console or Console(stderr=False, highlight=False)
        self.durations = durations
        self.built: set[str] = set()
        self._lock = threading.Lock()
        self._live: Progress | None = None
        self._open = 0

    @classmethod
    def remembering(cls, cache: Cache) -> "Reporter":
        """Return a reporter that keeps in the cache how long steps take."""
        return cls(durations=Durations.of(cache))

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, soft_wrap=True, markup=False)

    @contextmanager
    def step(self, title: str, builds: str = "") -> Iterator[Step]:
        """Show a step while the block runs, and how long it took if nothing was raised.

        Args:
            title: says what is done; what the last step of that title took is shown as an estimate.
            builds: what kind of thing it builds, for `built`.
        """
        step = Step(title, self.durations.step(title) if self.durations else None)
        if builds:
            self.built.add(builds)
        ended = threading.Event()
        shown = self._show_live if self.console.is_terminal else self._show_lines
        watcher = threading.Thread(target=shown, args=(step, ended), daemon=True)
        watcher.start()
        try:
            yield step
        finally:
            ended.set()
            watcher.join()
        if self.durations:
            self.durations.record_step(title, step.elapsed_s)
        self.say(f"  {title} ({_end_time(step.elapsed_s)})")

    def _show_lines(self, step: Step, ended: threading.Event) -> None:
        """Print a line every `HEARTBEAT_S` until the step ends."""
        while not ended.wait(HEARTBEAT_S):
            self.say(f"  ... {step.timed_line()}")

    def _show_live(self, step: Step, ended: threading.Event) -> None:
        """Keep a spinner with the step's line until it ends."""
        progress, task = self._open_live(step)
        while not ended.wait(0.2):
            progress.update(task, description=step.timed_line())
        self._close_live(progress, task)

    def _open_live(self, step: Step) -> tuple[Progress, TaskID]:
        """Add the step to the one live display, which the first step starts."""
        with self._lock:
            if self._live is None:
                columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
                self._live = Progress(*columns, console=self.console, transient=True)
                self._live.start()
            self._open += 1
            return self._live, self._live.add_task(step.timed_line(), total=None)

    def _close_live(self, progress: Progress, task: TaskID) -> None:
        """Take the step off the live display, which goes with the last step."""
        with self._lock:
            progress.remove_task(task)
            self._open -= 1
            if not self._open:
                progress.stop()
                self._live = None


def _end_time(seconds: float) -> str:
    """Return how long a step took: tenths of a second below a minute, minutes and seconds above."""
    minute_s = 60
    return f"{seconds:.1f} s" if seconds < minute_s else clock(seconds)
