"""What earlier departments and people offer a new note."""

from gather_clients.notes.note import Note
from gather_contracts.brain import ContextResponse, ContextTiming, DepartmentContext, TopNode
from gather_worker.prompts.builders import (
    EARLIER_NODES,
    earlier_from_brain,
    earlier_from_notes,
    project_notes,
)


def item(content: str, department: str, *, automated: bool = True) -> Note:
    """Return a note."""
    return Note(
        id=content, content=content, project_id="a" * 24, department=department, is_automated=automated
    )


def response(**departments: DepartmentContext) -> ContextResponse:
    """Return the brain's context."""
    return ContextResponse(
        project_id="a" * 24, target_department="sound", context=departments, aggregated_summary="",
        relevant_nodes=[], total_nodes_aggregated=0,
        timing=ContextTiming(query_time_ms=0, aggregation_time_ms=0, total_time_ms=0),
    )  # fmt: skip


def test_the_brains_context_is_themes_and_the_notes_that_matter_most() -> None:
    """In the brain's order, bounded; departments without nodes are left out."""
    nodes = [TopNode(node_id=str(n), content=f"note {n}", relevance=1 - n / 100) for n in range(20)]
    full = DepartmentContext(node_count=20, quality_score=80, top_nodes=nodes, key_themes=["loss", "sea"])
    empty = DepartmentContext(node_count=0, quality_score=0, top_nodes=[], key_themes=[])
    found = earlier_from_brain(response(story=full, visual=empty))
    assert [(each.text, each.note_id) for each in found.pop("story")] == [
        ("Themes: loss, sea", ""), *((f"note {n}", str(n)) for n in range(EARLIER_NODES))
    ]  # fmt: skip
    assert found == {}


def test_what_people_took_out_of_the_film_is_not_told_though_the_brain_knows_it() -> None:
    """Its place goes to the next."""
    nodes = [TopNode(node_id=str(n), content=f"note {n}", relevance=1 - n / 100) for n in range(20)]
    story = DepartmentContext(node_count=20, quality_score=80, top_nodes=nodes, key_themes=[])
    found = earlier_from_brain(response(story=story), {"0", "2"})
    assert [each.note_id for each in found["story"]] == ["1", *map(str, range(3, EARLIER_NODES + 2))]


def test_without_the_brain_the_newest_notes_of_earlier_departments_stand_in() -> None:
    """From MongoDB, and of earlier departments only."""
    items = [item(f"story {n}", "story") for n in range(20)] + [item("later", "edit"), item("own", "sound")]
    found = earlier_from_notes(items, ["story", "visual"])
    texts = {slug: [each.text for each in excerpts] for slug, excerpts in found.items()}
    assert texts == {"story": [f"story {n}" for n in range(20 - EARLIER_NODES, 20)]}


def test_notes_by_hand_are_known_to_every_department() -> None:
    """The logline is nobody's department."""
    items = [item("by hand", "archive", automated=False), item("by machine", "archive")]
    assert [each.text for each in project_notes(items, "sound", 9)] == ["by hand"]
