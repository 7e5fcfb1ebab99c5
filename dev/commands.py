"""Run other programs: with a time limit, their output kept, and its end in the error."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.errors import CommandError

LAST_LINES = 15
"""Enough of a compiler's or apt's output to see the cause; the whole is in the log."""


def last_lines(text: str, count: int = LAST_LINES) -> str:
    """Return the end of a program's output, for an error message."""
    return "\n".join(text.strip().splitlines()[-count:])


def output_of(
    command: Sequence[str | Path],
    *,
    timeout_s: float = 60,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Return what a short command printed; raises CommandError with the end of its output if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, env={**os.environ, **(env or {})},
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"`{shlex.join(words)}` did not end within {timeout_s:.0f} s") from error
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed: install it, or add its folder to PATH") from error
    if done.returncode:
        said = last_lines(done.stderr or done.stdout)
        raise CommandError(f"`{shlex.join(words)}` failed ({done.returncode}):\n{said}")
    return done.stdout


def run_logged(
    command: Sequence[str],
    log: Path,
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a long command with its output in `log`; raises CommandError with the log's end if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        print(f"$ {shlex.join(command)}", file=file, flush=True)
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=cwd,
                env={**os.environ, **(env or {})}, timeout=timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"`{command[0]}` did not end within {timeout_s:.0f} s; see {log}") from error
    if done.returncode:
        said = last_lines(log.read_text(encoding="utf-8", errors="replace"))
        raise CommandError(f"`{shlex.join(command)[:200]}` failed ({done.returncode}):\n{said}\n(all: {log})")
