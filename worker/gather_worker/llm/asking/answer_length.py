"""How long an answer may be: as it can need, and no longer, since routers choose providers by it; pure."""

import math
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from gather_worker.schemas import DraftBatch, PairVerdicts, QualityVerdict

LANGUAGES_TOKENS: Final = {"en": 1.0}
"""Tokens of a text for those of its English translation, by our vocabulary."""
OTHER_LANGUAGE: Final = 2.0
"""Of one paragraph in 29 languages: 1.1 (French) to 2.0 (Czech)."""
OWN_SCRIPT: Final = 3.75
"""Of a sentence in Tamil 3.6, whose letters few vocabularies have words of."""
OWN_SCRIPTS: Final = frozenset(
    {"am", "bn", "gu", "hy", "ka", "km", "kn", "lo", "ml", "my", "pa", "si", "ta", "te", "th"}
)
TOKENS: Final[Mapping[type[BaseModel], int]] = {
    DraftBatch: 4000,
    QualityVerdict: 2500,
    PairVerdicts: 2500,
}
"""In English, at most: ten notes of 200 words, with a summary of 25 and a context of 40, are 3,800; of a
verdict three reasons of 400 characters with their scores are 400, nine quotes of 25 words 350, both in the
notes' language up to three or four times that; 100 pairs 2,000."""
OTHER_ANSWER: Final = 4000

REASONING_SHARES: Final = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95}
"""How much of an answer's limit goes to reasoning. Source: OpenRouter, "Reasoning Tokens"."""
REASONING_MARGIN: Final = 1.5
"""On the longest reasoning seen: the next question may be harder."""


def answer_limit(
    answer: type[BaseModel],
    most: int,
    *,
    language: str = "",
    ratio: float = 1.0,
    effort: str = "",
    reasoning: int = 0,
) -> int:
    """Return the most tokens that an answer may have.

    Args:
        answer: its shape.
        most: the owner's bound.
        language: the code of the language that it is written in; "" if that is not known.
        ratio: how many of its tokens the model needs for one of ours.
        effort: the reasoning that is asked for, "" for the model's own.
        reasoning: tokens of the longest reasoning seen of the model, or allowed to it.
    """
    written = TOKENS.get(answer, OTHER_ANSWER) * _language_factor(answer, language) * ratio
    share = REASONING_SHARES.get(effort, 0.0)
    return min(most, math.ceil(written / (1 - share) + REASONING_MARGIN * reasoning))


def _language_factor(answer: type[BaseModel], language: str) -> float:
    """Return the factor of new notes alone; a verdict's quotes are allowed for in its own number."""
    if answer is not DraftBatch:
        return 1.0
    code = language.partition("-")[0].lower()
    return OWN_SCRIPT if code in OWN_SCRIPTS else LANGUAGES_TOKENS.get(code, OTHER_LANGUAGE)
