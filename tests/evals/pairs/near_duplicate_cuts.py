"""`python -m tests.evals.pairs.near_duplicate_cuts PAIRS`: where coverage begins to count two notes as one.

For each shipped model the cosine at which as many pairs that are no duplicates are called some as the default
model calls at its own: on the mean of the labelled sets that docs/duplicates.md names. What it prints belongs
into `gather_brain/coverage/near_duplicates.py`.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

from dev.artefacts.embedding_models import EmbeddingModels
from dev.artefacts.models.shipped_models import MODELS
from gather_brain.coverage.evidence.constants import DEFAULT_MODEL
from gather_brain.coverage.near_duplicates import NEAR_DUPLICATE
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_worker.calibrate.labelled_pairs import LabelledPair
from tests.bench.report import table
from tests.evals.coverage import Vectors
from tests.evals.pairs.pair_sets import read_sets

Floats = NDArray[np.float64]
SEED: Final = 1
command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def unlike(pairs: Sequence[LabelledPair], most: int) -> list[tuple[str, str]]:
    """Return pairs that are no duplicates, so many at most, always the same."""
    found = [(pair.a, pair.b) for pair in pairs if not pair.duplicate]
    random.Random(SEED).shuffle(found)  # noqa: S311 - the same every time, no secret
    return found[:most]


def called(cosines: Mapping[str, Floats], cut: float) -> float:
    """Return the share of pairs that a cut calls duplicates, the mean over the sets."""
    return float(np.mean([(each >= cut).mean() for each in cosines.values()]))


def cut_for(cosines: Mapping[str, Floats], share: float) -> float:
    """Return the lowest cut, in hundredths, that calls no more than this share."""
    return next(cut / 100 for cut in range(1, 101) if called(cosines, cut / 100) <= share)


@command.command()
def near_duplicate_cuts(
    pairs: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A folder of labelled pairs.")],
    most: Annotated[int, typer.Option(help="Pairs of each set that are measured.")] = 2_000,
) -> None:
    """Print each model's cut."""
    sets = {name: unlike(each, most) for name, each in read_sets(pairs).items()}
    share, rows = 0.0, []
    for word in MODELS:
        model = OnnxModel(EmbeddingModels.from_environment().folder(word), None)
        cosines = {name: _cosines(each, Vectors(model.embed)) for name, each in sets.items()}
        share = called(cosines, NEAR_DUPLICATE[DEFAULT_MODEL]) if model.name == DEFAULT_MODEL else share
        rows.append(
            (
                model.name,
                f"{cut_for(cosines, share):.2f}",
                f"{called(cosines, NEAR_DUPLICATE[model.name]):.2%}",
            )
        )
    counts = ", ".join(f"{len(each):,} of {name}" for name, each in sets.items())
    typer.echo(table(("model", "cut", "called at the cut in use"), rows))
    typer.echo(f"\nThe default calls {share:.2%} of pairs that are no duplicates ({counts}).")


def _cosines(pairs: Sequence[tuple[str, str]], vectors: Vectors) -> Floats:
    one, other = (vectors([pair[side] for pair in pairs]) for side in (0, 1))
    found: Floats = (one * other).sum(axis=1).astype(np.float64)
    return found


if __name__ == "__main__":
    command()
