"""What the model is shown of the film: pure builders of the prompts' data, each part within its own budget.

Budgets are tokens, counted on the text as it is sent and divided by what the model needs more than our
vocabulary (see `tokens`). Together they keep a prompt under 12,000 tokens, which every model in use takes,
and whose price stays far below that of the answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gather_contracts.brain import ContextResponse
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.items import GatherItem
from gather_worker.duplicates.candidates import JUDGED_CHARS, Pair
from gather_worker.prompts import DUPLICATES, GENERATE, JUDGE, Prompt, build_prompt
from gather_worker.prompts.judge_input import neutral_order, without_copies
from gather_worker.prompts.truncation import cut_to_tokens, truncate_items, truncate_texts
from gather_worker.text_cleaning import shortened

PROJECT_NOTES_TOKENS: Final = 2000
OWN_NOTES_TOKENS: Final = 4000
EARLIER_TOKENS: Final = 3000
JUDGED_NOTES_TOKENS: Final = 6000
DESCRIPTION_TOKENS: Final = 1000
EARLIER_NODES: Final = 8
GAP_NOTES: Final = 5
"""Of 5 to 10 new notes; the rest is free, since a model knows aspects that no description names."""
GAP_NOTES_FOCUSED: Final = 8
GAP_NOTES_EACH_MAX: Final = 3
"""More on one aspect in one answer repeat each other."""

Earlier = Mapping[str, Sequence[str]]
"""What earlier departments offer: texts by department slug."""


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
    """Return the newest notes of each earlier department: MongoDB's part while the brain is unavailable."""
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
    ratio: float = 1.0,
) -> Prompt:
    """Return the request for new notes; with `focus_on_gaps` it asks for the gaps alone, in another way.

    `gaps` are lines, the worst first. `ratio` is how many of its tokens the model needs for one of ours.
    """
    own = [item for item in items if item.department == department.slug]
    share = EARLIER_TOKENS / ratio / max(1, len(earlier))
    data: dict[str, Any] = {
        **_department(department, ratio),
        "project_notes": truncate_texts(project_notes(items), PROJECT_NOTES_TOKENS / ratio),
        "earlier_departments": {slug: truncate_texts(texts, share) for slug, texts in earlier.items()},
        "existing_notes_of_this_department": truncate_items(own, OWN_NOTES_TOKENS / ratio),
        "gaps": gap_orders(gaps, GAP_NOTES_FOCUSED if focus_on_gaps else GAP_NOTES),
    }
    orders = data["gaps"]
    asked = sum(order["notes"] for order in orders)
    request = ("flat_gaps" if orders else "flat") if focus_on_gaps else ("gaps" if orders else "")
    return build_prompt(GENERATE, data, request, notes=asked)


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


def judge_prompt(department: ResolvedDepartment, own: Sequence[GatherItem], *, reading: int = 0) -> Prompt:
    """Return the request for a verdict on the department's notes; equal sets of notes give equal prompts.

    `reading` numbers the requests whose verdicts are combined; each shows the notes in another order.
    """
    judged = without_copies([item.content for item in own])
    shown = neutral_order(judged.texts, reading)
    data = {**_department(department), "notes": truncate_texts(shown, JUDGED_NOTES_TOKENS)}
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
