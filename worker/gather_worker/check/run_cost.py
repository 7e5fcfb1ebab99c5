"""What a number of iterations costs at least and at most, by the budgets of the prompts; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gather_worker.check.findings import Finding, ok, warn
from gather_worker.duplicates.candidates import JUDGED_CHARS, JUDGED_PAIRS_MAX
from gather_worker.llm.asking.answer_length import answer_limit
from gather_worker.llm.pricing import Price
from gather_worker.prompts.builders import (
    DESCRIPTION_TOKENS,
    GUIDANCE_TOKENS,
    JUDGED_NOTES_TOKENS,
    OWN_NOTES_TOKENS,
    VOICE_TOKENS,
)
from gather_worker.prompts.project_context import CONTEXT_TOKENS
from gather_worker.schemas import PairVerdicts, QualityVerdict

NAME: Final = "Cost"
INSTRUCTIONS_TOKENS: Final = 2000
"""A prompt's own words, its schema and the gaps, generously."""
REASK_TOKENS: Final = 1500
"""What a re-ask shows of the answer that could not be used."""
CHARS_OF_TOKEN: Final = 3
PROMPT_MOST_TOKENS: Final = (
    VOICE_TOKENS
    + OWN_NOTES_TOKENS
    + CONTEXT_TOKENS
    + DESCRIPTION_TOKENS
    + GUIDANCE_TOKENS
    + INSTRUCTIONS_TOKENS
)
JUDGE_MOST_TOKENS: Final = JUDGED_NOTES_TOKENS + DESCRIPTION_TOKENS + INSTRUCTIONS_TOKENS
PAIRS_MOST_TOKENS: Final = 2 * JUDGED_PAIRS_MAX * JUDGED_CHARS // CHARS_OF_TOKEN + INSTRUCTIONS_TOKENS
PROMPT_LEAST_TOKENS: Final = 500
"""Of a department's first notes in an empty project."""
JUDGE_LEAST_TOKENS: Final = 1000
NOTES_LEAST_TOKENS: Final = 700
"""Five short notes."""
VERDICT_LEAST_TOKENS: Final = 100


@dataclass(frozen=True, slots=True)
class Bounds:
    """USD, at least and at most."""

    least_usd: float
    most_usd: float


def iterations_cost(
    iterations: int, writers: Sequence[Price], judge: Price | None, *, repeats: int, max_tokens: int
) -> Bounds:
    """Return what the iterations cost.

    `writers` are the prices of the departments' models, of which any may have any share of the iterations;
    `judge` None: each judges its own notes. At least: one short answer and its verdicts, none asked again. At
    most: full prompts and full answers, each asked twice, and a full batch of possible duplicates. Requests
    that break off are not in it.
    """
    least = [_least_usd(price, judge or price, repeats) for price in writers]
    most = [_most_usd(price, judge or price, repeats, max_tokens) for price in writers]
    return Bounds(iterations * min(least), iterations * max(most))


def _least_usd(writer: Price, judge: Price, repeats: int) -> float:
    notes = writer.cost_usd(PROMPT_LEAST_TOKENS, NOTES_LEAST_TOKENS)
    return notes + repeats * judge.cost_usd(JUDGE_LEAST_TOKENS, VERDICT_LEAST_TOKENS)


def _most_usd(writer: Price, judge: Price, repeats: int, max_tokens: int) -> float:
    notes = _twice(writer, PROMPT_MOST_TOKENS, max_tokens)
    verdicts = repeats * _twice(judge, JUDGE_MOST_TOKENS, answer_limit(QualityVerdict, max_tokens))
    return notes + verdicts + _twice(judge, PAIRS_MOST_TOKENS, answer_limit(PairVerdicts, max_tokens))


def _twice(price: Price, prompt: int, answer: int) -> float:
    return price.cost_usd(prompt, answer) + price.cost_usd(prompt + REASK_TOKENS, answer)


def cost_finding(iterations: int, bounds: Bounds | None, cap_usd: float | None) -> Finding:
    """Return what is known of the cost; `bounds` None: no price is known."""
    if bounds is None:
        known = "" if cap_usd is None else f"; budget.maxCostUSD caps it at {cap_usd:g} USD"
        return warn(NAME, f"{iterations} iterations: not known without a price{known}",
                    "name the price, or set budget.maxCostUSD in the run")  # fmt: skip
    most = bounds.most_usd if cap_usd is None else min(bounds.most_usd, cap_usd)
    text = f"{iterations} iterations: {min(bounds.least_usd, most):.2f} to {most:.2f} USD"
    if cap_usd is not None:
        held = "caps it" if cap_usd < bounds.most_usd else "is never reached"
        return ok(NAME, f"{text}; budget.maxCostUSD of {cap_usd:g} {held}")
    return ok(NAME, f"{text}, by prompts and answers at their shortest and longest; no cap is set")
