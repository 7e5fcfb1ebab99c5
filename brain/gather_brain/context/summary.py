"""What earlier departments offer a later one, in words; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gather_brain.store.department_store import TopNode
from gather_brain.themes.phrases import PhraseCounts, is_part
from gather_brain.themes.profiles import Profile
from gather_brain.vectors import Matrix, unit_rows
from gather_brain.words import sentences, spoken
from gather_contracts import brain as bodies

SUMMARY_THEMES: Final = 3
SUMMARY_MAX: Final = 2000
SHARED_MAX: Final = 3
PART_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class DepartmentFound:
    """What was found of one earlier department."""

    department: str
    node_count: int
    quality_score: float | None
    themes: Sequence[str]
    counts: PhraseCounts
    top: Sequence[TopNode]


def target_vector(description: Matrix, own: Profile | None) -> Matrix:
    """Return the unit vector that relevance is measured against.

    Half of it is what such a department is about, half the centre of what it already holds in this project.
    """
    if own is None or own.centre is None:
        return description
    both: Matrix = unit_rows((description + own.centre)[np.newaxis])[0]
    return both


def context_of(departments: Sequence[DepartmentFound]) -> dict[str, bodies.DepartmentContext]:
    """Return each department's context."""
    return {
        found.department: bodies.DepartmentContext(
            node_count=found.node_count,
            quality_score=round(found.quality_score or 0.0, 1),
            top_nodes=[
                bodies.TopNode(
                    node_id=node.id,
                    content=node.content,
                    summary=node.summary,
                    relevance=round(node.relevance, 4),
                )
                for node in found.top
            ],
            key_themes=list(found.themes),
        )
        for found in departments
    }


def most_relevant(departments: Sequence[DepartmentFound], limit: int) -> list[bodies.RelevantNode]:
    """Return the `limit` nodes of all departments that matter most, the most relevant first."""
    pairs = [(each.department, node) for each in departments for node in each.top]
    pairs.sort(key=lambda pair: (-pair[1].relevance, pair[1].id))
    return [
        bodies.RelevantNode(
            node_id=node.id,
            department=department,
            content=node.content,
            relevance_to_target=round(node.relevance, 4),
        )
        for department, node in pairs[:limit]
    ]


def summary_of(departments: Sequence[DepartmentFound], target: str) -> str:
    """Return what departments deal with, what of it is nearest to the target, and what they share.

    One sentence for each department that has nodes, in their order, whole sentences up to 2,000 characters.
    """
    known = [each for each in departments if each.node_count]
    parts = [*(_sentence(each, target) for each in known), *_shared_sentence(known)]
    summary = ""
    for part in parts:
        if len(summary) + len(part) < SUMMARY_MAX:
            summary = f"{summary} {part}".strip()
    return summary


def _sentence(found: DepartmentFound, target: str) -> str:
    notes = f"{found.node_count} note{'' if found.node_count == 1 else 's'}"
    about = f" deals with {_listed(found.themes[:SUMMARY_THEMES])}" if found.themes else " is varied"
    name = spoken(found.department)
    beginning = f"{name[:1].upper()}{name[1:]} ({notes}){about}"
    if not found.top:
        return f"{beginning}."
    node = found.top[0]
    nearest = " ".join((node.summary or next(iter(sentences(node.content, 1)), node.content)).split())
    if len(nearest) > PART_MAX:
        nearest = f"{nearest[:PART_MAX].rsplit(' ', 1)[0]} …"
    end = "" if nearest.endswith((".", "!", "?", "…")) else "."
    return f"{beginning}; closest to {spoken(target)}: {nearest}{end}"


def _shared_sentence(departments: Sequence[DepartmentFound]) -> list[str]:
    """Say which phrases run through several departments, those of most departments first."""
    spread: dict[str, int] = {}
    uses: dict[str, int] = {}
    for each in departments:
        for phrase, count in each.counts.uses.items():
            spread[phrase] = spread.get(phrase, 0) + 1
            uses[phrase] = uses.get(phrase, 0) + count
    several = [phrase for phrase, names in spread.items() if names > 1]
    shared: list[str] = []
    for phrase in sorted(several, key=lambda phrase: (-spread[phrase], -uses[phrase], phrase)):
        if len(shared) == SHARED_MAX:
            break
        if not any(is_part(phrase, other) for other in shared):
            shared.append(phrase)
    return [f"Running through several of them: {_listed(shared)}."] if shared else []


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
