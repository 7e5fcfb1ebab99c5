"""Each embedding model has weights of its own; another goes by the default's."""

from importlib.resources import files

import numpy as np
import pytest

from gather_brain.coverage.evidence.constants import DEFAULT_MODEL, Constants, constants_of

FOLDER = files("gather_brain.coverage.evidence") / "weights"
MODELS = sorted(path.name.removesuffix(".json") for path in FOLDER.iterdir())


@pytest.mark.parametrize("model", MODELS)
def test_a_models_file_has_all_weights(model: str) -> None:
    """A kind of likeness that one model's file lacks would count nothing with it; one whose weights are older
    may have more.
    """
    default, found = constants_of(DEFAULT_MODEL).weights, constants_of(model).weights
    assert set(found) == set(default)
    assert all(set(found[trait]) >= set(default[trait]) for trait in default)


@pytest.mark.parametrize("model", ["text-embedding-3-small", "", "../constants"])
def test_a_model_without_a_file_goes_by_the_defaults(model: str) -> None:
    """A name is no path."""
    assert constants_of(model) == constants_of(DEFAULT_MODEL)


def test_a_likeness_weighs_by_the_aspects_traits() -> None:
    """The sum of what it weighs for each."""
    constants = Constants({"topic": {"1": -1.0, "near": 2.0}, "bare": {"1": 0.5, "near": 1.0}})
    traits = {"topic": np.ones(2, np.float32), "bare": np.array([0, 1], np.float32)}
    odds = constants.log_odds({"near": np.array([[0.5, 0.5]], np.float32)}, traits)
    assert odds.tolist() == [[0.0, 1.0]]
