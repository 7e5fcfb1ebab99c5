"""How likely two texts say the same, and what follows from it.

A calibration, made by `gather-worker calibrate`, is a set of small decision trees over `features`, for
one embedding model, from labelled pairs. It is data, not code: a JSON file that says what it was made on.
What counts as a duplicate differs between kinds of texts: a calibration made on one's own pairs is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gather_worker.duplicates.candidates import Verdict
from gather_worker.duplicates.features import FEATURES
from gather_worker.errors import InvalidInput

POLICY_SCORE: Final = 0.90
"""The score of a pair at a calibration's own cut: the requirements' threshold."""
TREES_MAX: Final = 1000
NODES_MAX: Final = 255
FILE_MAX_BYTES: Final = 4 * 1024 * 1024
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Tree(BaseModel):
    """A binary decision tree, its nodes numbered from the root, 0; children come after their parent.

    Node i goes to `left[i]` where feature `feature[i]` is at most `cut[i]`, else to `right[i]`; a leaf has
    the feature -1 and adds `value[i]` to the log-odds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: tuple[int, ...] = Field(min_length=1, max_length=NODES_MAX)
    cut: tuple[Finite, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[Finite, ...]

    @model_validator(mode="after")
    def _ends(self) -> Self:
        count = len(self.feature)
        if {len(self.cut), len(self.left), len(self.right), len(self.value)} != {count}:
            raise ValueError("a tree's lists differ in length")
        for node, feature in enumerate(self.feature):
            inner = 0 <= feature < len(FEATURES)
            if not inner and feature != -1:
                raise ValueError("a tree asks for a feature that does not exist")
            if inner and not (node < self.left[node] < count and node < self.right[node] < count):
                raise ValueError("a tree's child does not come after its parent")
        return self

    def value_of(self, features: Sequence[float]) -> float:
        """Return what the tree adds to the log-odds."""
        node = 0
        while (feature := self.feature[node]) >= 0:
            node = self.left[node] if features[feature] <= self.cut[node] else self.right[node]
        return self.value[node]


class MadeOn(BaseModel):
    """What a calibration was made on; nothing is computed from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...]
    pairs: int
    duplicates: int
    at: str
    """ISO 8601 date."""
    note: str = ""


class Calibration(BaseModel):
    """Trees, and the three numbers that turn their probability into a decision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1, le=1)
    embedding_model: str = Field(min_length=1, max_length=128)
    features: tuple[str, ...]
    base: Finite
    """Log-odds before any tree."""
    trees: tuple[Tree, ...] = Field(min_length=1, max_length=TREES_MAX, repr=False)
    cut: float = Field(gt=0, lt=1)
    """The probability from which calling a pair a duplicate gives the best F1 on the pairs it was made on."""
    below: float = Field(ge=0)
    above: float = Field(ge=0)
    """How far the uncertain band reaches below and above the cut, in log-odds."""
    made_on: MadeOn

    @model_validator(mode="after")
    def _is_of_these_features(self) -> Self:
        if self.features != FEATURES:
            raise ValueError("it was made with other features; make it again with gather-worker calibrate")
        return self

    def probability(self, features: Sequence[float]) -> float:
        """Return how likely the pair of these features is a duplicate, on the pairs it was made on."""
        return sigmoid(self.base + math.fsum(tree.value_of(features) for tree in self.trees))


@dataclass(frozen=True, slots=True)
class Decision:
    """A calibration with the user's threshold: the policy score that a drop needs, 0 to 1.

    `score` maps the calibration's cut to 0.90, and 0 and 1 to themselves: with the requirements' threshold
    the cut stands as it was calibrated; a higher one wants surer drops, a lower one drops more.
    """

    calibration: Calibration
    threshold: float = POLICY_SCORE

    @property
    def cut(self) -> float:
        """The probability whose score is the threshold."""
        exponent = math.log(self.calibration.cut) / math.log(POLICY_SCORE)
        return min(math.pow(max(self.threshold, 1e-6), exponent), 1 - 1e-6)

    def score(self, probability: float) -> float:
        """Return the policy score of a probability."""
        exponent = math.log(POLICY_SCORE) / math.log(self.calibration.cut)
        return math.pow(probability, exponent)

    def verdict(self, probability: float) -> Verdict:
        """Return whether the pair is a duplicate, is none, or is for the model to judge."""
        distance = log_odds(probability) - log_odds(self.cut)
        if -self.calibration.below <= distance < self.calibration.above:
            return Verdict.UNSURE
        return Verdict.DUPLICATE if distance >= 0 else Verdict.DIFFERENT

    def is_duplicate(self, probability: float) -> bool:
        """Return which side of the cut a probability is on, for when nobody judges the band."""
        return probability >= self.cut


def sigmoid(value: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + math.exp(-min(max(value, -500.0), 500.0)))


def log_odds(probability: float) -> float:
    """Return the log-odds of a probability; those of 0 and 1 are cut off at about 27.6."""
    inside = min(max(probability, 1e-12), 1 - 1e-12)
    return math.log(inside / (1 - inside))


def read_calibration(path: Path) -> Calibration:
    """Read a calibration from a file.

    Raises:
        InvalidInput: it cannot be read or is none; the message says why.
    """
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise InvalidInput(f"the calibration {path.name} is larger than {FILE_MAX_BYTES} bytes")
        return Calibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"the calibration {path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"the calibration {path.name} is not one: {first['msg']}") from error


@cache
def shipped_calibration(embedding_model: str) -> Calibration | None:
    """Return the calibration that comes with Gather for an embedding model; None where there is none."""
    for entry in (resources.files("gather_worker.duplicates") / "calibrations").iterdir():
        if entry.name == f"{embedding_model}.json":
            return Calibration.model_validate_json(entry.read_bytes())
    return None
