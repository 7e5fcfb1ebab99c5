"""The whole measurement of a department: what to embed, then what the vectors say; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gather_brain.coverage.aspect_scores import Sentences, evidence_of, stacked, targets_of
from gather_brain.coverage.aspects import Aspect, aspects_of
from gather_brain.coverage.contradictions import contradicted_items
from gather_brain.coverage.coverage_score import Coverage, Item, coverage_of, distinct_items, nothing_covered
from gather_brain.coverage.film_departments import COMMON_ASPECTS
from gather_brain.coverage.measures import actionability_of, coherence_of, depth_of, said_by_all
from gather_brain.coverage.near_duplicates import clusters_of, members, near_duplicates
from gather_brain.vectors import Matrix, unit_rows


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured against what."""

    aspects: tuple[Aspect, ...]
    items: tuple[Item, ...]
    repeated: int
    """How many items were left out because their text was there already."""

    @property
    def texts(self) -> list[str]:
        """All that has to be embedded, in the order that `measured` wants the rows in."""
        facets = [facet for aspect in self.aspects for facet in aspect.facets]
        return [*COMMON_ASPECTS, *facets, *(text for item in self.items for text in item.sentences)]


@dataclass(frozen=True, slots=True)
class Measured:
    """Coverage and the other measures, 0-100 each."""

    coverage: Coverage
    depth: float
    coherence: float
    actionability: float
    note_ids: tuple[str, ...]
    """The items that were measured, each text once."""
    contradicted_ids: frozenset[str]
    """Those that others contradict in so many words."""


def planned(department: str, description: str, texts: Sequence[tuple[str, str]]) -> Plan:
    """Return what to measure for a department's items, given as (id, content)."""
    items = distinct_items(texts)
    return Plan(aspects_of(department, description), tuple(items), len(texts) - len(items))


def measured(plan: Plan, rows: Matrix) -> Measured:
    """Return the scores; `rows` has one unit row for each of the plan's texts."""
    names = [aspect.name for aspect in plan.aspects]
    if not plan.items:
        return Measured(nothing_covered(names), 0.0, 0.0, 0.0, (), frozenset())
    groups = [len(aspect.facets) for aspect in plan.aspects] + [len(item.sentences) for item in plan.items]
    common, *parts = np.split(rows, np.cumsum([len(COMMON_ASPECTS), *groups[:-1]]))
    facets, said = parts[: len(names)], stacked(parts[len(names) :])
    weighted = [(aspect.name, aspect.weight) for aspect in plan.aspects]
    evidence = evidence_of(said, targets_of(facets, common))
    alike = near_duplicates(said.items)
    clusters = clusters_of(alike)
    coverage = coverage_of(plan.items, weighted, evidence, alike, clusters)
    return _with_measures(plan, said, coverage, evidence.max(axis=1), [members(mask) for mask in clusters])


def _with_measures(
    plan: Plan, said: Sentences, coverage: Coverage, relevance: Matrix, clusters: Sequence[Sequence[int]]
) -> Measured:
    vectors = said.items
    notes = [said_by_all([plan.items[place].content for place in cluster]) for cluster in clusters]
    texts = [sentence for item in plan.items for sentence in item.sentences]
    disputed = contradicted_items(texts, said)
    contradicted = sum(not disputed.isdisjoint(cluster) for cluster in clusters)
    centres = unit_rows(np.stack([vectors[cluster].mean(axis=0) for cluster in clusters]))
    relevant = np.array([relevance[cluster].min() for cluster in clusters], np.float32)
    count = len(plan.items) + plan.repeated
    return Measured(
        coverage=coverage,
        depth=depth_of(notes),
        coherence=coherence_of(centres, relevant, count, contradicted),
        actionability=actionability_of(notes),
        note_ids=tuple(item.id for item in plan.items),
        contradicted_ids=frozenset(plan.items[place].id for place in disputed),
    )
