"""What the whole project knows goes into a prompt once, nearest first, within its budget."""

from collections.abc import Iterable

from gather_clients.notes.note import Note
from gather_worker.prompts.project_context import (
    CONTEXT_TOKENS,
    FOCUS_TOKENS,
    by_focus,
    focus_line,
    project_context,
    related_from_notes,
    unshown,
)
from gather_worker.prompts.truncation import Excerpt, entry_tokens

LONG = "The lamp keeper writes down every ship that passes the point before the storm. " * 20


def note(content: str, department: str) -> Note:
    return Note(content, content, "a" * 24, department)


def excerpts(*texts: str) -> list[Excerpt]:
    return [Excerpt(text) for text in texts]


def numbered(count: int) -> list[Excerpt]:
    return excerpts(*(f"{n} {LONG}" for n in range(count)))


def numbers(found: Iterable[Excerpt]) -> list[str]:
    return [each.text.split()[0] for each in found]


def tokens(found: Iterable[Excerpt]) -> int:
    return sum(entry_tokens(each.text) for each in found)


def test_what_the_prompt_shows_already_is_not_repeated() -> None:
    """Whole, cut at its end, or with other spacing; a short note does not hide one that begins alike."""
    texts = excerpts(
        "The  lamp\nburns.", "The lamp is red and it hangs low.", "The lamp", "The boat.", "The boat."
    )
    shown = excerpts("The lamp burns.", "The lamp is red…")
    assert unshown(texts, shown) == excerpts("The lamp", "The boat.")
    assert unshown(excerpts("The lamp burns."), excerpts("The lamp", "…")) == excerpts("The lamp burns.")


def test_a_note_that_is_shown_condensed_is_not_repeated() -> None:
    """Its text is another then, its id is not; what has no id is compared by its text alone."""
    shown = [Excerpt("The lamp … at night.", "1"), Excerpt("A theme.")]
    found = [Excerpt("The lamp burns. It burns at night.", "1"), Excerpt("The boat.", "2"), Excerpt("Fog.")]
    assert unshown(found, shown) == found[1:]


def test_the_first_department_gets_the_nearest_of_the_whole_project() -> None:
    """In their order, within the budget, as many as can be read; there are no earlier departments."""
    found = project_context({}, numbered(50), numbered(1), "", 1.0)
    assert found.earlier == {}
    assert numbers(found.related) == [str(n) for n in range(1, 21)]
    assert CONTEXT_TOKENS * 0.8 < tokens(found.related) <= CONTEXT_TOKENS


def test_earlier_departments_and_the_project_share_one_budget() -> None:
    """What the former leave goes to the latter; what they say is not repeated; a focus is paid from it."""
    for focus in ("", "x " * 200):
        for earlier in ({"story": numbered(9)}, {"story": excerpts("Short.")}):
            found = project_context(earlier, numbered(50), [], focus, 1.0)
            before = found.earlier["story"]
            assert not unshown(before, earlier["story"]) or len(before[0].text) < len(LONG)
            assert not set(numbers(found.related)) & set(numbers(before))
            used = tokens([*before, *found.related, *excerpts(*filter(None, [focus]))])
            assert CONTEXT_TOKENS * 0.75 < used <= CONTEXT_TOKENS


def test_a_model_that_needs_more_tokens_is_shown_less() -> None:
    """A focus may leave no room at all."""
    found = project_context({"story": excerpts(LONG)}, excerpts(*[LONG] * 9), [], "", 4.0)
    assert tokens([*found.earlier["story"], *found.related]) <= CONTEXT_TOKENS / 4
    crowded = project_context({"story": excerpts(LONG)}, excerpts(LONG), [], focus_line("船" * 500), 4.0)
    assert crowded.related == []


def test_without_the_brain_the_newest_notes_of_other_departments_stand_in() -> None:
    """Its own and the earlier ones' stand elsewhere in the prompt."""
    notes = [note(f"art {n}", "art") for n in range(30)] + [note("own", "sound"), note("before", "story")]
    found = related_from_notes(notes, "sound", ["story"])
    assert found == [Excerpt(f"art {n}", f"art {n}") for n in range(29, 9, -1)]


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
