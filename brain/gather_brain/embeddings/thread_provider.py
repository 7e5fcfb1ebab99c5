"""A model that blocks, as a provider: off the event loop, in short turns, with a bounded queue."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import numpy as np

from gather_brain.embeddings.backlog import Backlog, Work
from gather_brain.embeddings.embedder import Keep, keep_nothing
from gather_brain.embeddings.fair_queue import FairQueue, Flow
from gather_brain.embeddings.readability import Unread
from gather_brain.errors import UnavailableError
from gather_brain.vectors import Matrix

CHARACTERS_PER_TURN: Final = 1000
"""A long batch gives way after so many (20 ms on one core: 220 tokens), so that searches need not wait; one
text is never split."""
TEXTS_PER_TURN: Final = 16
"""The same for texts so short that their number is what they cost."""
CHARACTERS_PER_TEXT: Final = 20
"""What a text costs beside its characters (0.4 ms)."""
WAITING_MAX: Final = 64
"""Requests under way at a time, each of which holds its texts in memory."""
WAIT_MAX_S: Final = 8.0
"""How long others may hold a request up before it is refused instead: callers wait for 15 to 20 s, and what
is computed after they have gone keeps everybody else waiting."""
WORK_MAX_S: Final = 12.0
"""How long a request is worked on: a hundred texts of 8,000 characters take minutes, and callers wait 15 s.
What was made by then is kept, and the next attempt goes on from there."""
UNFINISHED_RETRY_S: Final = 1
RETRY_MIN_S: Final = 5
RETRY_MAX_S: Final = 30
"""Least and most of what `Retry-After` says to a refused caller."""


class BlockingModel(Protocol):
    """A model whose `embed` blocks the thread that calls it."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row for each text."""

    def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Return, for each text, why the model cannot read it; None: it can, or that is not clear."""


class ThreadProvider:
    """Runs a blocking model in threads of its own, in turns that are short and fair."""

    def __init__(
        self, model: BlockingModel, observe: Callable[[str, float], None] | None = None, threads: int = 1
    ) -> None:
        """`observe` gets the model's name and the seconds that each request took, waiting included.

        With more than one thread the model must allow calls from all of them at once.
        """
        self._model = model
        self._observe = observe
        self._lanes = threads
        self._queue = FairQueue(threads)
        self._backlog = Backlog(threads)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="embedding")

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def dimensions(self) -> int:
        return self._model.dimensions

    async def prepare(self) -> None:
        """Do nothing: the model is loaded."""

    async def embed(self, texts: Sequence[str], keep: Keep = keep_nothing) -> Matrix:
        """Return one unit row for each text; `keep` gets each turn's as soon as they are made.

        Raises:
            UnavailableError: others would hold this request up for longer than its caller waits, or it is
                longer than that by itself.
        """
        whole = cost(texts)
        wait_s = self._backlog.wait_s(whole)
        if len(self._backlog) >= WAITING_MAX or wait_s > WAIT_MAX_S:
            raise UnavailableError(retry_after_s=min(RETRY_MAX_S, max(RETRY_MIN_S, round(wait_s))))
        started = time.perf_counter()
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        parts, flow = parts_of(texts), self._queue.join()
        with self._backlog.work(whole) as work:
            lanes = [
                asyncio.create_task(self._fill(rows, texts, parts, flow, work, keep=keep))
                for _ in range(self._lanes)
            ]
            try:
                async with asyncio.timeout(WORK_MAX_S):
                    await asyncio.gather(*lanes)
            except TimeoutError:
                raise UnavailableError(UNFINISHED_RETRY_S) from None
            finally:
                for lane in lanes:
                    lane.cancel()
                if self._observe:
                    self._observe(self.name, time.perf_counter() - started)
        return rows

    async def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Return, for each text, why the model cannot read it; None: it can, or that is not clear."""
        return await asyncio.to_thread(self._model.unread, texts)

    async def _fill(
        self,
        rows: Matrix,
        texts: Sequence[str],
        parts: Iterator[slice],
        flow: Flow,
        work: Work,
        *,
        keep: Keep,
    ) -> None:
        """Take one part after the other, as the other lanes of the same request do."""
        for part in parts:
            turn = cost(texts[part])
            async with self._queue.turn(flow, turn):
                began = time.perf_counter()
                rows[part] = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._model.embed, texts[part]
                )
                keep(texts[part], rows[part])
                self._backlog.served(work, turn, time.perf_counter() - began)

    async def close(self) -> None:
        """Wait for the turns under way and end the threads."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)


def cost(texts: Sequence[str]) -> int:
    """Return what it takes to embed the texts, in characters."""
    return sum(len(text) + CHARACTERS_PER_TEXT for text in texts)


def parts_of(texts: Sequence[str]) -> Iterator[slice]:
    """Yield the turns that the texts are embedded in, in their order; each has one text at least."""
    start, characters = 0, 0
    for index, text in enumerate(texts):
        full = index - start >= TEXTS_PER_TURN or characters + len(text) > CHARACTERS_PER_TURN
        if full and index > start:
            yield slice(start, index)
            start, characters = index, 0
        characters += len(text)
    if start < len(texts):
        yield slice(start, len(texts))
