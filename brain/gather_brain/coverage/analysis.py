"""The whole measurement of a department: what to embed, then what the vectors say; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gather_brain.coverage.aspect_scores import aspect_scores, stacked, targets_of
from gather_brain.coverage.aspects import ASPECTS_MAX, Aspect, aspects_of
from gather_brain.coverage.contradictions import contradictions
from gather_brain.coverage.coverage_score import Coverage, Item, coverage_of, distinct_items, nothing_covered
from gather_brain.coverage.evidence.constants import DEFAULT_MODEL, constants_of
from gather_brain.coverage.evidence.language_centres import (
    ENGLISH,
    language_of_facets,
    language_of_note,
    language_taken_off,
    without_language,
)
from gather_brain.coverage.film_departments import COMMON_ASPECTS, NO_TRADE
from gather_brain.coverage.grammars import described_in
from gather_brain.coverage.measures import (
    actionability_of,
    coherence_of,
    common_features,
    depth_of,
    features_of,
    freshness_of,
    unmeasured_in,
)
from gather_brain.coverage.near_duplicates import clusters_of, members, near_duplicates
from gather_brain.coverage.statements import statement_of
from gather_brain.coverage.treatment import COMPARED, matter_of, relevance_of, treating
from gather_brain.vectors import Matrix, unit_rows
from gather_brain.words import is_remembered
from gather_clients.wording.text_language import language_of_text


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """What is to be measured against what."""

    aspects: tuple[Aspect, ...]
    items: tuple[Item, ...]
    repeated: int
    """How many items were left out because their text was there already."""
    aspects_left_out: int = 0
    """How many more the description names."""
    matter: str = ""
    """What the department is for, where the items that treat it beyond doubt are wanted."""
    language: str = ENGLISH
    """That the description seems to be in."""

    @property
    def sentences_left_out(self) -> int:
        """How many sentences of the items are not measured."""
        return sum(item.sentences_left_out for item in self.items)

    @property
    def texts(self) -> list[str]:
        """All that has to be embedded, in the order in which `measure` takes the rows."""
        facets = [facet for aspect in self.aspects for facet in aspect.facets]
        sentences = [text for item in self.items for text in item.sentences]
        wholes = [self.matter, *COMPARED, *(item.content for item in self.items)] if self.matter else []
        return [*COMMON_ASPECTS, *NO_TRADE, *facets, *sentences, *wholes]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two items that contradict each other, and the sentence of each that does."""

    item_ids: tuple[str, str]
    sentences: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Coverage and the other measures, 0-100 each; None for what says nothing of these items."""

    coverage: Coverage
    depth: float | None
    coherence: float | None
    actionability: float | None
    note_ids: tuple[str, ...]
    """The items that were measured, each text once."""
    contradictions: tuple[Contradiction, ...]
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    """Why, by the name of each measure that is None."""
    treating_ids: tuple[str, ...] = ()
    """The items that treat the department beyond doubt, the nearest first, where that was asked."""

    @property
    def contradicted_ids(self) -> frozenset[str]:
        """Return the items that others contradict in so many words."""
        return frozenset(identity for found in self.contradictions for identity in found.item_ids)


def plan_measurement(
    department: str, description: str, texts: Sequence[tuple[str, str]], *, finds_treating: bool = False
) -> MeasurementPlan:
    """Return what to measure for a department's items, given as (id, content)."""
    items = distinct_items(texts)
    matter = matter_of(department, description) if finds_treating else ""
    aspects = aspects_of(department, description)
    return MeasurementPlan(
        aspects[:ASPECTS_MAX],
        tuple(items),
        len(texts) - len(items),
        aspects_left_out=max(0, len(aspects) - ASPECTS_MAX),
        matter=matter,
        language=language_of_text(description) or described_in(description),
    )


def read_ahead(plan: MeasurementPlan) -> None:
    """Read what `measure` will read of the texts' words, which is remembered, while their rows are made."""
    for item in plan.items:
        if is_remembered(item.content):
            features_of(item.content)
        for sentence in filter(is_remembered, item.sentences):
            statement_of(sentence)


def measure(
    plan: MeasurementPlan, rows: Matrix, model: str = DEFAULT_MODEL, *, readable: Sequence[bool] = ()
) -> Measurement:
    """Return the scores.

    Args:
        plan: what to measure.
        rows: one unit row for each of the plan's texts.
        model: that made the rows, as its name stands on nodes.
        readable: of some items, whether that model can read them; empty where that is not known.
    """
    aspects, items = plan.aspects, plan.items
    if not items:
        names = [aspect.name for aspect in aspects]
        return Measurement(nothing_covered(names), 0.0, 0.0, 0.0, (), ())
    groups = [len(aspect.facets) for aspect in aspects] + [len(item.sentences) for item in items]
    common, no_trade, *parts, wholes = np.split(
        rows, np.cumsum([len(COMMON_ASPECTS), len(NO_TRADE), *groups])
    )
    language = language_taken_off(plan.language, model)
    facets = [
        without_language(part, "names", language_of_facets(aspect.facets, language), model)
        for part, aspect in zip(parts, aspects, strict=False)
    ]
    sentences = stacked(
        [
            without_language(part, "passages", language_of_note(item.content, language), model)
            for part, item in zip(parts[len(aspects) :], items, strict=True)
        ]
    )
    texts = [sentence for item in items for sentence in item.sentences]
    targets = targets_of(facets, aspects, common, no_trade)
    scores = aspect_scores(sentences, texts, targets, constants_of(model))
    alike = near_duplicates(sentences.items, model)
    masks = clusters_of(alike)
    weighted = [(aspect.name, aspect.weight) for aspect in aspects]
    coverage = coverage_of(items, weighted, scores, alike, masks)

    # From here on near duplicates are one note.
    clusters = [members(mask) for mask in masks]
    notes = [common_features([items[place].content for place in cluster]) for cluster in clusters]
    contradicting = contradictions(texts, sentences)
    contradicted = {place for pair in contradicting for place in pair.items}
    relevance = scores.max(axis=1)
    places = treating(wholes, relevance_of(sentences, targets)) if plan.matter else []
    coherence = coherence_of(
        unit_rows(np.stack([sentences.items[cluster].mean(axis=0) for cluster in clusters])),
        np.array([relevance[cluster].min() for cluster in clusters], np.float32),
        len(items) + plan.repeated,
        sum(not contradicted.isdisjoint(cluster) for cluster in clusters),
        fresh=freshness_of([item.content for item in items]),
        model=model,
    )
    unmeasured = unmeasured_in([item.content for item in items], readable)
    return Measurement(
        coverage=coverage,
        depth=None if "depth" in unmeasured else depth_of(notes),
        coherence=None if "coherence" in unmeasured else coherence,
        actionability=None if "actionability" in unmeasured else actionability_of(notes),
        note_ids=tuple(item.id for item in items),
        contradictions=tuple(
            Contradiction((items[pair.items[0]].id, items[pair.items[1]].id), pair.sentences)
            for pair in contradicting
        ),
        unmeasured=unmeasured,
        treating_ids=tuple(items[place].id for place in places),
    )
