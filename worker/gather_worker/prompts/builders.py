"""What the model is shown of the film: pure builders of the prompts' data, each part within its own budget.

Budgets are tokens, counted on the text as it is sent and divided by what the model needs more than our
vocabulary (see `tokens`). Together they keep a prompt under 15,500 tokens, which every model in use takes,
and whose price stays far below that of the answer.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gather_clients.notes.note import Note
from gather_contracts.brain import ContextResponse
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.instructions import Instructions
from gather_contracts.items import BASED_ON_MAX
from gather_worker.prompt_files import GENERATE, JUDGE, words
from gather_worker.prompts import Prompt, build_prompt
from gather_worker.prompts.condensing import condensed
from gather_worker.prompts.judge_input import neutral_order, without_copies
from gather_worker.prompts.note_language import language_request
from gather_worker.prompts.project_context import by_focus, focus_line, project_context
from gather_worker.prompts.truncation import (
    NOTE_TOKENS_MIN,
    Excerpt,
    cut_to_tokens,
    entry_tokens,
    first_lines,
    thinned,
    truncate_excerpts,
    truncate_items,
    truncate_texts,
)

VOICE_TOKENS: Final = 3000
"""What people have written and settled, together."""
SETTLED_TOKENS: Final = 1500
OWN_NOTES_TOKENS: Final = 4000
JUDGED_NOTES_TOKENS: Final = 6000
DESCRIPTION_TOKENS: Final = 1000
GUIDANCE_TOKENS: Final = 2250
"""The department's instructions and example notes, together."""
GUIDELINES_TOKENS: Final = 1750
"""Of it, the instructions: in English all that is read of them. What they leave is the examples'."""
EXAMPLE_TOKENS: Final = 300
"""A note of 200 words whole."""
EARLIER_NODES: Final = 8
GAP_NOTES: Final = 5
"""Of 5 to 10 new notes; the rest is free, since a model knows aspects that no description names."""
GAP_NOTES_FOCUSED: Final = 8
GAP_NOTES_EACH_MAX: Final = 3
"""More on one aspect in one answer repeat each other."""

Earlier = Mapping[str, Sequence[Excerpt]]
"""What earlier departments offer, by department slug."""


def earlier_from_brain(
    response: ContextResponse, excluded_ids: Container[str] = ()
) -> dict[str, list[Excerpt]]:
    """Return the brain's context as texts: themes first, then the notes that matter most to the target.

    The brain may know notes that people have taken out of the film since: those of `excluded_ids`.
    """
    found: dict[str, list[Excerpt]] = {}
    for slug, department in response.context.items():
        told = words(GENERATE, "themes", themes=", ".join(department.key_themes))
        themes = [Excerpt(told)] if department.key_themes else []
        counting = [node for node in department.top_nodes if node.node_id not in excluded_ids]
        notes = [Excerpt(node.content, node.node_id) for node in counting[:EARLIER_NODES]]
        if themes or notes:
            found[slug] = themes + notes
    return found


def earlier_from_notes(notes: Sequence[Note], departments: Sequence[str]) -> dict[str, list[Excerpt]]:
    """Return the newest notes of each earlier department: without the brain."""
    found: dict[str, list[Excerpt]] = {}
    for slug in departments:
        own = [Excerpt(note.content, note.id) for note in notes if note.department == slug]
        if own:
            found[slug] = own[-EARLIER_NODES:]
    return found


def project_notes(notes: Sequence[Note], department: str, most: int) -> list[Excerpt]:
    """Return what people wrote about the film themselves and have not settled, in any department.

    Of more than `most` those of the whole film and of this department go before those of others.
    """
    written = [note for note in notes if not (note.is_automated or note.is_locked)]
    if len(written) > most:
        near = [note for note in written if note.department in {"", department}]
        far = [note for note in written if note.department not in {"", department}]
        chosen = {note.id for note in [*thinned(near, most), *thinned(far, max(0, most - len(near)))]}
        written = [note for note in written if note.id in chosen]
    return [Excerpt(note.content, note.id) for note in written]


def settled_notes(notes: Sequence[Note]) -> list[Excerpt]:
    """Return what people have settled, whoever wrote it."""
    return [Excerpt(note.content, note.id) for note in notes if note.is_locked]


def generate_prompt(
    department: ResolvedDepartment,
    notes: Sequence[Note],
    earlier: Earlier,
    gaps: Sequence[str],
    *,
    focus_on_gaps: bool,
    ratio: float = 1.0,
    related: Sequence[Excerpt] = (),
    focus: str = "",
    language: str | None = None,
) -> Prompt:
    """Return the request for new notes; with `focus_on_gaps` it asks for the gaps alone, in another way.

    `gaps` are lines, the worst first. `ratio` is how many of its tokens the model needs for one of ours.
    `related` are notes of the whole project, the nearest to the department first; `focus` is what the run
    wants its notes to be about, `language` the tag of the language to write in.
    """
    settled, voice = _voice(notes, department.slug, ratio)
    # People's own notes of the department stand among the project's, and are not repeated.
    own = [n for n in notes if n.department == department.slug and n.is_automated and not n.is_locked]
    existing = truncate_items(own, OWN_NOTES_TOKENS / ratio)
    wish = focus_line(focus)
    shown = [*settled, *voice, *existing]
    context = project_context(earlier, related, shown, wish, ratio)
    orders = gap_orders(by_focus(gaps, wish), GAP_NOTES_FOCUSED if focus_on_gaps else GAP_NOTES)
    in_language, language_data = language_request(language, notes)
    guidance = _guidance(department.instructions or Instructions(), ratio)
    data: dict[str, Any] = {
        **_department(department, ratio),
        **guidance,
        "settled_notes": _texts(settled),
        "project_notes": _texts(voice),
        "related_notes": _texts(context.related),
        "earlier_departments": {slug: _texts(excerpts) for slug, excerpts in context.earlier.items()},
        "existing_notes_of_this_department": _texts(existing),
        "gaps": orders,
        **({"focus": wish} if wish else {}),
        **language_data,
    }
    asked = sum(order["notes"] for order in orders)
    based_on = _ids(
        [*shown, *context.related, *(each for texts in context.earlier.values() for each in texts)]
    )
    requests = (
        _request(orders, focus_on_gaps=focus_on_gaps), *guidance, "focus" if wish else "", in_language
    )  # fmt: skip
    return build_prompt(GENERATE, data, " ".join(filter(None, requests)), based_on, notes=asked)


def _guidance(said: Instructions, ratio: float) -> dict[str, list[str]]:
    """Return what the production wants of the notes, by the names of the requests that speak of it.

    Of instructions the first lines, of examples as many as fit; what nobody has written is left out.
    """
    guidelines = first_lines(said.text.splitlines(), GUIDELINES_TOKENS / ratio)
    left = GUIDANCE_TOKENS / ratio - sum(map(entry_tokens, guidelines))
    excerpts = [Excerpt(example) for example in said.examples]
    examples = _texts(truncate_excerpts(excerpts, left, note_tokens=EXAMPLE_TOKENS))
    found = {"department_guidelines": guidelines, "example_notes": examples}
    return {name: texts for name, texts in found.items() if texts}


def is_guidance_cut(department: ResolvedDepartment, ratio: float = 1.0) -> bool:
    """Return whether the prompt shows less of what the production wants than it has written."""
    said = department.instructions or Instructions()
    shown = [text for texts in _guidance(said, ratio).values() for text in texts]
    return shown != [" ".join(text.split()) for text in (*said.text.splitlines(), *said.examples)]


def _voice(notes: Sequence[Note], department: str, ratio: float) -> tuple[list[Excerpt], list[Excerpt]]:
    """Return what people have settled and what else they wrote, in one budget; long notes are condensed."""
    budget = VOICE_TOKENS / ratio
    settled = _condensed(settled_notes(notes), SETTLED_TOKENS / ratio)
    left = budget - sum(entry_tokens(each.text) for each in settled)
    return settled, _condensed(project_notes(notes, department, int(left / NOTE_TOKENS_MIN)), left)


def _condensed(excerpts: Sequence[Excerpt], budget_tokens: float) -> list[Excerpt]:
    return truncate_excerpts(excerpts, budget_tokens, note_tokens=budget_tokens, cut=condensed)


def _texts(excerpts: Iterable[Excerpt]) -> list[str]:
    return [each.text for each in excerpts]


def _ids(excerpts: Iterable[Excerpt]) -> list[str]:
    return list(dict.fromkeys(each.note_id for each in excerpts if each.note_id))[:BASED_ON_MAX]


def _department(department: ResolvedDepartment, ratio: float = 1.0) -> dict[str, str]:
    description = cut_to_tokens(department.description, DESCRIPTION_TOKENS / ratio)
    return {"department": department.name, "department_description": description}


def gap_orders(gaps: Sequence[str], notes: int) -> list[dict[str, Any]]:
    """Return the gaps with how many of the new notes each is to get, in their order, the worst first.

    The notes are dealt one by one from the worst gap on; a gap that gets none is left for a later iteration.
    """
    named = gaps[:notes]
    dealt = [min(GAP_NOTES_EACH_MAX, -(-(notes - place) // len(named))) for place in range(len(named))]
    return [{"gap": gap, "notes": count} for gap, count in zip(named, dealt, strict=True)]


def _request(orders: Sequence[Mapping[str, Any]], *, focus_on_gaps: bool) -> str:
    """Return the name of the request that ends the prompt."""
    if focus_on_gaps:
        return "flat_gaps" if orders else "flat"
    return "gaps" if orders else ""


def judge_prompt(department: ResolvedDepartment, own: Sequence[Note], *, reading: int = 0) -> Prompt:
    """Return the request for a verdict on the department's notes; equal sets of notes give equal prompts.

    `reading` numbers the requests whose verdicts are combined; each shows the notes in another order.
    """
    judged = without_copies([item.content for item in own])
    shown = truncate_texts(neutral_order(judged.texts, reading), JUDGED_NOTES_TOKENS)
    prompt = build_prompt(JUDGE, {**_department(department), "notes": shown})
    return replace(prompt, quotable=tuple(shown))
