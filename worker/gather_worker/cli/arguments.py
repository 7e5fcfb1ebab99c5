"""The arguments of `gather-worker calibrate` and `gather-worker duplicates`."""

import argparse
from pathlib import Path
from typing import Any, Final

NO_PROJECT: Final = "0" * 24
HELD_OUT_DEFAULT: Final = 0.3
BRAIN_HELP: Final = (
    "The cosines come from the brain at BRAIN_SERVICE_BASE_URL with BRAIN_SERVICE_API_KEY, 50 pairs a "
    "request: they are of the model that runs use. Exit codes: 0 done, 64 wrong input, 75 not possible now."
)
PAIRS_HELP: Final = "JSON Lines with the texts `a` and `b`, and `duplicate`, true or false"


def add_calibrate(commands: Any) -> None:
    """Add the command that makes a calibration."""
    parser = commands.add_parser(
        "calibrate",
        help="make a calibration of duplicates from labelled pairs",
        description="Makes a calibration of duplicates for the brain's embedding model, and measures it on "
        "pairs that it was not made on.",
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
        "--held-out", type=_share, default=HELD_OUT_DEFAULT, metavar="SHARE",
        help="of the pairs, 0.1 to 0.5, that are measured and not calibrated with (default %(default)s)",
    )  # fmt: skip
    _add_common(parser)


def add_duplicates(commands: Any) -> None:
    """Add the command that measures duplicate detection."""
    parser = commands.add_parser(
        "duplicates",
        help="measure how well duplicates are told on labelled pairs",
        description="Prints precision, recall, F1 and the share of pairs that go to the model, for each way "
        "to tell duplicates. Rows that name a simulated judge ask no model.",
        epilog="Example: gather-worker duplicates --pairs ours.jsonl --no-model --table. The model is "
        f"GATHER_JUDGE_MODEL at GATHER_LLM_BASE_URL with OPENROUTER_API_KEY. {BRAIN_HELP}",
    )
    parser.add_argument("--pairs", type=Path, required=True, metavar="FILE", help=PAIRS_HELP)
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE",
        help="unset: GATHER_DUPLICATE_CALIBRATION, else the one that comes with Gather",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=_threshold, metavar="SCORE",
        help="0.5 to 1; unset: GATHER_DUPLICATE_THRESHOLD, which is 0.90 if that is unset too",
    )  # fmt: skip
    parser.add_argument(
        "--model", dest="with_model", action=argparse.BooleanOptionalAction, default=None,
        help="have the model judge what is between the cuts, or not; unset: if GATHER_JUDGE_MODEL is set",
    )  # fmt: skip
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project", default=NO_PROJECT, metavar="ID",
        help="a project that the key may use, whose limits count; nothing of it is read or written",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="is_table", action="store_false", help="print JSON (default)")
    form.add_argument("--table", dest="is_table", action="store_true", help="print a table")
    parser.set_defaults(is_table=False)


def _share(text: str) -> float:
    return _between(text, 0.1, 0.5)


def _threshold(text: str) -> float:
    return _between(text, 0.5, 1.0)


def _between(text: str, least: float, most: float) -> float:
    value = float(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
    return value
