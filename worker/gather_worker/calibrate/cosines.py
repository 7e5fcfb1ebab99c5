"""Cosines of labelled pairs from the brain, so that production's own embeddings are measured."""

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from gather_clients.backoff import Backoff
from gather_contracts.brain import SIMILARITY_PAIRS_MAX
from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.errors import BrainKeyRefused, BrainUnusable, InvalidInput, TryAgain
from gather_worker.services.brain import Brain

DURATION_S: Final = 6 * 3600.0
"""For a whole command: 200,000 pairs at the usual limit of 30 requests a minute take two hours."""
PATIENCE_S: Final = 120.0
"""After an answer, for the next: a busy brain comes further with each, as it keeps what it embedded."""
BACKOFF: Final = Backoff(1.0, 10.0)
REPORTS: Final = 20
"""Lines of progress."""

Progress = Callable[[int, int], None]


async def cosines_of(
    brain: Brain, pairs: Sequence[LabelledPair], progress: Progress
) -> tuple[str, list[float]]:
    """Return the embedding model's name and the raw cosine of each pair, 0 to 1.

    Raises:
        InvalidInput: the brain refuses the key.
        TryAgain: the brain cannot be asked, or not any more, or its embedding model changed on the way.
    """
    # Texts of one length are embedded faster together.
    order = sorted(range(len(pairs)), key=lambda place: len(pairs[place].a) + len(pairs[place].b))
    cosines, models = [0.0] * len(pairs), set[str]()
    for start in range(0, len(order), SIMILARITY_PAIRS_MAX):
        places = order[start : start + SIMILARITY_PAIRS_MAX]
        texts = [(pairs[place].a, pairs[place].b) for place in places]
        model, found = await _compared(brain, texts, PATIENCE_S if models else 0.0)
        models.add(model)
        if len(models) > 1:
            raise TryAgain(f"the brain's embedding model has changed: {', '.join(sorted(models))}")
        for place, cosine in zip(places, found, strict=True):
            cosines[place] = cosine
        progress(start + len(places), len(order))
    return models.pop(), cosines


async def _compared(
    brain: Brain, texts: Sequence[tuple[str, str]], patience_s: float
) -> tuple[str, list[float]]:
    """Return what the brain says, asked again until patience has run out."""
    ends_s = time.monotonic() + patience_s
    for failures in itertools.count(1):
        try:
            return await brain.compare(texts)
        except BrainKeyRefused as error:
            raise InvalidInput(str(error)) from error
        except BrainUnusable as error:
            wait_s = BACKOFF.wait_s(failures)
            if time.monotonic() + wait_s > ends_s:
                raise TryAgain(f"the brain gives no cosines: {error}") from error
            sys.stderr.write(f"the brain gives no cosines now ({error}); asking again in {wait_s:.0f} s\n")
        await asyncio.sleep(wait_s)
    raise AssertionError("unreachable: the count has no end")


def report_progress(done: int, total: int) -> None:
    """Write a line to standard error now and then."""
    step = max(1, total // REPORTS)
    if done == total or done // step > (done - SIMILARITY_PAIRS_MAX) // step:
        sys.stderr.write(f"compared {done:,} of {total:,} pairs\n")
