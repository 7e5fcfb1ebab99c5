"""`make judge-report MODEL=…`: a model's verdicts against people's, before they are believed.

The model judges labelled sets by the worker's own rubric and gateway: as they are, once more, and in the
reversed order. Reported are its agreement with people, how often it says yes, what else moves it than what
people go by, and what to set for it. The project's own sets need no data; public ones lie in `--data`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gather_clients.configuration import secrets_of
from gather_clients.logs import hide_in_logs
from gather_contracts.resource import Budget
from gather_contracts.result import ExitCode
from gather_worker.attempt import Attempt
from gather_worker.cli.clients import open_model, run_command
from gather_worker.cli.settings import PreviewSettings
from gather_worker.errors import InvalidInput, ModelError, WorkerError
from gather_worker.llm.gateway import ModelGateway
from gather_worker.settings import read_settings
from tests.evals.judge.agreement import Estimate
from tests.evals.judge.asking import Asking, sampled
from tests.evals.judge.effects import Effects, effects_in
from tests.evals.judge.faults import Advice, Finding, advice_of, findings_of
from tests.evals.judge.judge_tables import markdown_of
from tests.evals.judge.own_sets import own_sets
from tests.evals.judge.public_sets import public_sets
from tests.evals.judge.questions import LabelledSet
from tests.evals.judge.set_agreement import SetAgreement, agreement_on
from tests.evals.report_files import write_both

ITEMS_DEFAULT: Final = 24
ITEMS_MAX: Final = 2000
MAX_COST_DEFAULT_USD: Final = 1.00
MAX_COST_USD: Final = 1000.0
OUT_DEFAULT: Final = Path("dist/judge-report")
DURATION_S: Final = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A judge's figures, what is wrong with it, and what to set."""

    sets: Sequence[SetAgreement]
    effects: Sequence[Effects]
    findings: Sequence[Finding]
    advice: Advice

    def data(self) -> dict[str, Any]:
        """Return it for JSON."""
        advice = self.advice
        return {
            "sets": [_data(each) for each in self.sets],
            "effects": [_data(each) for each in self.effects],
            "faults": [{"fault": f.fault.name, "in": f.of, "words": f.words} for f in self.findings],
            "set": {"GATHER_JUDGE_REPEATS": advice.repeats, "isOtherJudgeDue": advice.is_other_judge_due,
                    "qualityThresholdShift": advice.threshold_shift},
        }  # fmt: skip


def _data(figures: SetAgreement | Effects) -> dict[str, Any]:
    values = {each.name: getattr(figures, each.name) for each in fields(figures)}
    return {name: value.data() if isinstance(value, Estimate) else value for name, value in values.items()}


async def measured(gateway: ModelGateway, model: str, sets: Sequence[LabelledSet]) -> Measured:
    """Have the sets judged; raises ModelError and WorkerError where the model has answered nothing."""
    asking = Asking(gateway, model, _say)
    await asking.ask(sets)
    answered = [(each, asking.answered[each.name]) for each in sets]
    kinds = {
        "sets of notes": [each for each in answered if each[0].part],
        "questions": [each for each in answered if not each[0].part],
    }
    agreements = [agreement_on(*each) for each in answered]
    effects = [effects_in(name, some) for name, some in kinds.items() if some]
    findings = findings_of(agreements, effects)
    return Measured(agreements, effects, findings, advice_of(agreements, findings))


async def report(settings: PreviewSettings, given: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the report for programs and for people; raises InvalidInput where the model can never work."""
    sets = [*own_sets(), *(public_sets(given.data) if given.data else [])]
    sets = [sampled(each, given.items) for each in sets]
    began = datetime.now(UTC)
    budget = Budget(max_cost_usd=given.max_cost_usd)
    async with open_model(settings, Attempt(DURATION_S), budget) as gateway:
        if missing := await gateway.find_missing(given.model, settings.llm_timeout_s):
            raise InvalidInput(str(missing))
        _say(f"{sum(len(each.items) for each in sets)} items of {len(sets)} sets, each put three times")
        found = await measured(gateway, given.model, sets)
        spent = gateway.ledger
        head = {
            "model": given.model,
            "endpoint": settings.llm_base_url.rsplit("@", maxsplit=1)[-1],
            "at": began.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
            "requests": spent.requests,
            "tokens": spent.tokens,
            "costUSD": round(spent.total_usd, 6),
            "maxCostUSD": given.max_cost_usd,
            "isCapReached": gateway.is_budget_used,
        }
    markdown = markdown_of(head, found.sets, found.effects, found.findings, found.advice)
    return head | found.data(), markdown


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="make judge-report", description=str(__doc__).split("\n\n", 1)[1],
        epilog="The endpoint is GATHER_LLM_BASE_URL (OpenRouter if unset) with OPENROUTER_API_KEY; every "
        "GATHER_LLM_ setting of a worker counts.",
    )  # fmt: skip
    parser.add_argument("--model", required=True, metavar="NAME", help="the judge")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER",
        help="public sets besides, each repository under its name: storysumm, creativity_eval, SummEval-OP",
    )  # fmt: skip
    parser.add_argument(
        "--items", type=int, default=ITEMS_DEFAULT, metavar="N",
        help="of each set, 8 to 2000 (default %(default)s); each costs three requests",
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
    if not 8 <= given.items <= ITEMS_MAX:
        parser.error(f"--items must be 8 to {ITEMS_MAX}")
    return given


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    """Write the report and print it."""
    given = parsed()
    try:
        settings = read_settings(PreviewSettings)
        if not settings.has_model:
            raise InvalidInput("set OPENROUTER_API_KEY, or GATHER_LLM_BASE_URL for another endpoint")
        hide_in_logs(secrets_of(settings))
        found, markdown = run_command(report(settings, given))
    except (ModelError, WorkerError) as error:
        code = error.exit_code if isinstance(error, WorkerError) else ExitCode.TRY_AGAIN
        sys.stderr.write(f"make judge-report: {error}\n")
        sys.exit(int(code))
    sys.stdout.write(write_both(found, markdown, given.out))
    _say(f"{given.out}.md and {given.out}.json are written")


if __name__ == "__main__":
    main()
