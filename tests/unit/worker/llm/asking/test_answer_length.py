"""How long an answer may be: enough for ten notes in any language, and no more."""

from typing import Any

import pytest

from gather_worker.llm.asking.answer_length import answer_limit
from gather_worker.schemas import DraftBatch, PairVerdicts, QualityVerdict


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        (DraftBatch, {"language": "en"}, 4000),
        (DraftBatch, {"language": "en-GB"}, 4000),
        (DraftBatch, {}, 8000),
        (DraftBatch, {"language": "ta"}, 15_000),
        (DraftBatch, {"language": "ta", "ratio": 2.0}, 30_000),
        (DraftBatch, {"language": "ta", "ratio": 4.0}, 32_000),
        (DraftBatch, {"language": "en", "effort": "medium"}, 8000),
        (DraftBatch, {"language": "en", "reasoning": 2000}, 7000),
        (QualityVerdict, {"language": "ta"}, 2500),
        (PairVerdicts, {}, 2500),
    ],
)
def test_the_limit_follows_answer_language_and_model(
    answer: Any, options: dict[str, Any], expected: int
) -> None:
    """Ten Tamil notes need some 15,000 of a model's tokens."""
    assert answer_limit(answer, 32_000, **options) == expected


def test_the_owner_s_bound_holds() -> None:
    """Whatever would be needed."""
    assert answer_limit(DraftBatch, 100, language="ta", ratio=4.0, effort="xhigh") == 100
