"""A run is made once, whatever becomes of the answer; what can come right is tried again."""

from typing import Any, cast

import pytest

from gather_cli.cluster.runs import Runs
from gather_cli.commands import making
from gather_cli.commands.making import make
from gather_cli.commands.rerun import next_names
from gather_cli.commands.spec_options import build_run
from gather_cli.errors import AlreadyThere, Refused, Unreachable

RUN = build_run("film", "films", {"projectId": "0" * 24}, {"labels": {"team": "a"}})


class Server:
    """An API server of one run, whose answers get lost as a test says."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.outcomes = list(outcomes)
        self.there: dict[str, Any] | None = None
        self.made = 0

    def create(self, run: dict[str, Any], *, is_dry: bool = False) -> dict[str, Any]:  # noqa: ARG002 - as called
        """Make it, lose the answer, or refuse."""
        outcome = self.outcomes.pop(0)
        if outcome in {"made", "lost"} and self.there is not None:
            raise AlreadyThere("there is one")
        if isinstance(outcome, Exception):
            raise outcome
        self.there, self.made = run, self.made + 1
        if outcome == "lost":
            raise Unreachable("no answer")
        return run

    def get(self, _: str) -> dict[str, Any]:
        """Return what is there."""
        assert self.there is not None
        return self.there


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(making, "WAITS_S", (0, 0))


def test_a_lost_answer_makes_no_second_run_and_no_error() -> None:
    """The next try knows its own run."""
    server = Server("lost", "made")
    assert make(cast("Runs", server), RUN, None) is server.there
    assert server.made == 1
    assert server.there["metadata"]["labels"] == {"team": "a"}


def test_another_s_run_of_that_name_is_never_taken_for_ours() -> None:
    """Not even after a lost answer."""
    server = Server(Unreachable("500"), "made")
    server.there = {"metadata": {"name": "film", "annotations": {"gather.ft.tc/submission": "another"}}}
    with pytest.raises(AlreadyThere):
        make(cast("Runs", server), RUN, None)


def test_what_comes_right_is_tried_again_and_what_does_not_is_told() -> None:
    """Three times; a refusal once."""
    assert (
        make(cast("Runs", Server(Unreachable("quota"), Unreachable("quota"), "made")), RUN, None)["metadata"][
            "name"
        ]
        == "film"
    )
    with pytest.raises(Unreachable, match="the third"):
        make(cast("Runs", Server(Unreachable("1"), Unreachable("2"), Unreachable("the third"))), RUN, None)
    with pytest.raises(Refused):
        make(cast("Runs", Server(Refused("no"), "made")), RUN, None)


def test_successors_count_on_and_fit() -> None:
    """Also of a name that ends in a number, or has 63 characters."""
    assert next_names("film")[:2] == ["film-2", "film-3"]
    assert next_names("film-9")[0] == "film-10"
    assert max(map(len, next_names("a" * 63))) <= 63
