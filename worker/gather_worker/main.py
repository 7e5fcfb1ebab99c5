"""The worker's entry point: arguments in, one department worked on, a result and an exit code out.

However the process ends, the operator finds a `DepartmentResult` in the termination log and one of four exit
codes. Slow imports wait until SIGTERM is handled: process 1 of a container ignores it by default.
"""

import argparse
import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from gather_clients.logs import configure_logging, without_secrets
from gather_contracts.result import (
    TERMINATION_MESSAGE_PATH,
    DepartmentResult,
    ExitCode,
    StopReason,
    encode_result,
)
from gather_worker.cli.arguments import parse_arguments
from gather_worker.department.outcome import Outcome
from gather_worker.errors import WorkerError

STARTED_AT: Final = time.monotonic()
LEVELS: Final = {
    StopReason.THRESHOLD_REACHED: logging.INFO,
    StopReason.TERMINATED: logging.INFO,
    StopReason.ITERATIONS_USED: logging.WARNING,
    StopReason.QUALITY_FLAT: logging.WARNING,
    StopReason.BUDGET_USED: logging.WARNING,
    StopReason.DEADLINE_NEAR: logging.WARNING,
    StopReason.FENCED: logging.WARNING,
}
"""Of the last log line, by how the attempt ended; other ends are errors."""

_LOGGER = logging.getLogger("gather_worker")

# What is None cannot be imported. Where click is installed, which Celery needs, httpx imports its command
# line: 20 ms, and 100 ms where rich is there, too.
sys.modules.setdefault("httpx._main", cast(Any, None))

COMMANDS: Final = {
    "calibrate": "gather_worker.cli.calibrate",
    "check": "gather_worker.cli.check",
    "duplicates": "gather_worker.cli.duplicates",
    "preview": "gather_worker.cli.preview",
    "score": "gather_worker.cli.score",
    "sync": "gather_worker.cli.sync",
}
"""Commands besides `run`: modules with `execute(arguments) -> ExitCode`, imported only when called; they
write no termination message."""


def main() -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        sys.exit(int(execute_command(sys.argv[1:])))
    outcome = Outcome()
    signal.signal(signal.SIGTERM, lambda *_: _end_early())
    # Libraries log from WARNING on; the level of our own lines is a setting, and not read yet.
    configure_logging("worker", "WARNING", {_LOGGER.name: "INFO"})
    try:
        arguments = parse_arguments(sys.argv[1:])
        outcome.ended(asyncio.run(_work(arguments, outcome)), ExitCode.DONE)
    except WorkerError as error:
        outcome.ended(error.reason, error.exit_code, without_secrets(str(error)))
    except Exception as error:
        _LOGGER.exception("unexpected error")
        outcome.ended(StopReason.INTERNAL_ERROR, ExitCode.TRY_AGAIN, type(error).__name__)
    # From here on SIGTERM would kill the process while Python shuts down, and its exit code would be lost.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    result = outcome.result()
    write_result(result)
    level = LEVELS.get(outcome.reason, logging.ERROR)
    numbers = {"exit_code": int(outcome.exit_code), "result": result.model_dump(mode="json")}
    _LOGGER.log(level, "the attempt ends", extra=numbers)
    logging.shutdown()
    sys.exit(int(outcome.exit_code))


def execute_command(arguments: Sequence[str]) -> ExitCode:
    """Run a command of `COMMANDS`; an error goes to standard error as one sentence."""
    try:
        parsed = parse_arguments(arguments)
        command: Any = importlib.import_module(COMMANDS[parsed.command])
        code: ExitCode = command.execute(parsed)
    except WorkerError as error:
        sys.stderr.write(f"gather-worker {arguments[0]}: {without_secrets(str(error))}\n")
        return error.exit_code
    return code


async def _work(arguments: argparse.Namespace, outcome: Outcome) -> StopReason:
    # Imported modules are never freed; letting the garbage collector scan them costs 10 % of the start. It is
    # enabled again when all is imported.
    gc.disable()
    from gather_worker.cli.run import work  # noqa: PLC0415 - after SIGTERM is handled

    return await work(arguments, outcome, STARTED_AT)


def _end_early() -> NoReturn:
    """End at once: nothing was begun, so there is nothing to save."""
    write_result(
        DepartmentResult(iterations=0, items_created=0, quality_score=0, reason=StopReason.TERMINATED)
    )
    os._exit(ExitCode.TERMINATED)


def write_result(result: DepartmentResult) -> None:
    """Write the termination message where Kubernetes reads it, or to stdout outside of Kubernetes."""
    path = os.environ.get("GATHER_TERMINATION_LOG")
    text = encode_result(result)
    if path is None and not Path(TERMINATION_MESSAGE_PATH).is_file():
        sys.stdout.write(f"{text}\n")
        return
    try:
        Path(path or TERMINATION_MESSAGE_PATH).write_text(text, encoding="utf-8")
    except OSError as error:
        _LOGGER.error("the termination message cannot be written: %s", type(error).__name__)  # noqa: TRY400
