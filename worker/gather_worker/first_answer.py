"""What the model's first answer needs, made ready on a thread while it is waited for.

The event loop is idle then. Before the first request each millisecond would be one of the start
(`tests/unit/worker/test_start.py` keeps these modules out of it), after the answer one of the iteration.
"""

import importlib
import threading
from collections.abc import Sequence
from typing import Final

from gather_worker.duplicates.word_overlap import HASHES_KEPT, copy_key

LATER: Final = ("gather_worker.llm.salvage", "gather_worker.steps.deduplicating")
"""With what they import: the reader of answers, and 12 modules that compare texts."""
THREAD: Final = "first answer"


class FirstAnswer:
    """Makes it ready once; who needs a module earlier imports it in the usual way."""

    def __init__(self) -> None:
        self._is_begun = False

    def begin(self, texts: Sequence[str]) -> None:
        """Begin, unless it was begun; `texts` are those that new notes are compared with."""
        if not self._is_begun:
            self._is_begun = True
            threading.Thread(target=make_ready, args=(texts,), name=THREAD, daemon=True).start()


def make_ready(texts: Sequence[str]) -> None:
    """Import the modules, and let them remember what the first comparison would compute.

    On a slow processor the tables of words that the first pair reads are 60 ms, and the hashes of 500 notes
    50 ms.
    """
    for name in LATER:
        importlib.import_module(name)
    importlib.import_module("gather_clients.wording.differences").telling_differences("a lamp", "a light")
    for text in texts[-HASHES_KEPT:]:
        copy_key(text)
