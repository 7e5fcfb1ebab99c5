"""How much each likeness weighs, for each embedding model: models spread their cosines differently; pure.

`weights/<model>.json` is written by `python -m tests.evals.coverage_fit` from people's labels, which
docs/coverage.md names. A model that has no file goes by the default's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np

from gather_brain.vectors import Matrix

DEFAULT_MODEL: Final = "all-MiniLM-L6-v2-w8a8"


@dataclass(frozen=True, slots=True)
class Constants:
    """Weights of a logistic function by the aspect's trait, then the kind of likeness; "1" is constant."""

    weights: Mapping[str, Mapping[str, float]]

    def log_odds(self, likenesses: Mapping[str, Matrix], traits: Mapping[str, Matrix]) -> Matrix:
        """Return the logarithm of the odds that each item treats each aspect, (items, aspects).

        `traits` says of each aspect how far it has each trait, 0 to 1, (aspects,): a likeness weighs the sum
        of what its weights are for the traits.
        """
        total: Matrix = np.zeros_like(next(iter(likenesses.values()))) + self._weight("1", traits)
        for kind, values in likenesses.items():
            total += self._weight(kind, traits) * values
        return total

    def _weight(self, kind: str, traits: Mapping[str, Matrix]) -> Matrix:
        each = [self.weights[name].get(kind, 0.0) * trait for name, trait in traits.items()]
        weight: Matrix = np.sum(each, axis=0, dtype=np.float32)
        return weight


@cache
def constants_of(model: str) -> Constants:
    """Return the constants of an embedding model by its name, the default's where it has none."""
    folder = files("gather_brain.coverage.evidence") / "weights"
    found = {path.name: path for path in folder.iterdir()}
    path = found.get(f"{model}.json", folder / f"{DEFAULT_MODEL}.json")
    return Constants(json.loads(path.read_text(encoding="utf-8")))
