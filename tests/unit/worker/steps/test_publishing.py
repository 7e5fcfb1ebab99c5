"""Notes that another department's worker left behind are indexed as they are to stay."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gather_worker.department.checkpoint import Checkpoint
from gather_worker.steps.publishing import Publisher

OTHERS = "the-other-run"


@dataclass
class Scored:
    """A project with the notes of one leftover; notes are what they are when they are asked for."""

    left: Checkpoint
    iterations: dict[str, int]
    scores: dict[str, float] = field(default_factory=dict)
    indexed: dict[str, float | None] = field(default_factory=dict)
    cleared: list[Checkpoint] = field(default_factory=list)

    async def leftovers(self, own: Any, *, is_beside_others: bool) -> list[Checkpoint]:  # noqa: ARG002
        return [self.left]

    async def notes_by_id(self, ids: list[str]) -> list[Any]:
        return [self._note(note_id) for note_id in ids]

    def _note(self, note_id: str) -> Any:
        origin = SimpleNamespace(run_uid=OTHERS, iteration=self.iterations[note_id])
        return SimpleNamespace(id=note_id, origin=origin, score=self.scores.get(note_id))

    async def set_scores(self, ids: list[str], score: float) -> None:
        self.scores |= dict.fromkeys(set(ids) - self.scores.keys(), score)

    async def index(self, notes: list[Any]) -> None:
        self.indexed |= {note.id: note.score for note in notes}

    async def clear_leftover(self, other: Checkpoint) -> None:
        self.cleared.append(other)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([40.0, 70.0], {"a": 40.0, "b": 70.0}, id="scored, and not yet written"),
        pytest.param([40.0, None], {"a": 40.0, "b": None}, id="it could not be measured"),
        pytest.param([40.0], {"a": 40.0, "b": None}, id="its worker has yet to measure it"),
    ],
)
async def test_a_note_is_not_indexed_without_the_score_that_its_checkpoint_has(
    scores: list[float | None], expected: dict[str, float | None]
) -> None:
    """Between that checkpoint and the score on the notes, another run's worker may take them along."""
    left = Checkpoint(
        _id="x", run_uid=OTHERS, department="story", iterations=2, scores=scores, unindexed=["a", "b"]
    )
    project: Any = Scored(left, {"a": 1, "b": 2}, scores={"a": 40.0})
    checkpointer: Any = SimpleNamespace(checkpoint=None)
    task: Any = SimpleNamespace(is_beside_others=False)
    publisher = Publisher(task, checkpointer, task, project, project)
    await publisher.publish_leftovers()
    assert project.indexed == expected
    assert project.cleared == [left]
