"""BrainAvailable: what the operator knows of the brain, said of runs at work."""

from typing import Any

import pytest

from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import BrainFacts


@pytest.mark.parametrize(
    ("brain", "said"),
    [
        (None, None),
        (BrainFacts(is_available=True), ("True", "BrainReady")),
        (BrainFacts(is_available=False, why="ConnectError"), ("False", "BrainUnavailable")),
    ],
)
def test_what_is_known_is_said_and_holds_nothing_up(build: Any, brain: Any, said: Any) -> None:
    """The phase is the same, and so is the work."""
    snapshot = build.snapshot(
        build.running("story", "world"),
        document=build.document("story", "world"),
        jobs=[build.job("story")],
        pods=(build.done("story"),),
        brain=brain,
    )
    decision = decide(snapshot)
    assert (decision.status.phase, len(decision.actions)) == ("Running", 1)
    condition = build.conditions(decision.status).get("BrainAvailable")
    assert (condition and (condition.status, condition.reason)) == said


def test_the_message_names_the_failure_and_what_becomes_of_the_notes(build: Any) -> None:
    """One line is enough for whoever looks."""
    brain = BrainFacts(is_available=False, why="/readyz answers 503")
    snapshot = build.snapshot(
        build.running("story"), document=build.document("story"), jobs=[build.job("story")], brain=brain
    )
    message = build.conditions(decide(snapshot).status)["BrainAvailable"].message
    assert message == (
        "The brain does not answer (/readyz answers 503); notes are saved, and indexed when it is back."
    )
