"""`python -m tests.evals.coverage_fit --data FOLDER`: fit how much each likeness weighs to people's labels.

GATHER_BRAIN_EMBEDDING names the model. Sets of pairs of a text and an aspect: arguments and key points
(KPA-2021, training), summaries and content units (REALSumm, every fourth document from 0 on), and the notes
of our own departments for fitting among notes of others, of any trade and of no film: usual ones, the same
without what built-in lists know, and invented ones; the last two also cut down to some of their aspects, and
to their name alone; for a model of many languages the same notes in seven, too. In each set the pairs that
match weigh as much as the rest. FOLDER has the first two, each as its repository has it in a folder of its
name; nothing is downloaded. With `--centres` instead it fits what all texts of a
language have in common, to our names of aspects and notes in seven languages. What is fitted is written
beside the modules that read it.
"""

import argparse
import csv
import json
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dev.artefacts.models.shipped_models import MODELS
from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from gather_brain.coverage.analysis import plan_measurement
from gather_brain.coverage.aspect_scores import likenesses, stacked, targets_of
from gather_brain.coverage.aspects import Aspect, aspects_of
from gather_brain.coverage.evidence.language_centres import (
    ENGLISH,
    language_of_facets,
    language_of_note,
    without_language,
)
from gather_brain.coverage.evidence.passages import passages
from gather_brain.coverage.film_departments import COMMON_ASPECTS, NO_TRADE
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_brain.embeddings.settings import ModelSettings
from gather_brain.vectors import Matrix
from gather_brain.words import spoken
from tests.evals.coverage import Vectors
from tests.evals.coverage_cases import (
    HALVES,
    INVENTED,
    LANGUAGES,
    Department,
    departments,
    of_any_trade,
    strangers,
)

FOLDER: Final = ROOT / "brain" / "gather_brain" / "coverage" / "evidence"
NAMES: Final = ROOT / "tests" / "data" / "languages" / "aspect_names.json"
"""The same names of aspects in each language."""
DIGITS: Final = 4
"""Of a centre's values, which are some hundredths."""
RIDGE: Final = 5.0
"""Penalty on each squared weight, of likenesses scaled to variance 1, against 1,000 pairs a set."""
LISTED: Final = ("topic", "statement", "specific", "bare")
UNLISTED: Final = ("unknown", "few")
"""Traits of aspects that no list knows."""
NOT_WEIGHED: Final = frozenset(
    {
        ("topic", "1"),
        *((trait, kind) for trait in ("topic", "bare", *UNLISTED) for kind in ("words", "passage_words")),
        *((trait, kind) for trait in ("statement", "specific", "bare") for kind in ("rival", "gloss_words")),
        *((trait, kind) for trait in UNLISTED for kind in ("rival", "film", "gloss_words")),
        *((trait, "matter") for trait in (*LISTED, *UNLISTED)),
        *((trait, kind) for trait in ("statement", "specific") for kind in ("own_matter", "film")),
        *((trait, "no_trade") for trait in LISTED),
    }
)
"""The constant is fitted apart. Words in common count for statements, and for topics as far as they are
statements: notes for fitting avoid a topic's words, which must not count against it. A rival is one to any
aspect, what has a gloss is a topic, and statements need not be about one matter. The whole matter is weighed
by `multilingual` alone, whose weights are older; the department's own tells other trades apart better."""
SCALE_MIN: Final = 0.1
"""A likeness that hardly varies gets no great weight."""
PAIRS: Final = 1_000.0
KEY_POINTS_WEIGHT: Final = 20.0
UNITS_WEIGHT: Final = 8.0
OWN_WEIGHT: Final = 2.0
INVENTED_WEIGHT: Final = 3.0
NAMES_WEIGHT: Final = 1.0
"""Of the sets, chosen by cross-validation over KPA-2021's topics and by what other parts of the sets got: in
arguments people say one thing in many ways, and our own notes are few."""
CUT_BELOW: Final = 5
"""Aspects that a department which was cut down has fewer of."""
LENT: Final = 5
"""Every so manieth note of another department is among a department's own."""
LANGUAGES_WEIGHT: Final = 6.0
"""Of the same notes in seven languages, for a model that was made for them."""
STEPS: Final = 30
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Texts and aspects that were labelled together: 1, 0, or nan where undecided, (texts, aspects)."""

    aspects: tuple[Aspect, ...]
    texts: tuple[str, ...]
    labels: Floats
    common: tuple[str, ...] = COMMON_ASPECTS
    """The usual film aspects of other departments."""
    language: str = ENGLISH
    """That the aspects are described in."""
    department: str = ""
    """Whose notes they are."""


def key_points(data: Path, every: int = 1) -> Iterator[Labelled]:
    """Yield each side of each topic of KPA-2021's training part, with every so manieth argument."""
    arguments, points, labels = (
        _rows(data / "KPA_2021_shared_task" / "kpm_data" / f"{name}_train.csv")
        for name in ("arguments", "key_points", "labels")
    )
    known = {(row["arg_id"], row["key_point_id"]): float(row["label"]) for row in labels}
    for side in dict.fromkeys((row["topic"], row["stance"]) for row in arguments):
        said = [row for row in arguments if (row["topic"], row["stance"]) == side][::every]
        listed = [row for row in points if (row["topic"], row["stance"]) == side]
        yield Labelled(
            tuple(Aspect(row["key_point"], "", written=row["key_point"]) for row in listed),
            tuple(row["argument"] for row in said),
            np.array(
                [[known.get((s["arg_id"], k["key_point_id"]), np.nan) for k in listed] for s in said],
                np.float64,
            ),
        )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def content_units(data: Path, every: int = 1) -> Iterator[Labelled]:
    """Yield every fourth document of REALSumm from 0 on, with the summaries of every so manieth system."""
    folder = data / "Lite2-3Pyramid" / "data" / "REALSumm"
    systems = sorted(path.stem for path in (folder / "labels").glob("*.label"))
    units = (folder / "SCUs.txt").read_text(encoding="utf-8").splitlines()
    texts = {name: _lines(folder / "summaries" / f"{name}.summary") for name in systems}
    labels = {name: _lines(folder / "labels" / f"{name}.label") for name in systems}
    for place in range(0, len(units), 4):
        # The next document with the next systems.
        chosen = systems[place // 4 % every :: every]
        yield Labelled(
            tuple(Aspect(unit, "", written=unit) for unit in units[place].split("\t")),
            tuple(texts[name][place] for name in chosen),
            np.array([[float(each) for each in labels[name][place].split("\t")] for name in chosen]),
        )


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def own_notes(half: str, *, is_bare: bool = False) -> Iterator[Labelled]:
    """Yield the departments of one half, each with notes of others, of any trade and of no film.

    With `is_bare` nothing is known of their aspects but the names, as if no built-in list had them.
    """
    every = departments(half)
    fits = {HALVES[0], INVENTED[0]}
    lenders = [each for one in sorted(fits) for each in departments(one)] if half in fits else every
    for department in every:
        aspects = aspects_of(department.slug, department.description)
        common = COMMON_ASPECTS
        if is_bare:
            # Nor may the lists be its rivals then.
            glosses = {aspect.gloss for aspect in aspects}
            common = tuple(text for text in COMMON_ASPECTS if text.split(": ", 1)[1] not in glosses)
            aspects = tuple(Aspect(aspect.name, "", written=aspect.written) for aspect in aspects)
        names = [aspect.name.casefold() for aspect in aspects]
        others = [
            text for each in lenders if each.slug != department.slug for text in _lent(each, half in fits)
        ]
        unrelated = [*strangers(), *of_any_trade(), *others]
        labels = np.zeros((len(department.texts) + len(unrelated), len(aspects)))
        for row, note in enumerate(department.notes):
            for label in note.aspects:
                labels[row, names.index(label.casefold())] = 1
        language = plan_measurement(department.slug, department.description, []).language
        texts = (*department.texts, *unrelated)
        yield Labelled(aspects, texts, labels, common, language, department.slug)


def _lent(department: Department, has_many: bool) -> list[str]:
    return department.mixed[::LENT] if has_many else department.texts


def cut_down(whole: Iterable[Labelled]) -> Iterator[Labelled]:
    """Yield each department with one to four of its aspects; notes on the rest are on none."""
    for each in whole:
        for count in range(1, min(CUT_BELOW, len(each.aspects))):
            draw = random.Random(f"{each.department} {count}")  # noqa: S311 - no secret
            kept = sorted(draw.sample(range(len(each.aspects)), count))
            aspects = tuple(each.aspects[place] for place in kept)
            yield replace(each, aspects=aspects, labels=each.labels[:, kept])


def by_name(whole: Iterable[Labelled]) -> Iterator[Labelled]:
    """Yield each department with its name as the only aspect, as if it had no description."""
    for each in whole:
        name = spoken(each.department)
        aspect = Aspect(name, "", written=name)
        yield replace(each, aspects=(aspect,), labels=each.labels.max(axis=1, keepdims=True))


def measured(labelled: Labelled, vectors: Vectors) -> dict[str, Floats]:
    """Return each likeness of each pair, (pairs,), times how far the aspect has each trait."""
    notes = [passages(text)[0] for text in labelled.texts]
    facets = [
        without_language(vectors(each), "names", language_of_facets(each, labelled.language), vectors.model)
        for each in (aspect.facets for aspect in labelled.aspects)
    ]
    rows = [
        without_language(vectors(note), "passages", language_of_note(text, labelled.language), vectors.model)
        for text, note in zip(labelled.texts, notes, strict=True)
    ]
    targets = targets_of(facets, labelled.aspects, vectors(labelled.common), vectors(NO_TRADE))
    flat = [passage for note in notes for passage in note]
    found = likenesses(stacked(rows), flat, targets)
    found = {"1": np.ones_like(found["name"])} | found
    return {
        f"{trait} {kind}": (values * has).astype(np.float64).ravel()
        for trait, has in targets.traits.items()
        for kind, values in found.items()
        if (trait, kind) not in NOT_WEIGHED
    }


def language_centres(vectors: Vectors) -> dict[str, dict[str, list[float]]]:
    """Return how far the mean of the same texts in each language is from that in English."""
    names: dict[str, list[str]] = json.loads(NAMES.read_text(encoding="utf-8"))
    found = dict[str, dict[str, list[float]]]()
    # As aspects are: in German with capitals.
    names["de"] = [" ".join(word[:1].upper() + word[1:] for word in name.split()) for name in names["de"]]
    for kind, texts in (
        (
            "names",
            {code: [each if code == "de" else each.lower() for each in names[code]] for code in LANGUAGES},
        ),
        ("passages", {code: _passages_in(code) for code in LANGUAGES}),
    ):
        means: dict[str, Matrix] = {code: vectors(each).mean(axis=0) for code, each in texts.items()}
        away = {code: mean - means[ENGLISH] for code, mean in means.items() if code != ENGLISH}
        found[kind] = {code: [round(float(x), DIGITS) for x in each] for code, each in away.items()}
    return found


def _passages_in(language: str) -> list[str]:
    notes = [text for department in departments(f"languages/{language}") for text in department.texts]
    return [passage for text in notes for passage in passages(text)[0]]


def fitted(rows: Floats, labels: Floats, weights: Floats) -> Floats:
    """Return the weights of the logistic function by Newton's method, the constant last."""
    means, scales = rows.mean(axis=0), np.maximum(rows.std(axis=0), SCALE_MIN)
    scaled = np.column_stack([(rows - means) / scales, np.ones(len(rows))])
    ridge = np.append(np.full(rows.shape[1], RIDGE), 1e-6)
    found = np.zeros(scaled.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-scaled @ found))
        slope = scaled.T @ (weights * (likely - labels)) + ridge * found
        curve = (scaled * (weights * likely * (1 - likely))[:, None]).T @ scaled + np.diag(ridge)
        found -= np.linalg.solve(curve, slope)
    plain = found[:-1] / scales
    whole: Floats = np.append(plain, found[-1] - plain @ means)
    return whole


def balanced(labels: Floats) -> Floats:
    """Return weights by which the pairs that match count as much as the rest, PAIRS together."""
    weights: Floats = PAIRS / 2 * np.where(labels > 0, 1 / labels.sum(), 1 / (1 - labels).sum())
    return weights


def constants_from(
    sets: Sequence[tuple[float, Sequence[Labelled]]], vectors: Vectors
) -> dict[str, dict[str, float]]:
    """Return what a model's file has; each set has its weight."""
    rows, labels, weights = list[Floats](), list[Floats](), list[Floats]()
    names: Sequence[str] = ()
    for weight, each in sets:
        known = np.concatenate([labelled.labels.ravel() for labelled in each])
        is_known = ~np.isnan(known)
        pairs = [measured(labelled, vectors) for labelled in each]
        names = tuple(pairs[0])
        rows.append(np.column_stack([np.concatenate([p[name] for p in pairs]) for name in names])[is_known])
        labels.append(known[is_known])
        weights.append(weight * balanced(known[is_known]))
    found = fitted(np.concatenate(rows), np.concatenate(labels), np.concatenate(weights))
    constants = dict[str, dict[str, float]]()
    for name, value in zip((*names, "topic 1"), found, strict=True):
        trait, kind = name.split()
        constants.setdefault(trait, {})[kind] = round(float(value), 4)
    return constants


def sets_for_fitting(data: Path, every: int) -> list[tuple[float, list[Labelled]]]:
    """Return all sets, each with its weight; of the public ones every so manieth argument and system."""
    bare, invented = list(own_notes(HALVES[0], is_bare=True)), list(own_notes(INVENTED[0]))
    sets = [
        (KEY_POINTS_WEIGHT, list(key_points(data, every))),
        (UNITS_WEIGHT, list(content_units(data, every))),
        (OWN_WEIGHT, list(own_notes(HALVES[0]))),
        (OWN_WEIGHT, bare),
        (OWN_WEIGHT, list(cut_down(bare))),
        (INVENTED_WEIGHT, invented),
        (INVENTED_WEIGHT, list(cut_down(invented))),
        (NAMES_WEIGHT, list(by_name([*bare, *invented]))),
    ]
    if set(LANGUAGES) <= set(MODELS[ModelSettings().embedding].languages):
        sets.append(
            (LANGUAGES_WEIGHT, [each for code in LANGUAGES for each in own_notes(f"languages/{code}")])
        )
    return sets


def main() -> None:
    """Fit, and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="the folder with the public sets: fit the weights")
    what.add_argument("--centres", action="store_true", help="fit the centres of languages")
    parser.add_argument(
        "--every", type=int, default=1, help="of the public sets only every so manieth argument and system"
    )
    arguments = parser.parse_args()
    model = OnnxModel(StoreArtefacts.from_environment().embedding_model(), None)
    vectors = Vectors(model.embed, model.name)
    if arguments.centres:
        _write("centres", model.name, language_centres(vectors))
        return
    _write("weights", model.name, constants_from(sets_for_fitting(arguments.data, arguments.every), vectors))


def _write(folder: str, model: str, fitted_values: Mapping[str, object]) -> None:
    path = FOLDER / folder / f"{model}.json"
    indent = 2 if folder == "weights" else None
    path.write_text(f"{json.dumps(fitted_values, indent=indent)}\n", encoding="utf-8")
    sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
