"""`gather-worker calibrate`: labelled pairs in, a calibration and what it is worth out."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gather_contracts.result import ExitCode
from gather_worker.attempt import Attempt
from gather_worker.calibrate.contrasts import contrasts_of
from gather_worker.calibrate.cosines import DURATION_S, cosines_of, report_progress
from gather_worker.calibrate.labelled_pairs import LabelledPair, read_pairs
from gather_worker.calibrate.report import PairReport, report_of, table_of
from gather_worker.calibrate.split import split
from gather_worker.cli.clients import open_brain, run_command
from gather_worker.cli.settings import CommandSettings
from gather_worker.duplicates.calibration import Calibration, Decision, MadeOn
from gather_worker.duplicates.features import ComparableText, features_of
from gather_worker.errors import InvalidInput
from gather_worker.settings import read_settings

PAIRS_MIN: Final = 200
"""To calibrate with, of each file: a fold then has enough pairs for five leaves."""
LABELS_MIN: Final = 40
"""At least so many duplicates, and as many others: enough for a leaf."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of pairs in its two parts, without a text in common."""

    name: str
    to_fit: Sequence[LabelledPair]
    held_out: Sequence[LabelledPair]
    contrasts: Mapping[str, Sequence[LabelledPair]]
    """Pairs made of the texts that are held out, none of them a duplicate."""

    @property
    def pairs(self) -> list[LabelledPair]:
        """Return all of them."""
        return [*self.to_fit, *self.held_out, *(pair for made in self.contrasts.values() for pair in made)]


Cosines = Mapping[LabelledPair, float]


def execute(arguments: argparse.Namespace) -> ExitCode:
    """Write the calibration and print its figures; raises InvalidInput and TryAgain."""
    if arguments.source and len(arguments.source) != len(arguments.pairs):
        raise InvalidInput("--source: one for each --pairs, or none")
    if not arguments.out.parent.is_dir():
        raise InvalidInput(f"--out: {arguments.out.parent} is not a folder")
    names = arguments.source or [path.stem for path in arguments.pairs]
    files = [read_pairs(path) for path in arguments.pairs]
    kinds = [kind_of(name, pairs, arguments.held_out) for name, pairs in zip(names, files, strict=True)]
    for path, kind in zip(arguments.pairs, kinds, strict=True):
        check_enough(str(path), kind.to_fit)
    asked = list(dict.fromkeys(pair for kind in kinds for pair in kind.pairs))
    model, found = run_command(_cosines(arguments, asked))
    cosines = dict(zip(asked, found, strict=True))
    calibration = calibrate(kinds, cosines, model)
    _write(arguments.out, calibration)
    reports = [measured(kind, cosines, calibration) for kind in kinds]
    sys.stdout.write(_printed(arguments, calibration, reports))
    return ExitCode.DONE


async def _cosines(arguments: argparse.Namespace, pairs: Sequence[LabelledPair]) -> tuple[str, list[float]]:
    settings = read_settings(CommandSettings)
    async with open_brain(settings, Attempt(DURATION_S), arguments.project) as brain:
        return await cosines_of(brain, pairs, report_progress)


def check_enough(name: str, to_fit: Sequence[LabelledPair]) -> None:
    """Raise InvalidInput if a calibration cannot be made of so few pairs."""
    duplicates = sum(pair.duplicate for pair in to_fit)
    if len(to_fit) < PAIRS_MIN or not LABELS_MIN <= duplicates <= len(to_fit) - LABELS_MIN:
        raise InvalidInput(
            f"{name}: {len(to_fit)} pairs are left to calibrate with, {duplicates} of them duplicates; "
            f"wanted are {PAIRS_MIN}, with {LABELS_MIN} duplicates and {LABELS_MIN} others"
        )


def kind_of(name: str, pairs: Sequence[LabelledPair], held_out_share: float) -> Kind:
    """Return the pairs of a file, split, with their contrasts."""
    to_fit, held_out = split(pairs, held_out_share)
    return Kind(name, to_fit, held_out, contrasts_of(held_out))


def calibrate(kinds: Sequence[Kind], cosines: Cosines, embedding_model: str) -> Calibration:
    """Return the calibration of the kinds' pairs that are not held out; raises InvalidInput."""
    try:
        from gather_worker.calibrate.fitting import Sample, fit  # noqa: PLC0415 - LightGBM comes with its own extra
    except ModuleNotFoundError as error:
        raise InvalidInput(f"{error.name} is missing: pip install 'gather[worker,calibrate]'") from error

    samples = [
        Sample(
            [
                features_of(ComparableText(pair.a), ComparableText(pair.b), cosines[pair])
                for pair in kind.to_fit
            ],
            [pair.duplicate for pair in kind.to_fit],
        )
        for kind in kinds
    ]
    made_on = MadeOn(
        sources=tuple(kind.name for kind in kinds),
        pairs=sum(len(sample.duplicates) for sample in samples),
        duplicates=sum(sum(sample.duplicates) for sample in samples),
        at=datetime.now(UTC).date().isoformat(),
    )
    return fit(samples, embedding_model, made_on)


def measured(kind: Kind, cosines: Cosines, calibration: Calibration) -> PairReport:
    """Return what the calibration is worth on the kind's held-out pairs."""
    contrasts = {name: (made, [cosines[pair] for pair in made]) for name, made in kind.contrasts.items()}
    found = [cosines[pair] for pair in kind.held_out]
    return report_of(kind.name, kind.held_out, found, Decision(calibration), contrasts=contrasts)


def _write(path: Path, calibration: Calibration) -> None:
    """Write the file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(f"{calibration.model_dump_json()}\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise InvalidInput(f"--out: {path.name} cannot be written: {error.strerror}") from error


def _printed(arguments: argparse.Namespace, calibration: Calibration, reports: Sequence[PairReport]) -> str:
    made_on = calibration.made_on
    if arguments.is_table:
        made = (
            f"{arguments.out}: for embeddings of {calibration.embedding_model}, made on "
            f"{made_on.pairs} pairs ({made_on.duplicates} duplicates) of {', '.join(made_on.sources)}"
        )
        return "\n".join([made, *("\n" + table_of(report) for report in reports)])
    report: dict[str, Any] = {
        "calibration": str(arguments.out),
        "embeddingModel": calibration.embedding_model,
        "madeOn": made_on.model_dump(),
        "heldOut": [each.model_dump(by_alias=True) for each in reports],
    }
    return f"{json.dumps(report, indent=2)}\n"
