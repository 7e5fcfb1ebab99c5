"""Texts brought within a budget: counted, evenly, and nothing cut that fits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_clients.notes.note import Note
from gather_worker.prompts.truncation import (
    NOTE_TOKENS,
    cut_to_tokens,
    entry_tokens,
    thinned,
    truncate_items,
    truncate_texts,
)

WORDS = "the captain leaves the harbour before the storm and never tells her daughter why "


def note(number: int, content: str = "", summary: str = "") -> Note:
    """Return a saved note."""
    return Note(
        id=f"i{number:05}", content=content or f"{number:05} {WORDS * 4}", summary=summary,
        project_id="a" * 24, department="story", is_automated=True,
    )  # fmt: skip


def tokens_of(texts: list[str]) -> int:
    """Return what a list costs."""
    return sum(map(entry_tokens, texts))


def test_what_fits_is_given_whole() -> None:
    """In one line each."""
    assert truncate_texts(["one", "two\nlines"], 1000) == ["one", "two lines"]
    assert truncate_texts([], 1000) == []
    assert truncate_texts(["one"], 0) == []
    assert truncate_items([], 1000) == []


@settings(deadline=None)
@given(
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400), max_size=60),
    st.floats(0, 3000),
)
def test_any_texts_are_within_any_budget(texts: list[str], budget: float) -> None:
    """In every script, counted as they are sent."""
    assert tokens_of(truncate_texts(texts, budget)) <= budget
    items = [note(n, text or "-", text[:90]) for n, text in enumerate(texts)]
    assert tokens_of([each.text for each in truncate_items(items, budget)]) <= budget


@pytest.mark.parametrize("tokens", [6, 40, 150, 1000])
@pytest.mark.parametrize("text", [WORDS * 90, "嵐" * 8000, "<" * 4000 + WORDS * 40, "🎬" * 4000])
def test_a_long_text_is_cut_to_nearly_its_limit(text: str, tokens: int) -> None:
    """And says so with its last character."""
    cut = cut_to_tokens(text, tokens)
    assert cut.endswith("…")
    assert entry_tokens(cut) <= tokens
    assert entry_tokens(cut) >= min(0.6 * tokens, tokens - 12)


def test_a_long_list_is_thinned_from_end_to_end() -> None:
    """Not only from its beginning."""
    kept = truncate_texts([f"{n:04} {WORDS * 3}" for n in range(1000)], 2000)
    numbers = [int(text.split()[0]) for text in kept]
    assert numbers == sorted(numbers)
    assert numbers[0] < 20
    assert numbers[-1] > 980
    assert tokens_of(kept) > 1500


@pytest.mark.parametrize(("length", "count"), [(0, 0), (5, 0), (5, 2), (5, 5), (5, 9), (5000, 200)])
def test_thinning_takes_so_many_in_their_order(length: int, count: int) -> None:
    """Each at most once."""
    kept = thinned(range(length), count)
    assert len(kept) == min(length, count)
    assert kept == sorted(set(kept))


def test_short_texts_leave_their_share_to_long_ones() -> None:
    """Only what is longer than the rest can afford is cut."""
    long = WORDS * 8
    kept = truncate_texts([long, *["short"] * 20], 300)
    assert kept[1:] == ["short"] * 20
    assert entry_tokens(kept[0]) > 100


def test_the_newest_notes_stand_whole_and_older_ones_by_their_summary() -> None:
    """So that the model sees what it wrote last, and of the rest what it was about."""
    items = [note(n, summary=f"summary {n}") for n in range(100)]
    excerpts = truncate_items(items, 2000)
    assert [each.note_id for each in excerpts] == [item.id for item in items]
    texts = [each.text for each in excerpts]
    assert texts[:50] == [f"summary {n}" for n in range(50)]
    assert texts[-1] == items[-1].content.strip()
    assert entry_tokens(texts[-1]) <= NOTE_TOKENS
    is_whole = [text.startswith("000") for text in texts]
    assert is_whole == sorted(is_whole)
    assert 1000 < tokens_of(texts) <= 2000
