"""How a run that was waited for ended, as an exit code; and the waiting itself."""

import sys
import time
from collections.abc import Iterator
from typing import Final

from gather_cli.cluster.runs import Run, Runs
from gather_cli.errors import CliError, Exit, StillRunning

FINAL: Final = {"Succeeded": Exit.DONE, "Failed": Exit.FAILED, "Cancelled": Exit.CANCELLED}


class WasDeleted(CliError):  # noqa: N818 - a state, said as one
    """The run was deleted while it was waited for."""

    exit_code = Exit.CANCELLED


def phase_of(run: Run) -> str:
    """Return where a run stands."""
    return str((run.get("status") or {}).get("phase") or "Pending")


def exit_code_of(run: Run) -> Exit | None:
    """Return the exit code that a run's end is, None as long as it has not ended."""
    return FINAL.get(phase_of(run))


def states(runs: Runs, run: Run, timeout_s: float | None) -> Iterator[Run]:
    """Yield the run's states until it has ended; raises StillRunning and WasDeleted."""
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    name = run["metadata"]["name"]
    for state in runs.follow(run, deadline_s):
        if state is None:
            raise WasDeleted(f"run {name} was deleted; what it made is kept")
        run = state
        yield run
        if exit_code_of(run) is not None:
            return
    raise StillRunning(
        f"run {name} has not ended within {timeout_s:g} s, it is {phase_of(run)}; it goes on: gather "
        f"watch {name}"
    )


def wait(runs: Runs, run: Run, timeout_s: float | None) -> Run:
    """Return the run once it has ended; raises StillRunning and WasDeleted."""
    if exit_code_of(run) is None and sys.stderr.isatty():
        sys.stderr.write(f"Waiting for {run['metadata']['name']} to end ...\n")
    for state in states(runs, run, timeout_s):
        run = state
    return run
