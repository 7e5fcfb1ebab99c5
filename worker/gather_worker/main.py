"""The worker's entry point: arguments in, one department worked on, a result and an exit code out.

However the process ends, the operator finds a `DepartmentResult` in the termination log and one of four exit
codes. Imports that take time wait until SIGTERM is handled: process 1 of a container ignores it by default.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from gather_contracts.result import (
    TERMINATION_MESSAGE_PATH,
    DepartmentResult,
    ExitCode,
    StopReason,
    encode_result,
)
from gather_worker.cli.arguments import add_calibrate, add_duplicates
from gather_worker.department.outcome import Outcome
from gather_worker.errors import InvalidInput, WorkerError
from gather_worker.logs import configure_logging

STARTED_AT: Final = time.monotonic()
ITERATIONS_MAX: Final = 500
"""The highest `maxIterations` that the resource allows."""
DEPARTMENT_INDEX_MAX: Final = 31
LEVELS: Final = {
    StopReason.THRESHOLD_REACHED: logging.INFO,
    StopReason.TERMINATED: logging.INFO,
    StopReason.ITERATIONS_USED: logging.WARNING,
    StopReason.QUALITY_FLAT: logging.WARNING,
    StopReason.BUDGET_USED: logging.WARNING,
    StopReason.DEADLINE_NEAR: logging.WARNING,
    StopReason.FENCED: logging.WARNING,
}
"""Of the last line, by how the attempt ended; what is not here is an error."""

_LOGGER = logging.getLogger("gather_worker")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"arguments: {message}")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments; raises InvalidInput."""
    parser = _Parser(prog="gather-worker", description="Works on one department of a GatherRun.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="write notes until the department is good enough")
    run.add_argument("--run-file", type=Path, required=True, help="run.json, as the operator wrote it")
    run.add_argument(
        "--department-index",
        type=_number(0, DEPARTMENT_INDEX_MAX),
        required=True,
        help="place in run.json, from 0",
    )
    run.add_argument(
        "--iterations", type=_number(1, ITERATIONS_MAX), required=True, help="allowed over all attempts"
    )
    _add_score(commands)
    add_calibrate(commands)
    add_duplicates(commands)
    return parser.parse_args(arguments)


def _add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="measure the quality of a department's notes",
        description="Prints a department's quality score, its four parts and who measured each.",
        epilog="Example: gather-worker score --department story.json --items notes.jsonl "
        "--project 66f1a2b3c4d5e6f708192a3b --table. The brain is BRAIN_SERVICE_BASE_URL with "
        "BRAIN_SERVICE_API_KEY; the model, if one is wanted, GATHER_LLM_BASE_URL with OPENROUTER_API_KEY. "
        "Exit codes: 0 measured, 64 wrong input, 75 not measurable now.",
    )
    score.add_argument(
        "--department", type=Path, required=True, metavar="FILE",
        help="JSON with slug, and if known name, description and model, as in the CMS or in run.json",
    )  # fmt: skip
    score.add_argument(
        "--items", type=Path, required=True, metavar="FILE",
        help="notes as JSON Lines or a JSON list: texts, or objects with content; those that name another "
        "department are left out",
    )  # fmt: skip
    score.add_argument(
        "--project", metavar="ID",
        help="a project that the brain knows; unset: the items' own projectId",
    )  # fmt: skip
    form = score.add_mutually_exclusive_group()
    form.add_argument("--json", dest="is_table", action="store_false", default=False, help="the default")
    form.add_argument("--table", dest="is_table", action="store_true", help="for people instead of JSON")
    score.add_argument(
        "--model", dest="with_model", action=argparse.BooleanOptionalAction, default=None,
        help="have the model judge, or not; unset: if a key or an endpoint is set",
    )  # fmt: skip


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError
        return value

    return number


COMMANDS: Final = {
    "calibrate": "gather_worker.cli.calibrate",
    "duplicates": "gather_worker.cli.duplicates",
    "score": "gather_worker.cli.score",
}
"""Commands besides `run`: modules with `execute(arguments) -> ExitCode`, imported only where they are asked
for. They write no termination message."""


def main() -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        sys.exit(int(execute_command(sys.argv[1:])))
    outcome = Outcome()
    signal.signal(signal.SIGTERM, lambda *_: _end_early())
    configure_logging("INFO")
    try:
        arguments = parse_arguments(sys.argv[1:])
        outcome.ended(asyncio.run(_work(arguments, outcome)), ExitCode.DONE)
    except WorkerError as error:
        outcome.ended(error.reason, error.exit_code, str(error))
    except Exception as error:
        _LOGGER.exception("an error that was not expected")
        outcome.ended(StopReason.INTERNAL_ERROR, ExitCode.TRY_AGAIN, type(error).__name__)
    # From here on SIGTERM could only take the exit code away; Python's own end would let it kill the process.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    result = outcome.result()
    write_result(result)
    level = LEVELS.get(outcome.reason, logging.ERROR)
    numbers = {"exit_code": int(outcome.exit_code), "result": result.model_dump(mode="json")}
    _LOGGER.log(level, "the attempt ends", extra=numbers)
    logging.shutdown()
    sys.exit(int(outcome.exit_code))


def execute_command(arguments: Sequence[str]) -> ExitCode:
    """Run a command of `COMMANDS`; what is wrong goes to standard error as one sentence."""
    try:
        parsed = parse_arguments(arguments)
        tool: Any = importlib.import_module(COMMANDS[parsed.command])
        code: ExitCode = tool.execute(parsed)
    except WorkerError as error:
        sys.stderr.write(f"gather-worker {arguments[0]}: {error}\n")
        return error.exit_code
    return code


async def _work(arguments: argparse.Namespace, outcome: Outcome) -> StopReason:
    # What is imported stays: to look through it for garbage again and again is a tenth of the start.
    gc.disable()
    from gather_worker.cli.run import work  # noqa: PLC0415 - after SIGTERM is handled

    gc.freeze()
    gc.enable()
    return await work(arguments, outcome, STARTED_AT)


def _end_early() -> NoReturn:
    """End at once: nothing was begun, so nothing has to be saved."""
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
