"""How many tokens a prompt has at most: never fewer than a model charges, whatever of a request it counts."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gather_worker.llm.billing.prompt_bound import MARGIN, PromptBound, PromptSize
from gather_worker.prompts.tokens import RATIO_MAX, count_foreign_tokens, count_tokens

SIZES = st.builds(
    lambda texts, schema, share: PromptSize(texts, schema, int(share * texts)),
    st.integers(200, 50_000),
    st.integers(0, 1000),
    st.floats(0, 1),
)
VOCABULARIES = st.tuples(st.floats(0.5, 1.5), st.floats(1, RATIO_MAX))
"""A model's tokens for one of ours: in Latin script, and how many times that in others."""


@given(
    prompts=st.lists(st.tuples(SIZES, st.floats(1, MARGIN / 1.05)), min_size=2, max_size=6),
    vocabulary=VOCABULARIES,
    schema_share=st.floats(0, 1),
)
@example(
    prompts=[(PromptSize(398, 268), 1.0), (PromptSize(3440, 266), 1.0)],
    vocabulary=(1.0, 1.0),
    schema_share=0.0,
)
def test_no_prompt_has_more_tokens_than_its_bound(
    prompts: list[tuple[PromptSize, float]], vocabulary: tuple[float, float], schema_share: float
) -> None:
    """Whatever part of the schema is charged, and however the scripts are mixed.

    A prompt's own words may be worse for the vocabulary than another's, by the margin.
    """
    latin, times = vocabulary
    bound, is_first = PromptBound(), True
    for size, words in prompts:
        foreign = min(RATIO_MAX, latin * words * times)
        tokens = latin * words * (size.texts - size.foreign + schema_share * size.schema)
        charged = int(tokens + foreign * size.foreign)
        assert bound.at_most(size) >= charged
        bound = bound.learned(size, charged, is_first=is_first)
        is_first = False


def test_before_the_first_answer_the_highest_ratio_of_any_model_counts() -> None:
    """Of texts and schema, but no more than that."""
    assert PromptBound().at_most(PromptSize(1000, 200, 500)) == 4 * 1200


def test_a_schema_that_is_not_charged_makes_no_later_prompt_cheaper() -> None:
    """At first a schema is as long as the texts; ten iterations later it is a tenth of them."""
    seen = PromptBound().learned(PromptSize(300, 300), 300, is_first=True)
    assert seen.at_most(PromptSize(3000, 300)) == 3750


def test_scripts_that_were_not_seen_count_at_the_highest_ratio() -> None:
    """English instructions say nothing of Hindi notes; once those were seen, they do."""
    english = PromptBound().learned(PromptSize(1000), 1000, is_first=True)
    hindi = PromptSize(4000, 0, 3000)
    assert english.at_most(hindi) == 4 * 4000
    assert english.learned(hindi, 8000, is_first=False).at_most(hindi) == 10_000


def test_a_bound_is_the_higher_of_two() -> None:
    """Of what two departments have seen."""
    one, other = PromptBound(1, 3, 0.25), PromptBound(2, 1, 0.5)
    assert one.merged(other) == PromptBound(2, 3, 0.5)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("The keeper's lamp \u2013 \u201cagain\u201d\u2026", ""),
        ("Größe, señal, être", ""),
        ("the मेला scene", "मेला"),
        ("灯", "灯"),
    ],
)
def test_other_scripts_are_counted_apart(text: str, foreign: str) -> None:
    """Marks and typographic signs are Latin script's own."""
    assert count_foreign_tokens(text) == count_tokens(foreign)
