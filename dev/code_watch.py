"""Restart a service when its code changes: the loop of `python -m dev serve`."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dev.artefacts.content import files_below
from dev.errors import CommandError
from dev.service_process import ServiceProcess

WATCHED = frozenset({".py", ".json", ".yaml", ".txt"})
"""Code and its data; editors leave files of other names beside them."""
POLL_S = 0.5
STOP_TIMEOUT_S = 5
"""A request that is under way may hold up a restart for so long."""


def code_state(folders: Iterable[Path]) -> dict[Path, int]:
    """Return each file below the folders with the time of its last change."""
    files = (file for folder in folders for file in files_below(folder) if file.suffix in WATCHED)
    found = {}
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # an editor replaces it right now
            found[file] = file.stat().st_mtime_ns
    return found


def changed_files(before: Mapping[Path, int], after: Mapping[Path, int]) -> list[Path]:
    """Return the files that were written, made or removed in between."""
    return sorted(file for file in before.keys() | after.keys() if before.get(file) != after.get(file))


def run_with_reload(
    service: ServiceProcess,
    folders: Iterable[Path],
    say: Callable[[str], None],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Run the service, and restart it after each change below the folders, until an exception ends it.

    A service that cannot start, or ends by itself, is left until the next change.
    """
    watched = list(folders)
    seen = code_state(watched)
    _start(service, say)
    while True:
        sleep(POLL_S)
        now = code_state(watched)
        if service.has_ended:
            service.kill()
            say(f"{service.name} ended. Waiting for the next change.")
        if changed := changed_files(seen, now):
            seen = now
            names = ", ".join(os.path.relpath(file) for file in changed)
            say(f"{names} changed: restarting {service.name.lower()}.")
            service.stop(STOP_TIMEOUT_S)
            _start(service, say)


def _start(service: ServiceProcess, say: Callable[[str], None]) -> None:
    try:
        service.start()
    except CommandError as error:
        say(f"{error}\nWaiting for the next change.")
    else:
        say(f"{service.name} is ready at {service.uri}.")
