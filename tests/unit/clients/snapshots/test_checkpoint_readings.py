"""What a checkpoint says to those who show it, whatever stands in it."""

from typing import Any

import pytest

from gather_clients.snapshots.checkpoint_readings import Measured, measured_of


def test_scores_gaps_and_duplicates_are_read() -> None:
    """A score that could not be measured is left out; what was written and not kept was a duplicate."""
    gap = {"aspect": "sound", "severity": "high", "coverage": 12, "suggestion": "s" * 900, "notes": ["n"]}
    checkpoint = {
        "scores": [61.5, None, 80], "meters": {"written": 9, "items": [0, 2, 2]},
        "findings": {"gaps": [gap] * 30},
    }  # fmt: skip
    read = measured_of(checkpoint)
    assert (read.curve, read.duplicates_dropped) == ({1: 61.5, 3: 80.0}, 3)
    assert read.gaps is not None
    assert len(read.gaps) == 20
    assert read.gaps[0] == {"aspect": "sound", "severity": "high", "coverage": 12.0, "suggestion": "s" * 300}


@pytest.mark.parametrize(
    "checkpoint",
    [
        {},
        {"scores": "x", "meters": "x", "findings": "x"},
        {"scores": None, "meters": None, "findings": None},
        {"scores": ["x"], "meters": {"written": -1}, "findings": {"gaps": "x"}},
    ],
    ids=["empty", "texts", "nulls", "wrong values"],
)
def test_what_cannot_be_read_is_left_out(checkpoint: dict[str, Any]) -> None:
    """One department's trouble is not the snapshot's."""
    assert measured_of(checkpoint) == Measured({}, None, None)
    assert measured_of({"findings": {"gaps": ["x"]}}).gaps == []
