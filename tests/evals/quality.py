"""`make quality-report`: how often the score, and the part that names the fault, fall where notes got worse.

The labelled set and what is done to it are those of the coverage report; here the four parts and their
weighted sum are looked at, as the worker makes them. Without `--model` the brain's own measures are what is
measured: no network, no key. With `--model NAME` a real model judges depth, coherence and actionability by
the worker's rubric, at GATHER_LLM_BASE_URL with OPENROUTER_API_KEY; only the held-out half is used then.
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from statistics import pstdev
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from rich.console import Console

from gather_clients.notes.note import Note
from gather_contracts.departments import ResolvedDepartment
from gather_worker.attempt import Attempt
from gather_worker.department.evidence import Heard, heard
from gather_worker.department.quality import RUBRIC_PARTS, WEIGHTS, weighted
from gather_worker.errors import ModelError, WorkerError
from gather_worker.llm.access.model_client import new_client
from gather_worker.llm.gateway import ModelGateway
from gather_worker.model_settings import OPENROUTER_URL
from gather_worker.prompts import Prompt
from gather_worker.prompts.builders import judge_prompt
from gather_worker.prompts.judge_input import neutral_order, without_copies
from gather_worker.schemas import QualityVerdict
from tests.evals.coverage import (
    STRANGER_STEP,
    Report,
    Vectors,
    found_for,
    markdown_of,
    model_vectors,
    spearman,
    table_of,
)
from tests.evals.coverage_cases import HALVES, Case, Department, cases, departments

FALL: Final = 1.0
"""A score that moves by less has not fallen, as in the coverage report."""
RISE: Final = 0.1
"""A part that rises by less has not risen: the score itself is rounded to this."""
PARTS: Final = tuple(WEIGHTS)
COPIES_SHARE: Final = (0, 1 / 3, 2 / 3, 1)
REPEATS_DEFAULT: Final = 3
CALLS_AT_ONCE: Final = 4
ATTEMPT_S: Final = 4 * 3600.0
ANSWER_TIMEOUT_S: Final = 120.0
ANSWER_TOKENS_MAX: Final = 4_000

NAMED: Final = {
    "removed": "coverage",
    "thinned": "depth",
    "contradicted": "coherence",
    "padded_office": "coherence",
    "padded_trade": "coherence",
    "padded_copies": "coherence",
}
"""Which part each degradation is named by."""
WORDS: Final = {
    "removed": "topic dropped",
    "thinned": "thinned",
    "contradicted": "contradicted",
    "padded_office": "padded with office notes",
    "padded_trade": "padded with another trade's notes",
    "padded_copies": "duplicated",
}
GRADED: Final = {
    "removed_graded": "coverage",
    "thinned_graded": "depth",
    "contradicted_graded": "coherence",
    "padded_graded": "coherence",
    "copied_graded": "coherence",
}
"""Which part each series of growing degradation should lower step by step."""

Scores = dict[str, float]
"""The four parts and `score`, each 0-100."""
Measure = Callable[[Department, Sequence[str], int], Scores]
"""Scores of a department's notes; the number distinguishes readings of the same notes."""


class BrainMeasure:
    """The brain's own measures; readings differ in the order of the notes alone."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def __call__(self, department: Department, texts: Sequence[str], reading: int) -> Scores:
        """Return the scores as a worker without a model would have them."""
        order = neutral_order(texts, reading) if reading else list(texts)
        found = found_for(department, order, self._vectors).scores
        return with_score({part: found[part] for part in PARTS})


class ModelMeasure:
    """A model's verdicts over the brain's coverage, asked for beforehand in `prepare`."""

    def __init__(self, brain: BrainMeasure, model: str, gateway: ModelGateway) -> None:
        self._brain = brain
        self._model = model
        self._gateway = gateway
        self._verdicts: dict[tuple[str, tuple[str, ...], int], Heard | None] = {}
        self.failed = 0

    async def prepare(self, wanted: Sequence[tuple[Department, tuple[str, ...], int]]) -> None:
        """Ask for the verdicts, a few at once."""
        places = asyncio.Semaphore(CALLS_AT_ONCE)

        async def one(department: Department, texts: tuple[str, ...], reading: int) -> None:
            async with places:
                self._verdicts[department.slug, texts, reading] = await self._ask(department, texts, reading)

        await asyncio.gather(*(one(*request) for request in dict.fromkeys(wanted)))

    async def _ask(self, department: Department, texts: Sequence[str], reading: int) -> Heard | None:
        prompt = prompt_of(department, texts, reading)
        try:
            verdict = await self._gateway.ask(self._model, prompt, QualityVerdict)
            return heard(verdict, prompt.quotable)
        except (ModelError, WorkerError) as error:
            self.failed += 1
            sys.stderr.write(f"{department.slug}: no verdict: {type(error).__name__}\n")
            return None

    def __call__(self, department: Department, texts: Sequence[str], reading: int) -> Scores:
        """Return the scores as a worker with this model would have them; the brain's where none counts."""
        scores = self._brain(department, texts, 0)
        verdict = self._verdicts.get((department.slug, tuple(texts), reading))
        if verdict is None:
            return scores
        share = without_copies(texts).distinct_share
        said = {part: score for part in RUBRIC_PARTS if (score := verdict.score(part)) is not None}
        if "coherence" in said:
            said["coherence"] *= share
        return with_score(scores | said)


def prompt_of(department: Department, texts: Sequence[str], reading: int) -> Prompt:
    """Return the worker's own request for a verdict on these notes."""
    resolved = ResolvedDepartment(
        slug=department.slug, name=department.slug.replace("-", " ").title(),
        description=department.description, code_dep_number=0, threshold=0, model="",
    )  # fmt: skip
    items = [
        Note(id=f"{number}", content=text, project_id="0" * 24, department=department.slug)
        for number, text in enumerate(texts)
    ]
    return judge_prompt(resolved, items, reading=reading)


def with_score(parts: Scores) -> Scores:
    """Return the parts with their weighted sum."""
    return {**parts, "score": weighted(**{part: parts[part] for part in PARTS})}


def degraded(department: Department, stranger: Department) -> list[Case]:
    """Return the coverage report's cases that are looked at here, and a graded series of copies."""
    known = {"whole", *NAMED, *GRADED}
    found = [case for case in cases(department, stranger) if case.kind in known]
    whole = department.texts
    for level, share in enumerate(COPIES_SHARE):
        copies = whole[: round(share * len(whole))]
        found.append(Case("copied_graded", level, (*whole, *(f" {text.lower()} " for text in copies))))
    return found


def work_of(half: str, limit: int | None) -> list[tuple[Department, list[Case]]]:
    """Return each department of a half with its cases."""
    every = departments(half)
    return [
        (department, degraded(department, every[(place + STRANGER_STEP) % len(every)]))
        for place, department in enumerate(every[:limit])
    ]


def report_on(half: str, measure: Measure, repeats: int, limit: int | None = None) -> Report:
    """Measure every case of one half of the departments, or of the first `limit` ones."""
    report = Report()
    for department, made in work_of(half, limit):
        found = [measure(department, case.texts, 0) for case in made]
        pairs = list(zip(made, found, strict=True))
        facts = chain(_falls(pairs), _ranks(pairs), _spread(department, measure, repeats))
        report.add(department.slug, len(made), facts)
    return report


def _falls(pairs: Sequence[tuple[Case, Scores]]) -> Iterator[tuple[str, float]]:
    whole = next(scores for case, scores in pairs if case.kind == "whole")
    for case, scores in pairs:
        part = NAMED.get(case.kind)
        if part is None:
            continue
        what = WORDS[case.kind]
        yield f"{what}: {part} falls", scores[part] < whole[part] - FALL
        yield f"{what}: the score falls", scores["score"] < whole["score"] - RISE
        if case.kind == "padded_copies":
            yield f"{what}: no part rises", all(scores[p] <= whole[p] + RISE for p in PARTS)


def _ranks(pairs: Sequence[tuple[Case, Scores]]) -> Iterator[tuple[str, float]]:
    series: dict[str, list[tuple[int, Scores]]] = defaultdict(list)
    for case, scores in pairs:
        if case.kind in GRADED:
            series[case.kind].append((case.level, scores))
    for kind, points in series.items():
        levels = [level for level, _ in points]
        name = kind.removesuffix("_graded")
        for part in (GRADED[kind], "score"):
            yield f"rank correlation: {name}, {part}", spearman(levels, [s[part] for _, s in points])


def _spread(department: Department, measure: Measure, repeats: int) -> Iterator[tuple[str, float]]:
    """Yield the standard deviation of each part over readings of the same notes in other orders."""
    readings = [measure(department, department.texts, reading) for reading in range(repeats)]
    for part in (*PARTS, "score"):
        yield f"repeats: deviation of {part}", pstdev(reading[part] for reading in readings)


# --- the command


class ModelSettings(BaseSettings):
    """Where the model is; the names are the worker's."""

    gather_llm_base_url: str = OPENROUTER_URL
    openrouter_api_key: SecretStr = SecretStr("")


async def judged_by(model: str, brain: BrainMeasure, repeats: int, limit: int | None) -> dict[str, Report]:
    """Return the held-out half's report with a model's verdicts."""
    settings = ModelSettings()
    client = new_client(settings.gather_llm_base_url, settings.openrouter_api_key.get_secret_value())
    gateway = ModelGateway(
        client, Attempt(ATTEMPT_S), timeout_s=ANSWER_TIMEOUT_S, max_tokens=ANSWER_TOKENS_MAX
    )
    measure = ModelMeasure(brain, model, gateway)
    half = HALVES[-1]
    wanted = [(d, case.texts, 0) for d, made in work_of(half, limit) for case in made]
    wanted += [(d, tuple(d.texts), reading) for d, _ in work_of(half, limit) for reading in range(repeats)]
    sys.stderr.write(f"{len(dict.fromkeys(wanted))} calls of {model}\n")
    try:
        await measure.prepare(wanted)
    finally:
        await gateway.close()
    report = report_on(half, measure, repeats, limit)
    sys.stderr.write(
        f"{measure.failed} calls failed, {gateway.ledger.tokens} tokens, {gateway.ledger.total_usd:.4f} USD\n"
    )
    return {f"{half}, {model}": report}


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(prog="make quality-report", description=str(__doc__).split("\n\n", 1)[0])
    parser.add_argument("--model", metavar="NAME", help="have this model judge, by the worker's rubric")
    parser.add_argument("--repeats", type=int, default=REPEATS_DEFAULT, help="readings of the same notes")
    parser.add_argument("--departments", type=int, help="only so many of a half: a model's calls cost")
    parser.add_argument("--markdown", action="store_true", help="print what docs/quality.md publishes")
    given = parser.parse_args()
    brain = BrainMeasure(model_vectors())
    if given.model:
        reports = asyncio.run(judged_by(given.model, brain, given.repeats, given.departments))
    else:
        reports = {half: report_on(half, brain, given.repeats, given.departments) for half in HALVES}
    if given.markdown:
        Console().print(markdown_of(reports), markup=False, soft_wrap=True)
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(table_of(reports))


if __name__ == "__main__":
    main()
