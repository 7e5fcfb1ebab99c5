"""What a judge is shown depends on the notes' words alone."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gather_clients.notes.note import Note
from gather_contracts.departments import ResolvedDepartment
from gather_worker.prompts.builders import judge_prompt
from gather_worker.prompts.judge_input import neutral_order, without_copies
from gather_worker.schemas import REASON_MAX, QualityVerdict, json_schema

texts = st.lists(st.text(min_size=1, max_size=30).filter(lambda t: t.strip()), min_size=1, max_size=12)


def department() -> ResolvedDepartment:
    return ResolvedDepartment(
        slug="story", name="Story", description="Plot", code_dep_number=1, threshold=80, model="m/x"
    )


def items(contents: list[str]) -> list[Note]:
    return [
        Note(id=f"{number:04}", content=content, project_id="a" * 24, department="story")
        for number, content in enumerate(contents)
    ]


@given(texts, st.randoms(), st.integers(0, 4))
def test_the_order_of_the_notes_does_not_reach_the_judge(
    contents: list[str], chance: Any, reading: int
) -> None:
    """Equal sets of notes give equal prompts, so equal verdicts, in each reading."""
    turned = list(contents)
    chance.shuffle(turned)
    assert judge_prompt(department(), items(contents), reading=reading) == judge_prompt(
        department(), items(turned), reading=reading
    )


@given(texts, st.data())
def test_a_copy_does_not_reach_the_judge(contents: list[str], data: Any) -> None:
    """So it cannot raise a score; what it costs is charged to coherence."""
    copied = [*contents, data.draw(st.sampled_from(contents))]
    assert judge_prompt(department(), items(copied)) == judge_prompt(department(), items(contents))
    assert without_copies(copied).distinct_share < 1


def test_copies_differ_in_case_spacing_and_punctuation_only() -> None:
    """Other words are another note."""
    judged = without_copies(["The bell rings.", "the BELL rings", " The bell\nrings! ", "The bell cracks."])
    assert len(judged.texts) == 2
    assert judged.distinct_share == 0.5


@given(st.sampled_from([str.lower, str.upper, "  {}\n".format, "{}!".format]))
def test_a_copy_in_another_form_does_not_take_the_note_s_place(form: Any) -> None:
    """So the judge's prompt stays the same, and with it the verdict, whichever comes first."""
    note = "Ilse counts the Lamps twice."
    assert judge_prompt(department(), items([form(note), note])) == judge_prompt(department(), items([note]))


def test_no_notes_have_no_copies() -> None:
    """Nothing to divide by."""
    assert without_copies([]).distinct_share == 1


def test_each_reading_has_another_order_of_the_same_notes() -> None:
    """Else three readings would be one."""
    notes = [f"Note {number} about the lamp." for number in range(20)]
    orders = [neutral_order(notes, reading) for reading in range(5)]
    assert all(sorted(order) == sorted(notes) for order in orders)
    assert len({tuple(order) for order in orders}) == 5
    assert all(order != notes for order in orders)


@given(texts, st.text(min_size=1, max_size=30))
def test_an_added_note_leaves_the_others_in_their_order(contents: list[str], added: str) -> None:
    """Two verdicts before and after differ for the note, and not for a new shuffle."""
    before = neutral_order(set(contents) - {added}, 0)
    after = neutral_order({*contents, added}, 0)
    assert [text for text in after if text != added] == before


def test_a_verdict_gives_quotes_and_reason_before_its_score() -> None:
    """A model that writes them first scores by them."""
    names = list(json_schema(QualityVerdict)["properties"])
    assert names == [
        "depth_quotes", "depth_reason", "depth", "coherence_quotes", "coherence_reason", "coherence",
        "actionability_quotes", "actionability_reason", "actionability",
    ]  # fmt: skip


def test_a_long_reason_or_none_costs_no_verdict() -> None:
    """The scores are what is asked for."""
    verdict = QualityVerdict(depth=1, coherence=2, actionability=3, depth_reason="so " * 1000)
    assert len(verdict.depth_reason) <= REASON_MAX
    assert verdict.coherence_reason == ""


def test_what_must_be_quoted_is_what_is_shown() -> None:
    """A note that is cut is quoted as far as it was shown."""
    prompt = judge_prompt(department(), items(["Ilse counts the lamps.", "word " * 1000]))
    shown = json.loads(prompt.user.partition("<data>")[2].partition("</data>")[0])["notes"]
    assert list(prompt.quotable) == shown
    assert all(len(text) < 2000 for text in shown)
