"""A model that blocks, as a provider: off the event loop, in short turns, with a bounded queue."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import numpy as np

from gather_brain.errors import UnavailableError
from gather_brain.vectors import Matrix

TEXTS_PER_TURN: Final = 16
"""A long batch gives way after so many texts (0.2 s of 110 tokens each), so that searches need not wait."""
WAITING_MAX: Final = 64
"""Requests that wait for the model: beyond it the last would wait longer than its caller does."""


class BlockingModel(Protocol):
    """A model whose `embed` blocks, one call at a time."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row for each text."""


class ThreadProvider:
    """Runs a blocking model in one thread of its own, in turns that are short and fair."""

    def __init__(self, model: BlockingModel, observe: Callable[[str, float], None] | None = None) -> None:
        """`observe` is told the model's name and the seconds that each request took, waiting included."""
        self._model = model
        self._observe = observe
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def dimensions(self) -> int:
        return self._model.dimensions

    async def prepare(self) -> None:
        """Do nothing: the model is loaded."""

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row for each text.

        Raises:
            UnavailableError: too many requests wait for the model already.
        """
        if self._waiting >= WAITING_MAX:
            raise UnavailableError(retry_after_s=5)
        self._waiting += 1
        started = time.perf_counter()
        try:
            turns = [
                await self._one_turn(texts[start : start + TEXTS_PER_TURN])
                for start in range(0, len(texts), TEXTS_PER_TURN)
            ]
        finally:
            self._waiting -= 1
            if self._observe:
                self._observe(self.name, time.perf_counter() - started)
        return np.concatenate(turns) if turns else np.zeros((0, self.dimensions), np.float32)

    async def _one_turn(self, texts: Sequence[str]) -> Matrix:
        async with self._turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._model.embed, texts)

    async def close(self) -> None:
        """Wait for the turn under way and end the thread."""
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
