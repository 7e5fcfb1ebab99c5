"""Counting tokens: exact for the vocabulary, bounded in work, corrected by what endpoints report."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.prompts import tokens
from gather_worker.prompts.tokens import RATIO_MAX, TokenRatios, count_tokens

NOTE = "The captain leaves the harbour before the storm because she will not read her daughter's letter."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a", 1),
        (NOTE, 19),
        ("船長は娘の手紙を読みたくないため、嵐の前に港を離れる。", 32),
        ("<|endoftext|>", 7),
        ("2026", 4),
    ],
    ids=["empty", "letter", "English", "Japanese", "control token", "digits"],
)
def test_counts_are_those_of_the_vocabulary(text: str, expected: int) -> None:
    """As Tekken's first 32,768 tokens cut the texts."""
    assert count_tokens(text) == expected


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_text_is_counted(text: str) -> None:
    """Also halves of characters; never more than one token a byte."""
    assert bool(text) <= count_tokens(text) <= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", [NOTE, "嵐の前に", "a", " ", "\n ", "\ud800", "🎬", "\u0301"])
def test_work_grows_with_the_length_alone(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabulary, quadratic in the length of a word, gets pieces of bounded length."""
    genuine, pieces = tokens._encoding(), list[str]()

    class Counting:
        def encode_ordinary(self, piece: str) -> Any:
            pieces.append(piece)
            return genuine.encode_ordinary(piece)

    monkeypatch.setattr(tokens, "_encoding", Counting)
    long = (text * 200_000)[:200_000]
    assert count_tokens(long) > 0
    assert "".join(pieces) == long
    assert max(map(len, pieces)) <= 4000


def test_a_model_has_no_correction_before_it_has_answered() -> None:
    """Nor does what another model reports change it."""
    ratios = TokenRatios()
    ratios.observe("other", 1000, 2000)
    assert ratios.ratio("m/x") == 1.0
    assert ratios.ratio("other") == 2.0


@pytest.mark.parametrize(
    ("reported", "ratio"),
    [(500, 1.0), (1000, 1.0), (1010, 1.25), (1900, 2.0), (2500, 3.0), (10**9, RATIO_MAX)],
)
def test_ratios_are_rounded_up_and_bounded(reported: int, ratio: float) -> None:
    """A nonsense report cannot starve a prompt."""
    ratios = TokenRatios()
    ratios.observe("m/x", 1000, reported)
    assert ratios.ratio("m/x") == ratio


def test_ratios_weigh_requests_by_their_length() -> None:
    """What a chat template adds to a short request hardly counts beside a long one."""
    ratios = TokenRatios()
    ratios.observe("m/x", 10, 40)
    ratios.observe("m/x", 10_000, 9_000)
    assert ratios.ratio("m/x") == 1.0


@pytest.mark.parametrize(("counted", "reported"), [(0, 100), (100, 0)])
def test_an_answer_without_usage_teaches_nothing(counted: int, reported: int) -> None:
    """Endpoints may leave usage out."""
    ratios = TokenRatios()
    ratios.observe("m/x", counted, reported)
    assert ratios.ratio("m/x") == 1.0
