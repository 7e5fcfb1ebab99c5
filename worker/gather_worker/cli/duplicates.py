"""`gather-worker duplicates`: how well a worker finds duplicates, measured on labelled pairs."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from gather_contracts.resource import Budget
from gather_contracts.result import ExitCode
from gather_worker.attempt import Attempt
from gather_worker.calibrate.contrasts import contrasts_of
from gather_worker.calibrate.cosines import DURATION_S, cosines_of, report_progress
from gather_worker.calibrate.labelled_pairs import LabelledPair, read_pairs
from gather_worker.calibrate.report import Compared, PairReport, opinions_of, report_of, table_of
from gather_worker.cli.clients import open_brain, open_model, run_command
from gather_worker.cli.settings import CommandSettings
from gather_worker.duplicates.calibration import Decision, read_calibration, shipped_calibration
from gather_worker.duplicates.candidates import JUDGED_PAIRS_MAX, Pair, Verdict
from gather_worker.errors import AnswerInvalid, BudgetUsed, InvalidInput, ModelError, TryAgain
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts.pair_prompt import duplicates_prompt
from gather_worker.schemas import PairVerdicts
from gather_worker.settings import read_settings

Judged = Callable[[int], bool]


def execute(arguments: argparse.Namespace) -> ExitCode:
    """Print the report; raises InvalidInput and TryAgain."""
    pairs = read_pairs(arguments.pairs)
    settings = read_settings(CommandSettings)
    has_model = settings.has_model and settings.judge_model is not None
    with_model = has_model if arguments.with_model is None else arguments.with_model
    if with_model and not has_model:
        raise InvalidInput(
            "--model: set GATHER_JUDGE_MODEL, and OPENROUTER_API_KEY or GATHER_LLM_BASE_URL; "
            "--no-model does without"
        )
    report = run_command(_measure(arguments, pairs, settings, with_model=with_model))
    text = table_of(report) if arguments.is_table else json.dumps(report.model_dump(by_alias=True), indent=2)
    sys.stdout.write(f"{text.rstrip()}\n")
    return ExitCode.DONE


async def _measure(
    arguments: argparse.Namespace,
    pairs: Sequence[LabelledPair],
    settings: CommandSettings,
    *,
    with_model: bool,
) -> PairReport:
    file = arguments.calibration or settings.duplicate_calibration
    own = read_calibration(file) if file else None
    attempt = Attempt(DURATION_S)
    async with open_brain(settings, attempt, arguments.project) as brain:
        made = contrasts_of(pairs)
        asked = [*pairs, *(pair for each in made.values() for pair in each)]
        embedding_model, found = await cosines_of(brain, asked, report_progress)
    if own is not None and own.embedding_model != embedding_model:
        raise InvalidInput(
            f"the calibration is for embeddings of {own.embedding_model}, the brain's are of "
            f"{embedding_model}"
        )
    calibration = own or shipped_calibration(embedding_model)
    if calibration is None:
        raise InvalidInput(
            f"no calibration for embeddings of {embedding_model}: make one with gather-worker calibrate, and "
            "name it with --calibration"
        )
    decision = Decision(calibration, arguments.threshold or settings.duplicate_threshold)
    rest = iter(found)
    cosines = [next(rest) for _ in pairs]
    contrasts: dict[str, Compared] = {kind: (each, [next(rest) for _ in each]) for kind, each in made.items()}
    judged = None
    if with_model:
        async with open_model(settings, attempt, Budget(max_cost_usd=arguments.max_cost_usd)) as model:
            judged = await _judge(pairs, cosines, decision, model, settings.judge_model or "")
    return report_of(arguments.pairs.stem, pairs, cosines, decision, contrasts=contrasts, judged=judged)


async def _judge(
    pairs: Sequence[LabelledPair],
    cosines: Sequence[float],
    decision: Decision,
    model: ModelGateway,
    judge_model: str,
) -> Judged:
    """Have the model judge what the stages are unsure of, as a worker does; else, and where its cost is used
    up, the stages count.
    """
    opinions = opinions_of(pairs, cosines, decision).cautious
    unsure = [place for place, opinion in enumerate(opinions) if opinion.verdict is Verdict.UNSURE]
    said: dict[int, bool] = {}
    for start in range(0, len(unsure), JUDGED_PAIRS_MAX):
        places = unsure[start : start + JUDGED_PAIRS_MAX]
        try:
            said |= await _verdicts(model, judge_model, pairs, places)
        except BudgetUsed:
            left = len(unsure) - start
            sys.stderr.write(f"--max-cost is used up: {left:,} pairs count as without a model\n")
            break
        sys.stderr.write(f"judged {start + len(places):,} of {len(unsure):,} pairs\n")
    return lambda place: said.get(place, opinions[place].is_duplicate)


async def _verdicts(
    model: ModelGateway, name: str, pairs: Sequence[LabelledPair], places: Sequence[int]
) -> dict[int, bool]:
    asked = [Pair(place, text=pairs[place].b, other=pairs[place].a) for place in places]
    try:
        answer = await model.ask(name, duplicates_prompt(asked), PairVerdicts)
    except AnswerInvalid as error:
        sys.stderr.write(f"no verdict on {len(places)} pairs, they count as without a model: {error}\n")
        return {}
    except BudgetUsed:
        raise
    except ModelError as error:
        raise TryAgain(f"the model gives no verdicts: {error}") from error
    return {
        places[verdict.pair]: verdict.duplicate
        for verdict in answer.verdicts
        if 0 <= verdict.pair < len(places)
    }
