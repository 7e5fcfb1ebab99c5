"""Making a calibration from labelled pairs; the only user of LightGBM, which no pod needs.

The trees are monotone: more likeness never makes a pair less likely a duplicate, and a difference in
numbers, names or negation never more likely (`features.RISING`, `FALLING`). Cut and band come from
predictions for pairs that the predicting trees did not see (cross-validation), so that they are not
too optimistic.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from gather_worker.duplicates.calibration import Calibration, MadeOn, Tree
from gather_worker.duplicates.features import FALLING, FEATURES, RISING

FOLDS: Final = 5
BAND_SHARE: Final = 0.06
"""The share of all pairs that is left to the model; a tenth is allowed, on unseen pairs."""
REACH_MAX: Final = 1.5
"""In log-odds, from a probability of .5 to .82: a surer pair needs no judge; hard pairs' bands reach .9.
Where all pairs are easy there are not enough unsure ones to fill the share."""
ROUNDS: Final = 120
LEAVES: Final = 12
LEAF_PAIRS_MIN: Final = 40
LEARNING_RATE: Final = 0.06
"""Of nine settings, tried on 10,000 pairs of story prose and 7,249 of STS-B, the one that was never more than
.01 of F1 behind the best."""
SEED: Final = 1
PAIRS_MIN: Final = 200
"""With fewer there are not five leaves' worth of pairs in a fold."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """One kind of labelled pairs; all kinds weigh the same, whatever their numbers."""

    features: Sequence[tuple[float, ...]]
    duplicates: Sequence[bool]


def fit(samples: Sequence[Sample], embedding_model: str, made_on: MadeOn) -> Calibration:
    """Return the calibration of the samples."""
    features = np.array([row for sample in samples for row in sample.features], np.float64)
    labels = np.array([label for sample in samples for label in sample.duplicates], np.bool_)
    kinds = np.repeat(np.arange(len(samples)), [len(sample.features) for sample in samples])
    weights = (len(labels) / len(samples) / np.bincount(kinds))[kinds]
    unseen = _unseen_log_odds(features, labels, weights)
    cut = best_cut(unseen, labels, kinds)
    distances = unseen - cut
    trees = _booster(features, labels, weights).dump_model()["tree_info"]
    return Calibration(
        version=1,
        embedding_model=embedding_model,
        features=FEATURES,
        base=0.0,
        trees=tuple(_tree(each["tree_structure"]) for each in trees),
        cut=1 / (1 + math.exp(-cut)),
        # Half of the band's share lies on each side of the cut.
        below=_reach(-distances, distances < 0, weights),
        above=_reach(distances, distances >= 0, weights),
        made_on=made_on,
    )


def _unseen_log_odds(features: Floats, labels: Flags, weights: Floats) -> Floats:
    """Return each pair's log-odds, from trees made without it."""
    fold_of = np.random.default_rng(SEED).permutation(len(labels)) % FOLDS
    found = np.zeros(len(labels))
    for fold in range(FOLDS):
        inside = fold_of != fold
        booster = _booster(features[inside], labels[inside], weights[inside])
        found[~inside] = booster.predict(features[~inside], raw_score=True)
    return found


def best_cut(log_odds_of: Floats, labels: Flags, kinds: NDArray[np.int64]) -> float:
    """Return the log-odds from which calling pairs duplicates gives the best mean F1 over the kinds."""
    values = np.unique(np.quantile(log_odds_of, np.linspace(0, 1, 400)))
    # Between two values, so that the cut leaves room on both sides where nothing lies near it.
    candidates = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    each = [kinds == kind for kind in np.unique(kinds)]
    means = [
        np.mean([f1(log_odds_of[kind] >= candidate, labels[kind]) for kind in each])
        for candidate in candidates
    ]
    best = np.flatnonzero(np.array(means) == max(means))
    # Where the labels separate cleanly there is a gap, and the cut belongs in its middle.
    return float(candidates[best[0]] + candidates[best[-1]]) / 2


def f1(called: Flags, labels: Flags) -> float:
    """Return 2 TP / (2 TP + FP + FN); 0 where there is nothing to find."""
    right = int((called & labels).sum())
    return 2 * right / max(int(called.sum()) + int(labels.sum()), 1)


def _reach(distances: Floats, inside: Flags, weights: Floats) -> float:
    """Return how far the band must reach on one side of the cut to hold half of its share there."""
    order = np.argsort(distances[inside])
    share = np.cumsum(weights[inside][order]) / weights.sum()
    place = int(np.searchsorted(share, BAND_SHARE / 2))
    return min(float(distances[inside][order][min(place, len(order) - 1)]), REACH_MAX)


def _booster(features: Floats, labels: Flags, weights: Floats) -> lightgbm.Booster:
    settings = {
        "objective": "binary",
        "boost_from_average": False,
        "learning_rate": LEARNING_RATE,
        "num_leaves": LEAVES,
        "min_data_in_leaf": LEAF_PAIRS_MIN,
        "monotone_constraints": [(name in RISING) - (name in FALLING) for name in FEATURES],
        "monotone_constraints_method": "advanced",
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": SEED,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(features, labels.astype(np.int8), weight=weights, feature_name=list(FEATURES))
    return lightgbm.train(settings, data, num_boost_round=ROUNDS)


def _tree(root: dict[str, Any]) -> Tree:
    """Number the nodes of LightGBM's nested form, parents first."""
    nodes: list[dict[str, Any]] = [root]
    left: list[int] = []
    right: list[int] = []
    for node in nodes:
        is_leaf = "leaf_value" in node
        left.append(0 if is_leaf else len(nodes))
        right.append(0 if is_leaf else len(nodes) + 1)
        if not is_leaf:
            nodes += [node["left_child"], node["right_child"]]
    return Tree(
        feature=tuple(node.get("split_feature", -1) for node in nodes),
        cut=tuple(float(node.get("threshold", 0.0)) for node in nodes),
        left=tuple(left),
        right=tuple(right),
        value=tuple(round(float(node.get("leaf_value", 0.0)), 6) for node in nodes),
    )
