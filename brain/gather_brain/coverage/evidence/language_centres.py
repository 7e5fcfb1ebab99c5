"""What the texts of a language have in common in a model's vectors, and vectors without it; pure.

A model of many languages puts two texts of one language nearer to each other than what they say does: notes
and aspects in Chinese meet, and all rivals, which are known in English alone, are far. So the difference
between the mean of texts in a language and that of the same texts in English is taken off. Names of aspects
have one of their own, since a word or two lies elsewhere than a sentence. `centres/<model>.json` is written
by `python -m tests.evals.coverage_fit --centres`; without a file, and in a language that it lacks, vectors
stay as they are.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import numpy as np

from gather_brain.vectors import Matrix, unit_rows
from gather_clients.wording.text_language import language_of_text

Kind = Literal["names", "passages"]
ENGLISH: Final = "en"
FOLDER: Final = files("gather_brain.coverage.evidence") / "centres"


@cache
def centres_of(model: str) -> Mapping[tuple[str, str], Matrix]:
    """Return a model's centres, (d,), by what texts are and their language's code; none if it has no file."""
    path = next((path for path in FOLDER.iterdir() if path.name == f"{model}.json"), None)
    kinds: dict[str, dict[str, list[float]]] = json.loads(path.read_text(encoding="utf-8")) if path else {}
    return {
        (kind, language): np.array(centre, np.float32)
        for kind, centres in kinds.items()
        for language, centre in centres.items()
    }


def language_taken_off(described: str, model: str) -> str:
    """Return a description's language if the model has centres of it, else English, of which nothing is taken
    off and nothing need be asked of any text.
    """
    return described if ("passages", described) in centres_of(model) else ENGLISH


def without_language(rows: Matrix, kind: Kind, language: str, model: str) -> Matrix:
    """Return unit rows, (n, d), of texts of one language without what is common to them; English stays.

    Args:
        rows: unit rows.
        kind: what the texts are.
        language: code of the language that they are in.
        model: that made the rows, as its name stands on nodes.
    """
    centre = centres_of(model).get((kind, language))
    return rows if centre is None else unit_rows(rows - centre)


def language_of_facets(facets: Sequence[str], described: str) -> str:
    """Return an aspect's language: its description's, or English where built-in lists say more of it."""
    if described == ENGLISH:
        return ENGLISH
    return ENGLISH if language_of_text(". ".join(facets)) == ENGLISH else described


def language_of_note(text: str, described: str) -> str:
    """Return what to take off a note: the description's language, or nothing if the note is in another.

    No aspect is near to such a note by its language; taken off, it would be nearer to the rivals alone.
    """
    if described == ENGLISH:
        return ENGLISH
    return described if language_of_text(text) in {described, None} else ENGLISH
