"""What the model is told of the film: pure builders of the prompts' data, each part within its own budget.

Budgets are characters; four make about one token in English. Together they keep a prompt under 12,000 tokens,
which every model in use takes, and whose price stays far below that of the answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gather_contracts.brain import ContextResponse
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.items import GatherItem
from gather_worker.dedupe import JUDGED_CHARS, Pair
from gather_worker.prompts import DUPLICATES, GENERATE, JUDGE, Prompt, build_prompt
from gather_worker.text import shortened

PROJECT_NOTES_CHARS: Final = 8_000
OWN_NOTES_CHARS: Final = 16_000
EARLIER_CHARS: Final = 12_000
JUDGED_NOTES_CHARS: Final = 24_000
NOTE_CHARS: Final = 600
NOTE_CHARS_MIN: Final = 80
"""Below this a note says nothing; then some notes are left out instead, evenly."""
EARLIER_NODES: Final = 8
DESCRIPTION_CHARS: Final = 4_000

Earlier = Mapping[str, Sequence[str]]
"""What earlier departments offer: texts by department slug."""


def fitted(texts: Sequence[str], budget_chars: int) -> list[str]:
    """Return the texts, each shortened so that together they stay within the budget.

    Where even `NOTE_CHARS_MIN` a text is too much, every n-th is kept.
    """
    if not texts:
        return []
    keep_max = max(1, budget_chars // NOTE_CHARS_MIN)
    step = -(-len(texts) // keep_max)
    kept = list(texts[::step])
    length = max(NOTE_CHARS_MIN, min(NOTE_CHARS, budget_chars // len(kept)))
    return [shortened(text, length) for text in kept]


def earlier_from_brain(response: ContextResponse) -> dict[str, list[str]]:
    """Return the brain's context as texts: themes first, then the notes that matter most to the target."""
    found: dict[str, list[str]] = {}
    for slug, department in response.context.items():
        themes = [f"Themes: {', '.join(department.key_themes)}"] if department.key_themes else []
        notes = [node.content for node in department.top_nodes[:EARLIER_NODES]]
        if themes or notes:
            found[slug] = themes + notes
    return found


def earlier_from_items(items: Sequence[GatherItem], departments: Sequence[str]) -> dict[str, list[str]]:
    """Return the newest notes of each earlier department: what MongoDB can offer while the brain is away."""
    found: dict[str, list[str]] = {}
    for slug in departments:
        own = [item.content for item in items if item.department == slug]
        if own:
            found[slug] = own[-EARLIER_NODES:]
    return found


def project_notes(items: Sequence[GatherItem]) -> list[str]:
    """Return what people wrote about the film themselves, in any department."""
    return [item.content for item in items if not item.is_automated]


def generate_prompt(
    department: ResolvedDepartment,
    items: Sequence[GatherItem],
    earlier: Earlier,
    gaps: Sequence[str],
    *,
    focus_on_gaps: bool,
) -> Prompt:
    """Return the request for new notes; with `focus_on_gaps` it asks for the gaps alone, in another way."""
    own = [item.content for item in items if item.department == department.slug]
    share = EARLIER_CHARS // max(1, len(earlier))
    data: dict[str, Any] = {
        "department": department.name,
        "department_description": shortened(department.description, DESCRIPTION_CHARS),
        "project_notes": fitted(project_notes(items), PROJECT_NOTES_CHARS),
        "earlier_departments": {slug: fitted(texts, share) for slug, texts in earlier.items()},
        "existing_notes_of_this_department": fitted(own, OWN_NOTES_CHARS),
        "gaps": [f"Gap: {gap}" for gap in gaps],
    }
    return build_prompt(GENERATE, data, _request(gaps, focus_on_gaps=focus_on_gaps))


def _request(gaps: Sequence[str], *, focus_on_gaps: bool) -> str:
    if focus_on_gaps and gaps:
        return (
            "The last notes did not raise the department's quality. Write only about the aspects listed "
            'under "gaps", one or two notes for each, from an angle that no existing note has, with names, '
            "numbers and a next step in every note."
        )
    if focus_on_gaps:
        return (
            "The last notes did not raise the department's quality. Take aspects that no existing note "
            "treats, and give names, numbers and a next step in every note."
        )
    return 'Treat the aspects listed under "gaps" first.' if gaps else ""


def judge_prompt(department: ResolvedDepartment, own: Sequence[GatherItem]) -> Prompt:
    """Return the request for a verdict on the department's notes; equal sets of notes give equal prompts."""
    ordered = [item.content for item in sorted(own, key=lambda item: item.id)]
    data = {
        "department": department.name,
        "department_description": shortened(department.description, DESCRIPTION_CHARS),
        "notes": fitted(ordered, JUDGED_NOTES_CHARS),
    }
    return build_prompt(JUDGE, data)


def duplicates_prompt(pairs: Sequence[Pair]) -> Prompt:
    """Return the request for verdicts on pairs, numbered from 0."""
    data = {
        "pairs": [
            {
                "pair": place,
                "first": shortened(pair.other, JUDGED_CHARS),
                "second": shortened(pair.text, JUDGED_CHARS),
            }
            for place, pair in enumerate(pairs)
        ]
    }
    return build_prompt(DUPLICATES, data)
