"""What earlier departments offer a later one, put into words from what the repository found; pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from gather_brain.store.repository import DepartmentNodes, TopNode
from gather_brain.themes import key_themes
from gather_brain.vectors import Matrix, unit_rows
from gather_contracts import brain as bodies

SUMMARY_THEMES: Final = 3
SUMMARY_MAX: Final = 2000
PART_MAX: Final = 160


def target_vector(profile: Matrix, own_nodes: Matrix) -> Matrix:
    """Return the unit vector that relevance is measured against.

    Half of it is what such a department is about, half the centre of what it already holds in this project.
    """
    if not len(own_nodes):
        return profile
    centre = unit_rows(own_nodes.mean(axis=0, keepdims=True))[0]
    both: Matrix = unit_rows((profile + centre)[np.newaxis])[0]
    return both


def context_of(
    departments: Sequence[DepartmentNodes], limit: int
) -> tuple[dict[str, bodies.DepartmentContext], str, list[bodies.RelevantNode]]:
    """Return each department's context, the summary over all, and the `limit` nodes that matter most."""
    themes = key_themes({each.department: each.terms for each in departments})
    context = {each.department: _department(each, themes[each.department]) for each in departments}
    return context, _summary(departments, themes), _most_relevant(departments, limit)


def _department(found: DepartmentNodes, themes: list[str]) -> bodies.DepartmentContext:
    return bodies.DepartmentContext(
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
        key_themes=themes,
    )


def _most_relevant(departments: Sequence[DepartmentNodes], limit: int) -> list[bodies.RelevantNode]:
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


def _summary(departments: Sequence[DepartmentNodes], themes: Mapping[str, list[str]]) -> str:
    """Return one sentence for each department that has nodes: its themes, then its most relevant node."""
    parts = [_sentence(each, themes[each.department]) for each in departments if each.node_count]
    return " ".join(parts)[:SUMMARY_MAX]


def _sentence(found: DepartmentNodes, themes: list[str]) -> str:
    name = found.department.replace("-", " ").replace("_", " ").capitalize()
    notes = f"{found.node_count} note{'' if found.node_count == 1 else 's'}"
    about = f" on {_listed(themes[:SUMMARY_THEMES])}" if themes else ""
    best = f": {_shortened(found.top[0])}" if found.top else ""
    sentence = f"{name} ({notes}){about}{best}"
    return sentence if sentence.endswith("...") else f"{sentence}."


def _listed(themes: Sequence[str]) -> str:
    return themes[0] if len(themes) == 1 else f"{', '.join(themes[:-1])} and {themes[-1]}"


def _shortened(node: TopNode) -> str:
    text = " ".join((node.summary or node.content).split())
    if len(text) <= PART_MAX:
        return text.rstrip(".")
    return f"{text[:PART_MAX].rsplit(' ', 1)[0]} ..."
