"""What the whole project knows goes into a prompt once, nearest first, within its budget."""

from gather_contracts.items import GatherItem
from gather_worker.prompts.project_context import (
    CONTEXT_TOKENS,
    FOCUS_TOKENS,
    by_focus,
    focus_line,
    project_context,
    related_from_notes,
    unshown,
)
from gather_worker.prompts.truncation import entry_tokens

LONG = "The lamp keeper writes down every ship that passes the point before the storm. " * 20


def item(content: str, department: str) -> GatherItem:
    return GatherItem(id=content, content=content, project_id="a" * 24, department=department)


def test_what_the_prompt_shows_already_is_not_repeated() -> None:
    """Whole, cut at its end, or with other spacing; a short note does not hide one that begins alike."""
    texts = ["The  lamp\nburns.", "The lamp is red and it hangs low.", "The lamp", "The boat.", "The boat."]
    assert unshown(texts, ["The lamp burns.", "The lamp is red…"]) == ["The lamp", "The boat."]
    assert unshown(["The lamp burns."], ["The lamp", "…"]) == ["The lamp burns."]


def test_the_first_department_gets_the_nearest_of_the_whole_project() -> None:
    """In their order, within the budget, as many as can be read; there are no earlier departments."""
    found = project_context({}, [f"{n} {LONG}" for n in range(50)], [f"0 {LONG}"], "", 1.0)
    assert found.earlier == {}
    assert [text.split()[0] for text in found.related] == [str(n) for n in range(1, 21)]
    assert CONTEXT_TOKENS * 0.8 < sum(map(entry_tokens, found.related)) <= CONTEXT_TOKENS


def test_earlier_departments_and_the_project_share_one_budget() -> None:
    """What the former leave goes to the latter; what they tell is not told twice; a focus is paid from it."""
    related = [f"{n} {LONG}" for n in range(50)]
    for focus in ("", "x " * 200):
        for earlier in ({"story": [f"{n} {LONG}" for n in range(9)]}, {"story": ["Short."]}):
            found = project_context(earlier, related, [], focus, 1.0)
            told = found.earlier["story"]
            assert not unshown(told, earlier["story"]) or len(told[0]) < len(LONG)
            assert not {text.split()[0] for text in found.related} & {text.split()[0] for text in told}
            used = sum(map(entry_tokens, [*told, *found.related, *([focus] if focus else [])]))
            assert CONTEXT_TOKENS * 0.75 < used <= CONTEXT_TOKENS


def test_a_model_that_needs_more_tokens_is_shown_less() -> None:
    """A focus may leave no room at all."""
    found = project_context({"story": [LONG]}, [LONG] * 9, [], "", 4.0)
    assert sum(map(entry_tokens, [*found.earlier["story"], *found.related])) <= CONTEXT_TOKENS / 4
    crowded = project_context({"story": [LONG]}, [LONG], [], focus_line("船" * 500), 4.0)
    assert crowded.related == []


def test_without_the_brain_the_newest_notes_of_other_departments_stand_in() -> None:
    """Its own and the earlier ones' stand elsewhere in the prompt."""
    notes = [item(f"art {n}", "art") for n in range(30)] + [item("own", "sound"), item("before", "story")]
    found = related_from_notes(notes, "sound", ["story"])
    assert found == [f"art {n}" for n in range(29, 9, -1)]


def test_a_focus_of_the_greatest_length_is_shown_whole_in_most_scripts() -> None:
    """In one line; what would take the place of everything else is cut."""
    for text in ("How the harbour sounds at night. " * 20, "船长不愿读女儿的信。" * 50, "கேப்டன் புயல் " * 40):
        whole = text[:500].strip()
        assert focus_line(whole) == " ".join(whole.split())
    assert entry_tokens(focus_line("🎬🔥" * 250)) <= FOCUS_TOKENS
    assert focus_line("two\nlines") == "two lines"
    assert focus_line("") == ""


def test_gaps_that_share_a_word_with_the_focus_come_first() -> None:
    """By the aspect's name and not its suggestion, whose words are the same in many; else nothing changes."""
    gaps = ["Sets: name scenes", "Costumes: name scenes", "Weather: name scenes"]
    assert by_focus(gaps, "The costume that Ilse wears") == [gaps[1], gaps[0], gaps[2]]
    assert by_focus(gaps, "All scenes in the harbour") == gaps
    assert by_focus(gaps, "Die Kostüme der Schwestern") == gaps
    assert by_focus(gaps, "") == gaps
