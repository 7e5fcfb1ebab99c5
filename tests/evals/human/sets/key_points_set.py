"""KPA-2021: arguments on a topic, the key points of each stance, and which people match.

Each part is three CSV files. A pair that is not in the labels is undecided: 15 to 60 % of the people
matched it.
"""

from dataclasses import dataclass
from pathlib import Path

from gather_worker.errors import InvalidInput
from tests.evals.human.sets.catalogue import KEY_POINTS
from tests.evals.human.sets.label_files import Labelled, records_of


class _Argument(Labelled):
    arg_id: str
    argument: str
    topic: str
    stance: int


class _KeyPoint(Labelled):
    key_point_id: str
    key_point: str
    topic: str
    stance: int


class _Label(Labelled):
    arg_id: str
    key_point_id: str
    label: int


@dataclass(frozen=True, slots=True)
class Stance:
    """One side of a topic."""

    arguments: tuple[tuple[str, str], ...]
    """Identity and text."""
    key_points: tuple[tuple[str, str], ...]
    matches: dict[tuple[str, str], int]
    """1 or 0 by argument and key point; an undecided pair is missing."""


def stances(data: Path, part: str) -> list[Stance]:
    """Return all sides of topics of "train", "dev" or "test" that have key points; raises InvalidInput."""
    folder = data / KEY_POINTS.files[part == "test"]
    arguments = records_of(
        folder / f"arguments_{part}.csv", _Argument, ("arg_id", "argument", "topic", "stance")
    )
    path = folder / f"key_points_{part}.csv"
    points = records_of(path, _KeyPoint, ("key_point_id", "key_point", "topic", "stance"))
    labels = records_of(folder / f"labels_{part}.csv", _Label, ("arg_id", "key_point_id", "label"))
    known = {each.arg_id for _, each in arguments}
    for place, label in labels:
        if label.arg_id not in known or label.label not in {0, 1}:
            raise InvalidInput(f"{place}: no such argument, or a label other than 0 and 1")
    matches = {(each.arg_id, each.key_point_id): each.label for _, each in labels}
    found = []
    for side in dict.fromkeys((each.topic, each.stance) for _, each in arguments):
        own = tuple(
            (each.arg_id, each.argument) for _, each in arguments if (each.topic, each.stance) == side
        )
        named = tuple(
            (each.key_point_id, each.key_point) for _, each in points if (each.topic, each.stance) == side
        )
        if named:
            inside = {
                (argument, point): matches[argument, point]
                for argument, _ in own
                for point, _ in named
                if (argument, point) in matches
            }
            found.append(Stance(own, named, inside))
    return found
