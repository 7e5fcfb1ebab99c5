"""The summary over departments reads as sentences and stays bounded."""

import numpy as np

from gather_brain.context.summary import (
    SUMMARY_MAX,
    DepartmentFound,
    most_relevant,
    summary_of,
    target_vector,
)
from gather_brain.store.department_store import TopNode
from gather_brain.themes.phrases import PhraseCounts
from gather_brain.themes.profiles import Profile

NODE = TopNode("n1", "Ada keeps the lamp. Nobody else may.", "", 0.8)


def found(
    department: str, count: int = 3, top: tuple[TopNode, ...] = (NODE,), **uses: int
) -> DepartmentFound:
    return DepartmentFound(department, count, 80, list(uses), PhraseCounts(uses, sum(uses.values())), top)


def test_the_summary_says_what_departments_deal_with_and_what_runs_through_them() -> None:
    """Sentences that people and models can read as they stand."""
    departments = [
        found("story", redemption=3, family=2, lamp=2),
        found("production-design", 1, (TopNode("n2", "x", "Worn brass everywhere", 0.5),), lamp=2),
        found("music", 0, ()),
    ]
    assert summary_of(departments, "visual_effects") == (
        "Story (3 notes) deals with redemption, family and lamp; "
        "closest to visual effects: Ada keeps the lamp. "
        "Production design (1 note) deals with lamp; closest to visual effects: Worn brass everywhere. "
        "Running through several of them: lamp."
    )


def test_nothing_is_said_of_nothing() -> None:
    """Departments without nodes are not summed up."""
    assert summary_of([found("music", 0, ())], "sound") == ""
    assert summary_of([], "sound") == ""


def test_a_long_summary_ends_with_a_whole_sentence() -> None:
    """Thirty-two departments with long notes fit into the bound, the first ones first."""
    long = TopNode("n", "word " * 400, "", 0.5)
    text = summary_of([found(f"department-{number}", 2, (long,)) for number in range(32)], "sound")
    assert len(text) <= SUMMARY_MAX
    assert text.endswith("…")
    assert "Department 31" not in text


def test_the_most_relevant_nodes_come_from_all_departments() -> None:
    """Best first over all departments; equal ones by id, so that answers repeat."""
    nodes = [TopNode(f"n{number}", "x", "", relevance) for number, relevance in enumerate((0.5, 0.9, 0.5))]
    got = most_relevant([found("a", 1, (nodes[2],)), found("b", 2, (nodes[1], nodes[0]))], 3)
    assert [each.node_id for each in got] == ["n1", "n0", "n2"]


def test_the_target_is_half_what_such_a_department_is_and_half_what_it_holds() -> None:
    """A department that holds nothing is what its name says."""
    description, centre = np.eye(2, dtype=np.float32)
    own = Profile(PhraseCounts({}, 0), centre, {})
    assert np.allclose(target_vector(description, own), [0.5**0.5, 0.5**0.5])
    assert np.array_equal(target_vector(description, None), description)
