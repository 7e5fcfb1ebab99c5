"""Cosines of labelled pairs from the brain, so that production's own embeddings are measured."""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from gather_contracts.brain import SIMILARITY_PAIRS_MAX
from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.errors import BrainKeyRefused, BrainUnusable, InvalidInput, TryAgain
from gather_worker.services.brain import Brain

DURATION_S: Final = 6 * 3600.0
"""For a whole command: 200,000 pairs at the usual limit of 30 requests a minute take two hours."""
REPORTS: Final = 20
"""Lines of progress."""

Progress = Callable[[int, int], None]


async def cosines_of(
    brain: Brain, pairs: Sequence[LabelledPair], progress: Progress
) -> tuple[str, list[float]]:
    """Return the embedding model's name and the raw cosine of each pair, 0 to 1.

    Raises:
        InvalidInput: the brain refuses the key.
        TryAgain: the brain cannot be asked, or its embedding model changed on the way.
    """
    # Texts of one length are embedded faster together.
    order = sorted(range(len(pairs)), key=lambda place: len(pairs[place].a) + len(pairs[place].b))
    cosines, models = [0.0] * len(pairs), set[str]()
    for start in range(0, len(order), SIMILARITY_PAIRS_MAX):
        places = order[start : start + SIMILARITY_PAIRS_MAX]
        try:
            model, found = await brain.compare([(pairs[place].a, pairs[place].b) for place in places])
        except BrainKeyRefused as error:
            raise InvalidInput(str(error)) from error
        except BrainUnusable as error:
            raise TryAgain(f"the brain gives no cosines: {error}") from error
        models.add(model)
        if len(models) > 1:
            raise TryAgain(f"the brain's embedding model has changed: {', '.join(sorted(models))}")
        for place, cosine in zip(places, found, strict=True):
            cosines[place] = cosine
        progress(start + len(places), len(order))
    return models.pop(), cosines


def report_progress(done: int, total: int) -> None:
    """Write a line to standard error now and then."""
    step = max(1, total // REPORTS)
    if done == total or done // step > (done - SIMILARITY_PAIRS_MAX) // step:
        sys.stderr.write(f"compared {done:,} of {total:,} pairs\n")
