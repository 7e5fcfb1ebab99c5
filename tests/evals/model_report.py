"""`make model-report MODEL=…`: what a model is worth to Gather, at any endpoint, for anyone with a key.

By the worker's own steps, prompts and gateway, on the labelled films of tests/data/coverage: notes are
written for departments (preview), pairs of notes are judged as duplicates, and notes that got worse on
purpose are scored, the same ones several times. Nothing is written but the report: no MongoDB, no Redis, no
Neo4j; the brain's arithmetic runs in this process. It costs the model's price, at most `--max-cost`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from dev.artefacts.store_binaries import StoreArtefacts
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_clients.configuration import secrets_of
from gather_clients.logs import hide_in_logs
from gather_clients.notes.note import Note
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import Budget, GatherRunSpec
from gather_contracts.result import ExitCode
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_worker.attempt import Attempt
from gather_worker.cli.arguments import NO_PROJECT
from gather_worker.cli.clients import open_model, run_command
from gather_worker.cli.preview_input import GivenNotes
from gather_worker.cli.settings import PreviewSettings
from gather_worker.department.task import DepartmentTask
from gather_worker.duplicates.candidates import JUDGED_PAIRS_MAX, Pair
from gather_worker.errors import BudgetUsed, InvalidInput, ModelError, WorkerError
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts.pair_prompt import duplicates_prompt
from gather_worker.schemas import PairVerdicts
from gather_worker.settings import read_settings
from gather_worker.steps.previewing import Previewer
from gather_worker.steps.project_notes import ProjectNotes
from tests.evals.coverage import Vectors
from tests.evals.coverage_cases import HALVES, Department, departments
from tests.evals.local_brain import LocalBrain
from tests.evals.model_tables import DUPLICATES, PREVIEW, QUALITY, markdown_of
from tests.evals.quality import BrainMeasure, ModelMeasure, report_on, work_of
from tests.evals.report_files import write_both

HALF: Final = HALVES[-1]
"""On which nothing was fitted."""
DEPARTMENTS_DEFAULT: Final = 2
REPEATS_DEFAULT: Final = 3
MAX_COST_DEFAULT_USD: Final = 1.00
MAX_COST_USD: Final = 1000.0
OUT_DEFAULT: Final = Path("dist/model-report")
DURATION_S: Final = 4 * 3600.0
KNOWN_SHARE: Final = 2
"""Every second note of a film's department is there before the model writes."""
Section = Coroutine[Any, Any, dict[str, Any]]


@dataclass(slots=True)
class Bench:
    """What all parts of the report use, and what they came to."""

    model: str
    judge: str
    settings: PreviewSettings
    gateway: ModelGateway
    vectors: Vectors
    embedding_model: str
    departments: Sequence[Department]
    repeats: int
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def add(self, name: str, section: Section) -> None:
        """Do one part, and note what it cost; one that cannot be done says why.

        Raises ModelError and WorkerError where the model has answered nothing yet: it is the wrong one.
        """
        before, began_s = self.gateway.ledger, time.perf_counter()
        try:
            found = await section
        except BudgetUsed as error:
            found = {"problem": f"the cap left no room: {error}"}
        except (ModelError, WorkerError) as error:
            if not self.gateway.ledger.tokens:
                raise
            found = {"problem": str(error)}
        spent = self.gateway.ledger
        self.sections[name] = found | {
            "costUSD": round(spent.total_usd - before.total_usd, 6),
            "tokens": spent.tokens - before.tokens,
            "seconds": round(time.perf_counter() - began_s, 1),
        }


# --- the parts


async def preview(bench: Bench) -> dict[str, Any]:
    """Have notes written for each department, beside every second one of its own."""
    rows = []
    for number, department in enumerate(bench.departments, start=1):
        _say(f"preview {number} of {len(bench.departments)}: {department.slug}")
        before, began_s = bench.gateway.ledger, time.perf_counter()
        rows.append(await _preview_one(bench, department))
        spent = bench.gateway.ledger
        rows[-1]["costUSD"] = round(spent.total_usd - before.total_usd, 6)
        rows[-1]["seconds"] = round(time.perf_counter() - began_s, 1)
    return {"departments": rows}


async def _preview_one(bench: Bench, department: Department) -> dict[str, Any]:
    known = notes_of(department, department.texts[::KNOWN_SHARE])
    task = task_of(department, bench.model)
    notes = ProjectNotes(task, GivenNotes(known))
    await notes.read()
    brain = LocalBrain(bench.vectors, bench.embedding_model, known)
    settings = bench.settings.model_copy(update={"judge_model": bench.judge})
    previewer = Previewer(task, settings, notes, brain, bench.gateway, calibration=None, say=lambda _: None)
    try:
        await previewer.prompt()
        written = await previewer.write()
    except (ModelError, WorkerError) as error:
        if isinstance(error, BudgetUsed) or not bench.gateway.ledger.tokens:
            raise
        return {"department": department.slug, "problem": str(error)}
    quality = written.measurement.quality
    return {
        "department": department.slug,
        "writer": written.writer,
        "notes": len(written.drafts),
        "duplicates": len(written.drafts) - len(written.choice.kept),
        "score": quality.score if quality else None,
    }


async def duplicates(bench: Bench) -> dict[str, Any]:
    """Have labelled pairs judged: notes said again, denied, and others of the same film."""
    pairs = [pair for department in bench.departments for pair in pairs_of(department)]
    said: dict[int, bool] = {}
    for start in range(0, len(pairs), JUDGED_PAIRS_MAX):
        some = pairs[start : start + JUDGED_PAIRS_MAX]
        _say(f"duplicates: pairs {start + 1} to {start + len(some)} of {len(pairs)}")
        asked = [Pair(place, text=pair.text, other=pair.other) for place, pair in enumerate(some)]
        answer = await bench.gateway.ask(bench.judge, duplicates_prompt(asked), PairVerdicts)
        said |= {
            start + verdict.pair: verdict.duplicate
            for verdict in answer.verdicts
            if 0 <= verdict.pair < len(some)
        }
    return figures_of(pairs, said)


async def quality(bench: Bench) -> dict[str, Any]:
    """Have notes judged that got worse on purpose, and the same ones several times."""
    brain = BrainMeasure(bench.vectors)
    measure = ModelMeasure(brain, bench.judge, bench.gateway)
    limit = len(bench.departments)
    made = work_of(HALF, limit)
    wanted = [(each, case.texts, 0) for each, cases in made for case in cases]
    wanted += [(each, tuple(each.texts), reading) for each, _ in made for reading in range(bench.repeats)]
    wanted = list(dict.fromkeys(wanted))
    _say(f"quality: {len(wanted)} verdicts")
    await measure.prepare(wanted)
    report = report_on(HALF, measure, bench.repeats, limit)
    if measure.failed == len(wanted):
        return {"verdicts": len(wanted), "failed": measure.failed, "problem": "no verdict was given"}
    return {
        "verdicts": len(wanted),
        "failed": measure.failed,
        "figures": {fact: round(value, 3) for fact, value in report.shares().items()},
    }


# --- the material


@dataclass(frozen=True, slots=True)
class LabelledNotes:
    """Two notes, and whether the second says nothing new; `kind` is how they came about."""

    text: str
    other: str
    kind: str
    is_duplicate: bool


def pairs_of(department: Department) -> list[LabelledNotes]:
    """Return a department's labelled pairs: each note said again or denied, and as many of others."""
    texts = department.texts
    again = [LabelledNotes(text, texts[of], "said again", True) for of, text in department.said_again]
    denied = [LabelledNotes(text, texts[of], "denied", False) for of, text in department.denied]
    others = zip(texts[1:], texts, strict=False)
    apart = [LabelledNotes(text, other, "another note", False) for text, other in others]
    return [*again, *denied, *apart[: len(again) + len(denied)]]


def figures_of(pairs: Sequence[LabelledNotes], said: dict[int, bool]) -> dict[str, Any]:
    """Return how often the verdicts are right, by the pairs' kinds."""
    kinds: dict[str, dict[str, int]] = {}
    for place, pair in enumerate(pairs):
        kind = kinds.setdefault(pair.kind, {"pairs": 0, "judged": 0, "right": 0})
        kind["pairs"] += 1
        kind["judged"] += place in said
        kind["right"] += said.get(place) == pair.is_duplicate
    found = [place for place, is_duplicate in said.items() if is_duplicate]
    right = sum(pairs[place].is_duplicate for place in found)
    there = sum(pair.is_duplicate for pair in pairs)
    return {
        "pairs": len(pairs),
        "judged": len(said),
        "precision": round(right / len(found), 3) if found else None,
        "recall": round(right / there, 3) if there else None,
        "kinds": kinds,
    }


def notes_of(department: Department, texts: Sequence[str]) -> list[Note]:
    """Return texts as a department's saved notes."""
    return [
        Note(id=f"{number:024x}", content=text, project_id=NO_PROJECT, department=department.slug)
        for number, text in enumerate(texts, start=1)
    ]


def task_of(department: Department, model: str) -> DepartmentTask:
    """Return a department as a run of its own."""
    resolved = ResolvedDepartment(
        slug=department.slug, name=department.slug.replace("-", " ").title(),
        description=department.description, code_dep_number=1, threshold=80, model=model,
    )  # fmt: skip
    name = "model-report"
    spec = GatherRunSpec(project_id=NO_PROJECT, user_id=name)
    document = RunDocument(
        run=RunIdentity(name=name, namespace=name, uid=name), spec=spec, departments=[resolved]
    )
    return DepartmentTask(document, 0, 1, name)


# --- the command


async def report(
    settings: PreviewSettings, given: argparse.Namespace, vectors: Vectors, name: str
) -> dict[str, Any]:
    """Return the report; raises InvalidInput where the model or the key can never work."""
    budget = Budget(max_cost_usd=given.max_cost_usd)
    began = datetime.now(UTC)
    async with open_model(settings, Attempt(DURATION_S), budget) as gateway:
        bench = Bench(
            given.model, given.judge or given.model, settings, gateway, vectors, name,
            departments(HALF)[: given.departments], given.repeats,
        )  # fmt: skip
        for judge in dict.fromkeys((bench.model, bench.judge)):
            if missing := await gateway.find_missing(judge, settings.llm_timeout_s):
                raise InvalidInput(str(missing))
        parts: dict[str, Callable[[Bench], Section]] = {
            PREVIEW: preview, DUPLICATES: duplicates, QUALITY: quality
        }  # fmt: skip
        for part, make in parts.items():
            await bench.add(part, make(bench))
        spent = gateway.ledger
        return {
            "model": bench.model,
            "judge": bench.judge,
            "endpoint": settings.llm_base_url.rsplit("@", maxsplit=1)[-1],
            "at": began.isoformat(timespec="seconds"),
            "embeddings": name,
            "repeats": given.repeats,
            "maxCostUSD": given.max_cost_usd,
            "isCapReached": gateway.is_budget_used,
            "costUSD": round(spent.total_usd, 6),
            "tokens": spent.tokens,
            "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
            **bench.sections,
        }


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="make model-report", description=str(__doc__).split("\n\n", 1)[1],
        epilog="The endpoint is GATHER_LLM_BASE_URL (OpenRouter if unset) with OPENROUTER_API_KEY; every "
        "GATHER_LLM_ setting of a worker counts.",
    )  # fmt: skip
    parser.add_argument("--model", required=True, metavar="NAME", help="writes the notes, and judges")
    parser.add_argument("--judge", metavar="NAME", help="another model that judges")
    parser.add_argument(
        "--departments", type=int, default=DEPARTMENTS_DEFAULT, choices=range(1, 9), metavar="N",
        help="of how many departments, 1 to 8 (default %(default)s); quality takes some 24 verdicts for each",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, default=REPEATS_DEFAULT, choices=range(2, 11), metavar="N",
        help="readings of the same notes, 2 to 10 (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--max-cost", dest="max_cost_usd", type=float, default=MAX_COST_DEFAULT_USD, metavar="USD",
        help="what it may cost (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=OUT_DEFAULT, metavar="FILE",
        help="where FILE.md and FILE.json go (default %(default)s)",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if not 0 < given.max_cost_usd <= MAX_COST_USD:
        parser.error(f"--max-cost must be above 0 and at most {MAX_COST_USD:g}")
    return given


def main() -> None:
    """Write the report and print it."""
    given = parsed()
    try:
        settings = read_settings(PreviewSettings)
        if not settings.has_model:
            raise InvalidInput("set OPENROUTER_API_KEY, or GATHER_LLM_BASE_URL for another endpoint")
        hide_in_logs(secrets_of(settings))
        model = OnnxModel(StoreArtefacts.from_environment().embedding_model(), None)
        found = run_command(report(settings, given, Vectors(model.embed), model.name))
    except (ModelError, WorkerError) as error:
        code = error.exit_code if isinstance(error, WorkerError) else ExitCode.TRY_AGAIN
        sys.stderr.write(f"make model-report: {error}\n")
        sys.exit(int(code))
    sys.stdout.write(write_both(found, markdown_of(found), given.out))
    _say(f"{given.out}.md and {given.out}.json are written")


if __name__ == "__main__":
    main()
