"""What duplicate detection is worth on labelled pairs: `make duplicates-report PAIRS=FOLDER`.

The user's commands do the work, on a real brain that is started here: `gather-worker calibrate` for each set
of pairs and for all together, `gather-worker duplicates` for each calibration on the held-out pairs of each.
GATHER_BRAIN_EMBEDDING names another embedding model than the default one. With `--ship` the calibration of
all sets becomes the one that Gather ships for that model, and what was shipped before is measured beside it.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.progress import Reporter
from dev.rooms import BRAIN_KEY, brain_service
from dev.service_process import script
from dev.stores import running
from gather_clients.brain_client import BrainClient
from gather_worker.attempt import Attempt
from gather_worker.calibrate.cosines import cosines_of
from gather_worker.calibrate.labelled_pairs import LabelledPair, write_pairs
from gather_worker.calibrate.report import (
    ALONE,
    BEST_CUT,
    CUTS,
    FLAT,
    JUDGE_RIGHT,
    PERFECT_JUDGE,
    STAGES,
    USUAL_JUDGE,
    ContrastRow,
    PairReport,
    f1_at,
)
from gather_worker.calibrate.split import split
from gather_worker.cli.arguments import HELD_OUT_DEFAULT, NO_PROJECT
from gather_worker.duplicates.calibration import (
    Calibration,
    Decision,
    read_calibration,
    shipped_calibration,
)
from gather_worker.duplicates.candidates import NEIGHBOURS, Pair
from gather_worker.duplicates.rules import CalibratedRule
from gather_worker.errors import InvalidInput
from gather_worker.services.brain import Brain
from tests.bench.report import table
from tests.evals.pairs.pair_sets import SOURCES, read_sets
from tests.evals.pairs.turned_pairs import turned_rows, turned_table

CALIBRATIONS: Final = ROOT / "worker/gather_worker/duplicates/calibrations"
COMMAND_TIMEOUT_S: Final = 3600
VECTORS_KEPT: Final = 200_000
"""In the brain's memory, 1.5 KB each: every text is embedded once, however many commands ask for it."""
ALL: Final = "all"
SHIPPED: Final = "shipped"
WAYS: Final = (FLAT, BEST_CUT, ALONE, STAGES, PERFECT_JUDGE, USUAL_JUDGE)
DRAFTS: Final = 10
REPEATS: Final = 50


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the commands find the brain and the files."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: str, *arguments: str) -> dict[str, Any]:
        """Return what a command of `gather-worker` prints."""
        done = subprocess.run(
            [script("gather-worker"), command, *arguments],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def calibrate(self, name: str, sets: Sequence[str]) -> None:
        """Make a calibration of sets."""
        files = [part for each in sets for part in ("--pairs", str(self.folder / f"{each}.jsonl"))]
        sources = [part for each in sets for part in ("--source", SOURCES.get(each, each))]
        self.run("calibrate", *files, *sources, "--out", str(self.calibration(name)))

    def calibration(self, name: str) -> Path:
        """Return the file of a calibration."""
        return self.folder / f"{name}.calibration.json"

    def measure(self, pairs: str, calibration: str) -> PairReport:
        """Measure a calibration on a set's held-out pairs."""
        own = [] if calibration == SHIPPED else ["--calibration", str(self.calibration(calibration))]
        return self.measure_with(pairs, *own)

    def measure_with(self, pairs: str, *own: str) -> PairReport:
        """Measure what these arguments name on a set's held-out pairs."""
        held_out = str(self.folder / f"{pairs}.held-out.jsonl")
        return PairReport.model_validate(self.run("duplicates", "--pairs", held_out, "--no-model", *own))


def write_sets(folder: Path, sets: Mapping[str, Sequence[LabelledPair]]) -> None:
    """Write each set, and its pairs that `calibrate` will hold out."""
    for name, pairs in sets.items():
        write_pairs(folder / f"{name}.jsonl", pairs)
        write_pairs(folder / f"{name}.held-out.jsonl", split(pairs, HELD_OUT_DEFAULT)[1])


Reports = Mapping[tuple[str, str], PairReport]
"""By the set that is measured and the calibration that is used."""


def measure_all(bench: Bench, sets: Sequence[str]) -> Reports:
    """Make all calibrations, and measure each on each set."""
    for name in sets:
        bench.calibrate(name, [name])
    if not bench.calibration(ALL).exists():
        bench.calibrate(ALL, sets)
    return {
        (name, calibration): bench.measure(name, calibration)
        for name in sets
        for calibration in (*sets, ALL, SHIPPED)
    }


@dataclass(frozen=True, slots=True)
class Before:
    """What the shipped calibration was before this run replaced it."""

    file: Path
    pairs: int = 0
    """It was made on; 0 if there was none."""
    f1: Mapping[str, float] = field(default_factory=dict)
    """Without a model, on each set's held-out pairs."""


def ship_calibration(bench: Bench, sets: Sequence[str]) -> Before:
    """Make the calibration of all sets the one that is shipped for the brain's model; return the former."""
    bench.calibrate(ALL, sets)
    made = bench.calibration(ALL)
    file = CALIBRATIONS / f"{read_calibration(made).embedding_model}.json"
    before = Before(file)
    if file.exists():
        former = ["--calibration", str(file)]
        f1 = {name: bench.measure_with(name, *former).f1_of(STAGES) for name in sets}
        before = Before(file, read_calibration(file).made_on.pairs, f1)
    shutil.copy(made, file)
    return before


def shipped_lines(before: Before, reports: Reports, shipped: Calibration) -> list[str]:
    """Return what `--ship` has changed."""
    lines = [f"{before.file.relative_to(ROOT)} is remade, on {shipped.made_on.pairs} pairs"]
    if not before.pairs:
        return [*lines, "There was none for this embedding model.", ""]
    now = {name: reports[name, SHIPPED].f1_of(STAGES) for name in before.f1}
    rows = [
        ("before", str(before.pairs), *(f"{f1:.3f}" for f1 in before.f1.values()), _mean(before.f1)),
        ("now", str(shipped.made_on.pairs), *(f"{f1:.3f}" for f1 in now.values()), _mean(now)),
    ]
    head = ("shipped calibration", "made on pairs", *(f"F1 on {name}" for name in now), "mean F1")
    return [*lines, "", table(head, rows), ""]


def _mean(f1: Mapping[str, float]) -> str:
    return f"{statistics.mean(f1.values()):.3f}"


Languages = Sequence[tuple[ContrastRow, ContrastRow]]


async def asked_brain(
    bench: Bench, sets: Mapping[str, Sequence[LabelledPair]]
) -> tuple[float, list[float], Languages]:
    """Return the cosine cut that gives the best mean F1 over all sets' held-out pairs, its F1 on each, and
    the rows of pairs in other languages.
    """
    brain_uri, key = bench.environment["BRAIN_SERVICE_BASE_URL"], bench.environment["BRAIN_SERVICE_API_KEY"]
    labelled = []
    async with BrainClient(brain_uri, key) as client:
        brain = Brain(client, Attempt(COMMAND_TIMEOUT_S), NO_PROJECT)
        for pairs in sets.values():
            held_out = split(pairs, HELD_OUT_DEFAULT)[1]
            model, cosines = await cosines_of(brain, held_out, lambda _done, _total: None)
            labelled.append((cosines, [pair.duplicate for pair in held_out]))
        shipped = shipped_calibration(model)
        languages = await turned_rows(brain, Decision(shipped)) if shipped else []
    scores = {cut: [f1_at(cut, *each) for each in labelled] for cut in CUTS}
    best = max(CUTS, key=lambda cut: statistics.mean(scores[cut]))
    return best, scores[best], languages


def own_table(reports: Reports, name: str) -> list[str]:
    """Return a set's ways side by side, with a calibration of its own."""
    report = reports[name, name]
    title = f"{name}: {report.pairs} held-out pairs, {report.duplicates} duplicates"
    rows = [["way", "precision", "recall", "F1", "pairs to a model"]]
    for way in WAYS:
        row = next(row for row in report.rows if row.way.startswith(way))
        numbers = [f"{number:.3f}" for number in (row.precision, row.recall, row.f1)]
        rows.append([row.way, *numbers, f"{row.judged_share:.1%}"])
    return [title, "", table(rows[0], rows[1:]), ""]


def contrast_table(reports: Reports, name: str) -> list[str]:
    """Return how many of the pairs that differ in what turns the meaning are called duplicates."""
    report = reports[name, SHIPPED]
    columns = [
        f"{name}, shipped calibration", "pairs", "median cosine", FLAT, ALONE, STAGES, "pairs to a model",
        f"simulated judge right in {JUDGE_RIGHT:.0%}",
    ]  # fmt: skip
    rows = [
        [
            row.kind,
            str(row.pairs),
            f"{row.median_cosine:.3f}",
            *(
                f"{share:.0%}"
                for share in (row.flat, row.alone, row.stages, row.judged_share, row.usual_judge)
            ),
        ]
        for row in report.contrasts
    ]
    return [table(columns, rows), ""]


def transfer_table(reports: Reports, sets: Sequence[str], shared: tuple[float, list[float]]) -> list[str]:
    """Return F1 without a model, and the band, for each calibration on each set."""
    rows = [
        [
            "calibrated on",
            *(f"F1 on {name}" for name in sets),
            "mean F1",
            *(f"band on {name}" for name in sets),
        ]
    ]
    for calibration in (*sets, ALL, SHIPPED):
        each = [reports[name, calibration] for name in sets]
        scores = [report.f1_of(STAGES) for report in each]
        bands = [f"{report.band_share:.1%}" for report in each]
        rows.append([calibration, *(f"{f1:.3f}" for f1 in scores), f"{statistics.mean(scores):.3f}", *bands])
    cut, scores = shared
    label = f"no calibration: best cosine cut for all, {cut:.3f}"
    rows.append(
        [label, *(f"{f1:.3f}" for f1 in scores), f"{statistics.mean(scores):.3f}", *("-" for _ in sets)]
    )
    return [table(rows[0], rows[1:]), ""]


def latency_ms(calibration: Calibration, pairs: Sequence[LabelledPair]) -> tuple[float, float]:
    """Return median and p95 of the processor's time to decide one batch, by texts that no rule has seen.

    Each of 10 drafts is compared with 5 saved notes and with each other draft.
    """
    count = DRAFTS * NEIGHBOURS + DRAFTS * (DRAFTS - 1) // 2
    texts = cycle(pairs)
    taken = []
    for _ in range(REPEATS):
        batch = [Pair(0, each.a, each.b, cosine=0.7) for each in islice(texts, count)]
        rule = CalibratedRule(Decision(calibration))
        started = time.process_time()
        for pair in batch:
            rule(pair)
        taken.append((time.process_time() - started) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def duplicates(
    pairs: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="A folder of labelled pairs: *.jsonl with a, b and duplicate, or pan/ and stsb/",
        ),
    ],
    ship: Annotated[
        bool, typer.Option("--ship", help="Make the calibration of all sets the one that Gather ships.")
    ] = False,
) -> None:
    """Print what duplicate detection is worth on each set of pairs, and how calibrations carry over.

    GATHER_BRAIN_EMBEDDING=accurate (or multilingual) before it: with that model of the brain.
    """
    try:
        sets = read_sets(pairs)
    except InvalidInput as error:
        raise typer.BadParameter(str(error)) from error
    folder = Path(tempfile.mkdtemp(prefix="gather-pairs-"))
    try:
        write_sets(folder, sets)
        before, reports, (cut, scores, languages) = _measured(folder, sets, ship=ship)
        shipped = read_calibration(folder / f"{ALL}.calibration.json")
    finally:
        shutil.rmtree(folder)
    lines = [line for make in (own_table, contrast_table) for name in sets for line in make(reports, name)]
    lines += [*turned_table(languages), *transfer_table(reports, list(sets), (cut, scores))]
    if before is not None:
        lines += shipped_lines(before, reports, shipped)
    typer.echo("\n".join(lines))
    for name, each in sets.items():
        median, p95 = latency_ms(shipped, each)
        typer.echo(f"{DRAFTS} drafts decided on texts of {name}: median {median:.0f} ms, p95 {p95:.0f} ms")


def _measured(
    folder: Path, sets: Mapping[str, Sequence[LabelledPair]], *, ship: bool
) -> tuple[Before | None, Reports, tuple[float, list[float], Languages]]:
    programs = StoreArtefacts.from_environment()
    with Reporter().step("Calibrating and measuring"), running("neo4j", programs) as neo4j:
        settings = {"GATHER_BRAIN_EMBEDDING_CACHE_ENTRIES": str(VECTORS_KEPT)}
        brain = brain_service(folder, neo4j.uri, programs.embedding_model(), settings)
        brain.start()
        try:
            environment = {
                "PATH": os.environ["PATH"],
                "BRAIN_SERVICE_BASE_URL": brain.uri,
                "BRAIN_SERVICE_API_KEY": BRAIN_KEY,
                "GATHER_SECRETS_DIR": str(folder),
            }
            bench = Bench(folder, environment)
            before = ship_calibration(bench, list(sets)) if ship else None
            return before, measure_all(bench, list(sets)), asyncio.run(asked_brain(bench, sets))
        finally:
            brain.kill()


if __name__ == "__main__":
    command()
