"""`gather-worker score`: the quality that a worker would measure of these notes, without a run.

It asks the real brain, and the model where one is set, in the same way as a worker does, and prints each part
with its source, so that users can see on their own notes what a score is worth.
"""

import argparse
import json
import sys
from typing import Any, Final

from gather_contracts.brain import COVERAGE_ITEMS_MAX
from gather_contracts.resource import Budget
from gather_contracts.result import ExitCode
from gather_worker.attempt import Attempt
from gather_worker.cli.clients import open_brain, open_model, run_command
from gather_worker.cli.score_input import ScoreInput, read_score_input
from gather_worker.cli.settings import CommandSettings
from gather_worker.department.quality import RUBRIC_PARTS, WEIGHTS, Quality
from gather_worker.errors import InvalidInput
from gather_worker.llm.ledger import Ledger
from gather_worker.prompts.judge_input import without_copies
from gather_worker.settings import read_settings
from gather_worker.steps.measuring import Measurement, QualityMeasurer

DURATION_S: Final = 300.0
"""For the whole command: the brain's rate limit is waited for, and a large model takes a minute."""


def execute(arguments: argparse.Namespace) -> ExitCode:
    """Print the score of the files that the arguments name; raises InvalidInput."""
    given = read_score_input(arguments.department, arguments.items, arguments.project)
    settings = read_settings(CommandSettings)
    with_model = settings.has_model if arguments.with_model is None else arguments.with_model
    if with_model and not settings.has_model:
        raise InvalidInput("--model: set OPENROUTER_API_KEY or GATHER_LLM_BASE_URL")
    budget = Budget(max_cost_usd=arguments.max_cost_usd)
    report = run_command(_score(given, settings, settings.judge_repeats if with_model else 0, budget))
    sys.stdout.write(table_of(report) if arguments.is_table else f"{json.dumps(report, indent=2)}\n")
    return ExitCode.DONE if report["score"] is not None else ExitCode.TRY_AGAIN


async def _score(
    given: ScoreInput, settings: CommandSettings, repeats: int, budget: Budget
) -> dict[str, Any]:
    attempt = Attempt(DURATION_S)
    async with (
        open_brain(settings, attempt, given.project_id) as brain,
        open_model(settings, attempt, budget) as model,
    ):
        judge_model = settings.judge_model or given.department.model
        measurer = QualityMeasurer(given.department, brain, model, judge_model, repeats)
        measured = await measurer.measure(given.items)
        if brain.refusal:
            raise InvalidInput(brain.refusal)
        return report_of(given, measured, measurer, model.ledger)


# --- what is printed


def report_of(
    given: ScoreInput, measured: Measurement, measurer: QualityMeasurer, spent: Ledger
) -> dict[str, Any]:
    """Return the report; `score` and `parts` are null where they cannot be measured."""
    quality = measured.quality
    cost = {"costUSD": spent.total_usd, "tokens": spent.tokens}
    return {
        "department": given.department.slug,
        "score": quality.score if quality else None,
        "parts": parts_report(quality),
        "items": {
            "scored": len(given.items),
            "distinct": len(without_copies([item.content for item in given.items]).texts),
            "seenByCoverage": min(len(given.items), COVERAGE_ITEMS_MAX),
            "ofOtherDepartments": given.left_out,
        },
        "judge": judge_report(measurer, measured) | cost if measurer.judge_repeats else None,
        "gaps": measured.gaps or [],
    }


def parts_report(quality: Quality | None) -> dict[str, Any] | None:
    """Return each part of the score with its weight and who measured it; null for what nobody can measure."""
    if quality is None:
        return None
    scores = {part: getattr(quality, part) for part in WEIGHTS}
    return {
        part: {
            "score": None if scores[part] is None else round(scores[part], 1),
            "weight": weight,
            "source": quality.sources.get(part),
        }
        for part, weight in WEIGHTS.items()
    }


def judge_report(measurer: QualityMeasurer, measured: Measurement) -> dict[str, Any]:
    """Return what the model said of the notes, with the quotes that stand in them, and how far its verdicts
    are from each other.
    """
    return {
        "model": measurer.judge_model,
        "asked": measurer.judge_repeats,
        "verdicts": [
            {
                part: {
                    "score": getattr(each.said, part),
                    "counts": each.score(part) is not None,
                    "reason": getattr(each.said, f"{part}_reason"),
                    "quotes": list(each.quotes[part]),
                }
                for part in RUBRIC_PARTS
            }
            for each in measured.verdicts
        ],
        "spread": round(measured.quality.spread, 1) if measured.quality else None,
    }


def table_of(report: dict[str, Any]) -> str:
    """Return the report's score and parts as lines for people."""
    if report["score"] is None:
        return f"{report['department']}: not measurable\n"
    rows = [
        f"{name:<14} {_shown(part['score'])}  x {part['weight']:.2f}  {part['source'] or 'not measurable'}"
        for name, part in report["parts"].items()
    ]
    gaps = [f"gap: {gap}" for gap in report["gaps"]]
    return "\n".join([f"{report['department']:<14} {report['score']:>5.1f}", *rows, *gaps, ""])


def _shown(score: float | None) -> str:
    return f"{score:>5.1f}" if score is not None else f"{'-':>5}"
