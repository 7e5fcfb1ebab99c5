"""The command line of `gather-worker`; what cannot work raises InvalidInput."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from gather_worker.errors import InvalidInput

ITERATIONS_MAX: Final = 500
"""The highest `maxIterations` that the resource allows."""
DEPARTMENT_INDEX_MAX: Final = 31
MAX_COST_USD: Final = 10_000
COMMAND_COST_USD: Final = 1.0
"""What a command that measures may cost unless more is allowed."""
NO_PROJECT: Final = "0" * 24
HELD_OUT_DEFAULT: Final = 0.3
BRAIN_HELP: Final = (
    "The cosines come from the brain at BRAIN_SERVICE_BASE_URL with BRAIN_SERVICE_API_KEY, 50 pairs a "
    "request, so they are those of the embedding model that runs use. Exit codes: 0 done, 64 wrong input, "
    "75 not possible now."
)
PAIRS_HELP: Final = (
    "JSON Lines, a JSON list or CSV with the texts `a` and `b`, and `duplicate`, true or false"
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"arguments: {message}")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments; raises InvalidInput."""
    parser = _Parser(prog="gather-worker", description="Works on one department of a GatherRun.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    _add_score(commands)
    _add_calibrate(commands)
    _add_duplicates(commands)
    _add_check(commands)
    _add_sync(commands)
    _add_preview(commands)
    return parser.parse_args(arguments)


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="write notes until the department is good enough")
    run.add_argument("--run-file", type=Path, required=True, help="run.json, as the operator wrote it")
    run.add_argument(
        "--department-index", type=_between(int, 0, DEPARTMENT_INDEX_MAX), required=True,
        help="the department's place in run.json, from 0",
    )  # fmt: skip
    run.add_argument(
        "--iterations", type=_between(int, 1, ITERATIONS_MAX), required=True,
        help="iterations that all attempts together may use",
    )  # fmt: skip


def _add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="measure the quality of a department's notes",
        description="Prints a department's quality score, its four parts and who measured each.",
        epilog="Example: gather-worker score --department story.json --items notes.jsonl "
        "--project 66f1a2b3c4d5e6f708192a3b --table. The brain is BRAIN_SERVICE_BASE_URL with "
        "BRAIN_SERVICE_API_KEY; the model, if there is one, GATHER_LLM_BASE_URL with OPENROUTER_API_KEY. "
        "Exit codes: 0 measured, 64 wrong input, 75 not measurable now.",
    )
    score.add_argument(
        "--department", type=Path, required=True, metavar="FILE",
        help="JSON with slug, and if known name, description and model, as in the CMS or in run.json",
    )  # fmt: skip
    score.add_argument(
        "--items", type=Path, required=True, metavar="FILE",
        help="notes as JSON Lines, a JSON list (texts, or objects with content) or CSV with a column "
        "content; those that name another department are left out",
    )  # fmt: skip
    score.add_argument(
        "--project", metavar="ID",
        help="a project that the brain knows; unset: the items' own projectId",
    )  # fmt: skip
    _add_form(score)
    score.add_argument(
        "--model", dest="with_model", action=argparse.BooleanOptionalAction, default=None,
        help="have the model judge, or not; unset: if a key or an endpoint is set",
    )  # fmt: skip
    _add_max_cost(score)


def _add_calibrate(commands: Any) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="make a calibration of duplicates from labelled pairs",
        description="Makes a calibration of duplicates for the brain's embedding model, and measures it on "
        "pairs that were held out, and on pairs made of their texts that are no duplicates: negated, with "
        "another number, a tenfold amount, another name, swapped roles or an opposite word (English).",
        epilog="Example: gather-worker calibrate --pairs ours.jsonl --out ours.json --table. "
        f"GATHER_DUPLICATE_CALIBRATION=ours.json has workers use it. {BRAIN_HELP}",
    )
    parser.add_argument(
        "--pairs", type=Path, required=True, action="append", metavar="FILE",
        help=f"{PAIRS_HELP}; may be given several times: all files weigh the same, whatever their lengths",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the calibration goes")
    parser.add_argument(
        "--source", action="append", default=[], metavar="TEXT",
        help="what the pairs of a file are and where they come from, once for each --pairs; unset: its name",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", type=_between(float, 0.1, 0.5), default=HELD_OUT_DEFAULT, metavar="SHARE",
        help="share of the pairs, 0.1 to 0.5, that the calibration is measured on (default %(default)s)",
    )  # fmt: skip
    _add_common(parser)


def _add_duplicates(commands: Any) -> None:
    parser = commands.add_parser(
        "duplicates",
        help="measure how well duplicates are found among labelled pairs",
        description="Prints precision, recall, F1 and the share of pairs that go to the model, for each "
        "method, and how many pairs are called duplicates that are made of the same texts to differ in a "
        "number, a name, a negation or a role. What names a simulated judge asks no model.",
        epilog="Example: gather-worker duplicates --pairs ours.jsonl --no-model --table. The model is "
        f"GATHER_JUDGE_MODEL at GATHER_LLM_BASE_URL with OPENROUTER_API_KEY. {BRAIN_HELP}",
    )
    parser.add_argument("--pairs", type=Path, required=True, metavar="FILE", help=PAIRS_HELP)
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE",
        help="unset: GATHER_DUPLICATE_CALIBRATION, else the one that comes with Gather",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=_between(float, 0.5, 1.0), metavar="SCORE",
        help="0.5 to 1; unset: GATHER_DUPLICATE_THRESHOLD, which is 0.90 if that is unset too",
    )  # fmt: skip
    parser.add_argument(
        "--model", dest="with_model", action=argparse.BooleanOptionalAction, default=None,
        help="have the model judge pairs between the cuts, or not; unset: if GATHER_JUDGE_MODEL is set",
    )  # fmt: skip
    _add_max_cost(parser)
    _add_common(parser)


def _add_check(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="tell whether runs can work, before anything is paid",
        description="Looks at the CMS, MongoDB, the model, the brain, Redis and Celery, and prints what "
        "works, what does not, and how to mend it. Nothing is left behind anywhere, and nothing is paid.",
        epilog="Example: gather-worker check --project 66f1a2b3c4d5e6f708192a3b --model vendor/model. The "
        "settings are a worker's, and NEXT_PUBLIC_APP_URL with PAYLOAD_API_KEY for the CMS. Exit codes: 0 "
        "runs can work, 64 something must be changed, 75 waiting may help.",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run-file", type=Path, metavar="FILE", help="run.json, as the operator wrote it")
    which.add_argument(
        "--project", metavar="ID", help="a project; unset: what belongs to one is not looked at"
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME",
        help="a model to look at, over the run's; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--iterations", type=_between(int, 1, ITERATIONS_MAX), metavar="N",
        help="reckon their cost; unset: the run's maxIterations, else 50",
    )  # fmt: skip
    parser.add_argument(
        "--ask-model", dest="is_model_asked", action="store_true",
        help="ask each model one tiny question, which may be charged",
    )  # fmt: skip
    parser.add_argument(
        "--strict", dest="is_strict", action="store_true",
        help="fail also for what runs can go on without: brain, Redis, Celery",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="is_table", action="store_false", help="print JSON")
    form.add_argument("--table", dest="is_table", action="store_true", help="print a table (default)")
    parser.set_defaults(is_table=True)


def _add_sync(commands: Any) -> None:
    parser = commands.add_parser(
        "sync",
        help="make the brain equal to MongoDB",
        description="Compares a project's notes in MongoDB with its nodes in the brain, writes to the brain "
        "what is new or changed, and deletes there what is gone. MongoDB is only read. Runs do the same at "
        "each department's start. It may be interrupted and repeated: what is equal is passed over.",
        epilog="Example: gather-worker sync --project 66f1a2b3c4d5e6f708192a3b. It needs MONGODB_URI, "
        "BRAIN_SERVICE_BASE_URL and BRAIN_SERVICE_API_KEY, whose default limits are 10 batches of 50 notes a "
        "minute; a key with higher ones writes 10,000 notes in two minutes. Exit codes: 0 both are equal, 64 "
        "something must be changed, 75 not possible now, 143 interrupted.",
    )  # fmt: skip
    parser.add_argument("--project", required=True, metavar="ID", help="the project, 24 hexadecimal digits")
    parser.add_argument(
        "--dry-run", dest="is_dry", action="store_true", help="print what would be done, and change nothing"
    )
    _add_form(parser)


def _add_preview(commands: Any) -> None:
    parser = commands.add_parser(
        "preview",
        help="show what a run's first iteration would bring, and write nothing",
        description="Makes one iteration of a department as a run would begin it and prints the prompt's "
        "size, the notes, those that would be dropped as duplicates and why, the quality and the cost. "
        "Nothing is written anywhere; MongoDB and the brain are read where they are set and can be reached.",
        epilog="Example: gather-worker preview --run-file run.json --department story --table. The model is "
        "GATHER_LLM_BASE_URL with OPENROUTER_API_KEY, and is paid; --no-model shows the prompt for nothing. "
        "Exit codes: 0 done, 64 something must be changed, 75 not possible now, 143 interrupted.",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run-file", type=Path, metavar="FILE", help="run.json, as the operator wrote it")
    which.add_argument(
        "--department-file", type=Path, metavar="FILE",
        help="a department without a run: JSON with slug, and if known name, description, model and "
        "gatherInstructions, as in the CMS",
    )  # fmt: skip
    parser.add_argument(
        "--department", metavar="SLUG", help="which of the run's departments; not needed where there is one"
    )
    parser.add_argument(
        "--project", metavar="ID", help="with --department-file: whose notes are read; unset: no project's"
    )
    parser.add_argument(
        "--notes", type=Path, metavar="FILE",
        help="the project's notes in the place of MongoDB's, as JSON Lines, a JSON list or CSV: texts, or "
        "documents of the collection gather",
    )  # fmt: skip
    parser.add_argument(
        "--offline", dest="is_offline", action="store_true", help="ask neither MongoDB nor the brain"
    )
    _add_max_cost(parser, None, "unset: the run's budget.maxCostUSD, else 0.50")
    parser.add_argument(
        "--model", dest="with_model", action=argparse.BooleanOptionalAction, default=True,
        help="have the model write and judge, or only build the prompt (--no-model)",
    )  # fmt: skip
    parser.add_argument("--show-prompt", action="store_true", help="print the prompt itself, too")
    _add_form(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project", default=NO_PROJECT, metavar="ID",
        help="a project that the key may use; its rate limits apply, its data is neither read nor written",
    )  # fmt: skip
    _add_form(parser)


def _add_max_cost(
    parser: argparse.ArgumentParser,
    usd: float | None = COMMAND_COST_USD,
    otherwise: str = "default %(default)s",
) -> None:
    parser.add_argument(
        "--max-cost", dest="max_cost_usd", type=_between(float, 0, MAX_COST_USD), metavar="USD",
        default=usd, help=f"what the model may cost; {otherwise}",
    )  # fmt: skip


def _add_form(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="is_table", action="store_false", help="print JSON (default)")
    form.add_argument("--table", dest="is_table", action="store_true", help="print a table")
    parser.set_defaults(is_table=False)


def _between(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return value

    return number
