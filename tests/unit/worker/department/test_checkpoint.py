"""The checkpoint's steps."""

from gather_contracts.items import GatherItem
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.department.quality import Quality, Source
from gather_worker.schemas import Draft
from tests.support.application_documents import NOW, gather_item

QUALITY = Quality(
    score=70, coverage=70, depth=70, coherence=70, actionability=70,
    coverage_source=Source.BRAIN, rubric_source=Source.MODEL,
)  # fmt: skip
DRAFT = Draft(content="The keeper counts every lamp.", summary="Lamps.", context="Why")


def item(name: str) -> GatherItem:
    """Return a note."""
    return gather_item(name, "a" * 24)


def test_an_iteration_leaves_a_trace_at_every_step() -> None:
    """Each state says what is left to do."""
    begun = Checkpoint(id="c").generated([DRAFT])
    assert (len(begun.drafts), begun.iterations) == (1, 0)
    accepted = begun.accepted([item("a"), item("b")])
    assert (accepted.drafts, accepted.iterations, len(accepted.pending), accepted.is_scored) == (
        [],
        1,
        2,
        False,
    )
    saved = accepted.saved()
    assert (saved.pending, saved.unindexed, saved.items_created) == ([], ["a", "b"], 2)
    indexed = saved.indexed({"a"})
    assert indexed.unindexed == ["b"]
    scored = indexed.scored(QUALITY, ["gap"], ["a", "b"])
    assert (scored.scores, scored.gaps, scored.is_scored, scored.quality_score) == ([70], ["gap"], True, 70)
    assert sorted(scored.unindexed) == ["a", "b"]


def test_an_unmeasured_iteration_keeps_what_was_known() -> None:
    """The last quality and the gaps stay; the notes have no score to index."""
    before = Checkpoint(id="c").scored(QUALITY, ["gap"], [])
    after = before.scored(None, None, ["a"])
    assert (after.scores, after.quality, after.gaps, after.unindexed) == ([70, None], QUALITY, ["gap"], [])
    assert after.quality_score == 70


def test_a_checkpoint_survives_the_store() -> None:
    """What is written is what is read, with the names that other languages expect."""
    checkpoint = (
        Checkpoint(id="c", epoch=3, run_uid="u")
        .generated([DRAFT])
        .accepted([item("a")])
        .scored(QUALITY, ["g"], [])
    )
    document = checkpoint.model_dump(by_alias=True)
    assert document["_id"] == "c"
    assert document["runUid"] == "u"
    assert document["pending"][0]["_id"] == "a"
    assert Checkpoint.model_validate(document) == checkpoint


def test_the_highest_token_ratio_counts_from_the_next_iteration_on() -> None:
    """All attempts at an iteration ask in the same words."""
    checkpoint = Checkpoint(id="c").accepted([], token_ratio=2.0)
    assert checkpoint.token_ratio == 2.0
    assert checkpoint.generated([DRAFT]).token_ratio == 2.0
    assert checkpoint.accepted([]).token_ratio == 2.0


def test_a_checkpoint_of_an_older_version_is_taken_over() -> None:
    """Its pending notes are written in today's form, under the ids that their first writer gave them."""
    older = {
        "_id": "u/story", "epoch": 2, "iterations": 1,
        "pending": [{
            "_id": "bae4ddec-8915-55c3-b5bf-a24d9ee97fc7", "content": "The keeper.", "summary": "s",
            "context": "c", "projectId": "a" * 24, "department": "story", "departmentName": "Story",
            "userId": "user-7", "isAutomated": True, "automation": {
                "run": "r", "runUid": "u", "taskId": "pod", "iteration": 1, "model": "m",
                "prompt": "generate.v2", "qualityScore": None, "createdAt": NOW,
            },
        }],
    }  # fmt: skip
    note = Checkpoint.model_validate(older).pending[0]
    assert (note.id, note.department, note.created_by) == (
        "bae4ddec-8915-55c3-b5bf-a24d9ee97fc7", "story", "user-7",
    )  # fmt: skip
    assert (note.created_at, note.last_updated) == (NOW, NOW)
    made = note.automation_metadata
    assert (made.run_uid, made.department_name, made.prompt, made.quality_score) == (
        "u",
        "Story",
        "generate.v2",
        None,
    )
    again = Checkpoint.model_validate(Checkpoint.model_validate(older).model_dump(by_alias=True))
    assert again.pending == [note]
