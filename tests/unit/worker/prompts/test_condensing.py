"""Long notes are shortened by what they say, and people's notes come first."""

import json
import re
from typing import Any

import pytest

from gather_clients.notes.note import Note
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.items import BASED_ON_MAX
from gather_worker.prompts.builders import VOICE_TOKENS, generate_prompt
from gather_worker.prompts.condensing import condensed
from gather_worker.prompts.truncation import Excerpt, entry_tokens

PROJECT = "a" * 24
STORY = ResolvedDepartment(
    slug="story", name="Story", description="", code_dep_number=1, threshold=80, model="m/x"
)
ASIDE = "By the way, lunch was late and nobody knew whose turn it had been. "
POINT = "The pump keeper counts the pump's strokes. "
END = "When the pump stops, the keeper goes on counting strokes."
TREATMENT = f"The film is about a pump keeper. {ASIDE * 30}{POINT}{END}"


def note(name: str, content: str, department: str = "", **fields: Any) -> Note:
    """Return a note, a person's unless said otherwise."""
    return Note(id=name, content=content, project_id=PROJECT, department=department, **fields)


def data_of(
    notes: list[Note], ratio: float = 1.0, **earlier: list[Excerpt]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a prompt's data and what it is based on."""
    prompt = generate_prompt(STORY, notes, earlier, [], focus_on_gaps=False, ratio=ratio)
    found = re.search(r"<data>(.*?)</data>", prompt.user, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data, prompt.based_on


def test_a_long_text_keeps_what_all_of_it_is_about() -> None:
    """Its first sentence and its point, though they stand far apart; asides that repeat go."""
    short = condensed(TREATMENT, 60)
    assert short.startswith("The film is about a pump keeper.")
    assert "the keeper goes on counting strokes" in short or "counts the pump's strokes" in short
    assert short.count("lunch") <= 1
    assert entry_tokens(short) <= 60


@pytest.mark.parametrize("text", ["word " * 5000, "嵐" * 5000, "a。" * 3000, ". " * 3000, "", "x"])
@pytest.mark.parametrize("tokens", [0, 6, 40, 700])
def test_any_text_is_within_its_tokens(text: str, tokens: int) -> None:
    """But for the one character that says that something was there."""
    short = condensed(text, tokens)
    assert entry_tokens(short) <= tokens or len(short) <= 1


def test_a_lone_long_note_may_use_all_of_people_s_budget() -> None:
    """A treatment is the film, and 100 words of it are not."""
    words = " ".join(f"Scene {n} shows how the tide takes house {n}." for n in range(900))
    data, based_on = data_of([note("treatment", words)])
    (shown,) = data["project_notes"]
    assert VOICE_TOKENS * 0.8 < entry_tokens(shown) <= VOICE_TOKENS
    assert based_on == ("treatment",)


def test_people_s_notes_stand_first_and_are_told_once() -> None:
    """Settled ones apart from the others, whoever wrote them; ours stand with the department's."""
    notes = [
        note("p", "By a person.", "story"), note("q", "Of the whole film."),
        note("s", "Settled by a person.", is_locked=True),
        note("t", "Ours, and settled.", "sound", is_automated=True, is_locked=True),
        note("o", "Ours.", "story", is_automated=True),
        note("x", "Ours elsewhere.", "sound", is_automated=True),
    ]  # fmt: skip
    data, based_on = data_of(notes, sound=[Excerpt("Themes: salt"), Excerpt("Ours elsewhere.", "x")])
    assert data["settled_notes"] == ["Settled by a person.", "Ours, and settled."]
    assert data["project_notes"] == ["By a person.", "Of the whole film."]
    assert data["existing_notes_of_this_department"] == ["Ours."]
    assert list(data)[2:4] == ["settled_notes", "project_notes"]
    assert set(based_on) == {"p", "q", "s", "t", "o", "x"}


def test_of_too_many_notes_those_of_the_film_and_the_department_go_first() -> None:
    """And what is told is what the note says it is based on."""
    far = [note(f"far{n}", f"A prop, number {n}, in a cupboard by the door.", "props") for n in range(400)]
    near = [note(f"near{n}", f"A turn, number {n}, at the water.") for n in range(60)]
    data, based_on = data_of([*far, *near])
    assert sum("A turn" in text for text in data["project_notes"]) == 60
    assert len(based_on) == min(BASED_ON_MAX, len(data["project_notes"]))
