"""How near different texts are in twenty languages: `make language-report`.

Two hundred pairs of each language, drawn from sentences made by us of parts; nobody who speaks these
languages has looked at them. Half of the pairs differ in one part, such as a negation; none are the same.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import typer

from dev.artefacts.store_binaries import StoreArtefacts
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_brain.vectors import Matrix, shown
from tests.bench.report import table
from tests.evals.embedding_centre import sentences

PAIRS: Final = 200
SAME: Final = 0.999
"""From here on two texts are as good as one."""
SEED: Final = 1

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def drawn(texts: Sequence[str], parts: int = 5) -> list[tuple[str, str]]:
    """Return pairs of different texts: the first half differs in the last part alone."""
    random = np.random.default_rng(SEED)
    near = [
        pair
        for start in range(0, len(texts), parts)
        for pair in itertools.combinations(texts[start:][:parts], 2)
    ]
    every = list(itertools.combinations(texts, 2))
    chosen = [*random.permutation(len(near))[: PAIRS // 2]]
    others = [*random.permutation(len(every))[: PAIRS // 2]]
    return [*(near[place] for place in chosen), *(every[place] for place in others)]


def similarities(embed: Callable[[Sequence[str]], Matrix], pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Return what the brain would answer for each pair."""
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    rows = dict(zip(texts, embed(texts), strict=True))
    return [shown(float(rows[a] @ rows[b]), is_same_text=False) for a, b in pairs]


@command.command()
def language_report() -> None:
    """Print how near 200 pairs of different texts are in each of 20 languages."""
    model = OnnxModel(StoreArtefacts.from_environment().embedding_model(), None)
    rows, same = [], 0
    for code, texts in sentences().items():
        found = np.array(similarities(model.embed, drawn(texts)))
        unread = sum(reason is not None for reason in model.unread(texts)) / len(texts)
        same += int((found >= SAME).sum())
        numbers = (*np.median(found.reshape(2, -1), axis=1), found.max())
        rows.append(
            (code, f"{unread:.0%}", *(f"{number:.3f}" for number in numbers), str((found >= SAME).sum()))
        )
    head = ("language", "not read", "median, one part differs", "median of all", "most", f">= {SAME}")
    typer.echo(
        f"{model.name}\n\n{table(head, rows)}\n\n{same} of {len(rows) * PAIRS} pairs at {SAME} or more"
    )


if __name__ == "__main__":
    command()
