"""Processes that start at once: copies of one that has imported their program already.

Importing takes longer than most of what tests do with them. Each copy has arguments, environment and output
of its own, and ends by the same ways as any process. The process that is copied is `python -m` of the module
that names the program; it takes one command a line and answers each with one.
"""

import contextlib
import ctypes
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dev.paths import ROOT

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal that a process gets when the one that started it ends."""


class ForkedProcess:
    """One process; what is here of `subprocess.Popen` does the same."""

    def __init__(self, forks: "ProcessForks", pid: int, out: Path, err: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._forks, self._out, self._err = forks, out, err
        self._ended = os.pidfd_open(pid)
        """Readable once the process has ended; leads to no other process that gets its id."""
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        return self._reaped(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended; raises TimeoutExpired."""
        if self._reaped(timeout) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it said on standard output and on standard error; raises TimeoutExpired."""
        self.wait(timeout)
        return self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8")

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self.returncode is None:
                signal.pidfd_send_signal(self._ended, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _reaped(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout_s)[0]:
            with self._lock:
                if self.returncode is None:
                    self.returncode = self._forks.ask(reap=self.pid)
                    os.close(self._ended)
        return self.returncode


class ProcessForks:
    """Starts copies of `python -m module`, which calls `serve`; all end with this object."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, text=True,
            env={**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"},  # as the images have it
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._turn = threading.Lock()

    def close(self) -> None:
        """End all of them."""
        self._process.communicate()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path, folder: Path
    ) -> ForkedProcess:
        """Start the program in a folder with these arguments, these variables and no others.

        What it says goes into the files `out` and `err`, which may be one.
        """
        places = {"out": str(out), "err": str(err), "folder": str(folder)}
        pid = self.ask(start={"arguments": list(arguments), "environment": dict(environment), **places})
        return ForkedProcess(self, pid, out, err)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float, folder: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, as `subprocess.run` does; raises TimeoutExpired."""
        with tempfile.TemporaryDirectory() as said:
            process = self.start(arguments, environment, Path(said, "out"), Path(said, "err"), folder)
            try:
                out, err = process.communicate(timeout_s)
            finally:
                process.kill()
        assert process.returncode is not None
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def ask(self, **command: Any) -> int:
        """Return the answer to a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(f"{json.dumps(command)}\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


# --- the process that is copied


def _become(program: str, wanted: Mapping[str, Any]) -> None:
    """Have all that a process of its own has; it ends with its test."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(wanted["folder"])
    places = (os.devnull, os.O_RDONLY), (wanted["out"], os.O_WRONLY), (wanted["err"], os.O_WRONLY)
    for number, (path, how) in enumerate(places):
        file = os.open(path, how | (os.O_CREAT | os.O_APPEND if number else 0), 0o644)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = [program, *wanted["arguments"]]
    random.seed()


def serve(program: str) -> bool:
    """Carry out one command after the other until there are no more; return whether this is a copy.

    A copy has all that was asked for and is to run the program, whose name is its first argument.
    """
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a thread would not be copied"
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    for line in sys.stdin:
        command = json.loads(line)
        if "start" in command:
            answer = os.fork()
            if answer == 0:
                _become(program, command["start"])
                return True
            children.add(answer)
        else:
            children.discard(command["reap"])
            answer = os.waitstatus_to_exitcode(os.waitpid(command["reap"], 0)[1])
        print(answer, flush=True)
    for pid in children:
        # Not waited for before, so the id is still that process's own.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return False
