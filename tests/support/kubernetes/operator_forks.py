"""Operator processes that start at once: copies of a process that has imported the operator already.

Importing takes longer than anything that a test of the operator does. Each copy runs `main` with an
environment of its own, and ends by the same ways as any process. `python -m` of this module is the process
that is copied; it takes one command a line and answers each with one.
"""

import asyncio
import ctypes
import gc
import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from dev.paths import ROOT
from gather_operator.main import main

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal that a process gets when the one that started it ends."""
POLL_S: Final = 0.01


class OperatorForks:
    """Starts and ends operator processes; all end with this object."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._turn = asyncio.Lock()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def start(self, environment: Mapping[str, str], log: Path) -> int:
        """Start an operator whose output goes to the end of `log`; return its process's id."""
        return int(await self._ask(start=dict(environment), log=str(log)))

    async def end(self, pid: int, how: signal.Signals) -> int:
        """Send the signal and return how the process ended, as waitpid has it."""
        await self._ask(kill=pid, how=int(how))
        while (ended := await self.ended(pid)) is None:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(POLL_S)
        return ended

    async def ended(self, pid: int) -> int | None:
        """Return how the process ended, None while it runs; ask no more once it has ended."""
        answer = await self._ask(reap=pid)
        return None if answer is None else int(answer)

    async def _ask(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            line = await self._process.stdout.readline()
        return json.loads(line)


def _run_operator(environment: Mapping[str, str], log: str) -> None:
    """Become an operator; never returns."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    code = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for number in (1, 2):
            os.dup2(output, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(environment)
        random.seed()
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    """Carry out one command after the other until there are no more."""
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    answer: int | None
    for line in sys.stdin:
        command = json.loads(line)
        if "start" in command:
            answer = os.fork()
            if answer == 0:
                _run_operator(command["start"], command["log"])
            children.add(answer)
        elif "kill" in command:
            # Not waited for before, so the id is still that process's own.
            os.kill(command["kill"], command["how"])
            answer = None
        else:
            pid, how = os.waitpid(command["reap"], os.WNOHANG)
            answer = how if pid else None
            children.discard(pid)
        print(json.dumps(answer), flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
