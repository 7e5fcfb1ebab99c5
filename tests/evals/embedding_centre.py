"""The way in which all vectors of a model point, over twenty languages: how a shipped model's centre is made.

    python -m tests.evals.embedding_centre multilingual > dev/artefacts/models/e5_centre.json

Prints the mean of the texts' pooled vectors with the centre that the model already has added to it, so that
making it again changes nothing but the last digits. One third is English film notes, two thirds sentences of
the twenty languages, made by us of parts and each language of the same weight.
"""

import itertools
import json
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from pydantic import TypeAdapter
from tokenizers import Tokenizer

from dev.artefacts.embedding_models import EmbeddingModels
from dev.artefacts.models.shipped_models import MODELS
from dev.artefacts.models.shipped_models import centre_of as taken_from
from dev.paths import ROOT
from gather_brain.embeddings.onnx_runtime import InferenceSession
from gather_brain.embeddings.settings import Shipped
from gather_brain.vectors import Matrix

PARTS: Final = ROOT / "tests/data/languages/sentence_parts.json"
NOTES: Final = ROOT / "tests/data/story_notes.json"
OF_EACH: Final = 10
"""Sentences of a language, of its 125."""
WINDOW: Final = 256
DIGITS: Final = 5

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def sentences() -> dict[str, list[str]]:
    """Return all sentences of each language: every subject with every place or time and every predicate."""
    languages = json.loads(PARTS.read_text(encoding="utf-8"))
    return {
        code: [entry["joined_by"].join(parts) for parts in itertools.product(*entry["parts"])]
        for code, entry in languages.items()
    }


class Pooled:
    """The mean of a text's token vectors, before anything makes it a unit vector."""

    def __init__(self, folder: Path) -> None:
        self._session = InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._prefix = json.loads((folder / "config.json").read_text(encoding="utf-8"))["prefix"]

    def __call__(self, text: str) -> Matrix:
        """Return it for a text."""
        ids = np.array([self._tokenizer.encode(f"{self._prefix}{text}").ids[:WINDOW]], np.int64)
        found: Matrix = self._session.run(None, {"input_ids": ids})[0][0].mean(axis=0)
        return found


def centre_of(pooled: Pooled) -> Matrix:
    """Return the mean of all texts' pooled vectors."""
    random = np.random.default_rng(1)
    drawn = [text for each in sentences().values() for text in random.permutation(each)[:OF_EACH].tolist()]
    notes = [note["content"] for note in json.loads(NOTES.read_text(encoding="utf-8"))["notes"]]
    of_languages, of_notes = (np.mean([pooled(text) for text in part], axis=0) for part in (drawn, notes))
    result: Matrix = (2 * of_languages + of_notes) / 3
    return result


@command.command()
def embedding_centre(word: Annotated[str, typer.Argument(help="The model, such as multilingual.")]) -> None:
    """Print a model's centre as JSON."""
    model = MODELS[TypeAdapter[Shipped](Shipped).validate_python(word)]
    centre = centre_of(Pooled(EmbeddingModels.from_environment().folder(model.word)))
    present = taken_from(model)
    values = centre if present is None else centre + present
    typer.echo(json.dumps([round(float(value), DIGITS) for value in values]))


if __name__ == "__main__":
    command()
