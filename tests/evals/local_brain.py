"""The brain's own arithmetic in this process, for reports that anybody with a key can make: embeddings,
neighbours and coverage as the brain computes them, without Neo4j, and nothing stored.
"""

from collections.abc import Sequence

from gather_brain.coverage.analysis import measure, plan_measurement
from gather_brain.coverage.recommendations import analysis_of, distribution_of, metrics_of
from gather_clients.notes.note import Note
from gather_contracts import brain as bodies
from gather_contracts.departments import ResolvedDepartment
from gather_worker.documents.note_node import node_of
from gather_worker.duplicates.candidates import NEIGHBOUR_COSINE_MIN, NEIGHBOURS
from gather_worker.services.brain import RELATED_NODES, Brain
from tests.evals.coverage import Vectors


class LocalBrain(Brain):
    """The brain of one project whose saved notes are `notes`; `model` names the embeddings."""

    def __init__(self, vectors: Vectors, model: str, notes: Sequence[Note]) -> None:
        self._vectors = vectors
        self._model = model
        self._notes = list(notes)

    async def is_usable(self) -> bool:
        """Return that it is."""
        return True

    async def close(self) -> None:
        """Close nothing."""

    async def neighbours(self, texts: Sequence[str]) -> list[list[bodies.Duplicate]]:
        """Return each text's nearest saved notes, if any are near."""
        return [self._near(text, NEIGHBOUR_COSINE_MIN, NEIGHBOURS) for text in texts]

    async def nearest(
        self, texts: Sequence[str], excluded_ids: Sequence[str]
    ) -> list[list[bodies.Duplicate]]:
        """Return each text's nearest saved notes, however near they are."""
        return [self._near(text, 0.0, RELATED_NODES, excluded_ids) for text in texts]

    def _near(
        self, text: str, least: float, most: int, excluded_ids: Sequence[str] = ()
    ) -> list[bodies.Duplicate]:
        notes = [note for note in self._notes if note.id not in excluded_ids]
        if not notes:
            return []
        cosines = self._vectors([note.content for note in notes]) @ self._vectors([text])[0]
        ranked = sorted(zip(cosines.tolist(), notes, strict=True), key=lambda pair: -pair[0])
        return [
            bodies.Duplicate(
                node_id=note.id,
                similarity=max(0.0, cosine),
                content=note.content,
                properties=node_of(note).properties,
            )
            for cosine, note in ranked[:most]
            if cosine >= least
        ]

    async def compare(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, list[float]]:
        """Return the embedding model's name and the pairs' raw cosines."""
        one, other = (self._vectors([pair[place] for pair in pairs]) for place in (0, 1))
        return self._model, [max(0.0, float(cosine)) for cosine in (one * other).sum(axis=1)]

    async def earlier_context(
        self,
        department: str,  # noqa: ARG002
        previous: Sequence[str],  # noqa: ARG002
    ) -> bodies.ContextResponse | None:
        """Return nothing: there is one department."""
        return None

    async def coverage(
        self, department: ResolvedDepartment, items: Sequence[Note]
    ) -> bodies.CoverageResponse | None:
        """Return how well the department's newest notes cover its purpose."""
        named = [(note.id, note.content) for note in items[-bodies.COVERAGE_ITEMS_MAX :]]
        plan = plan_measurement(department.slug, department.description, named)
        found = measure(plan, self._vectors(plan.texts), self._model)
        return bodies.CoverageResponse(
            department=department.slug,
            coverage_score=round(found.coverage.score, 1),
            analysis=analysis_of(found.coverage, plan.aspects, department.slug, found.contradictions),
            item_distribution=dict(distribution_of(found.coverage)),
            quality_metrics=metrics_of(found),
            timing=bodies.CoverageTiming(embedding_time_ms=0, analysis_time_ms=0, total_time_ms=0),
        )

    async def treating(self, department: ResolvedDepartment, items: Sequence[Note]) -> list[str] | None:  # noqa: ARG002
        """Return nothing: every note has a department."""
        return []
