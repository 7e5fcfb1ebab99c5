"""A blocking model in threads: what goes into one turn, and what comes of it."""

import asyncio
import itertools
import threading
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.embeddings import thread_provider as module
from gather_brain.embeddings.embedder import Embedder, VectorCache
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.thread_provider import (
    CHARACTERS_PER_TURN,
    TEXTS_PER_TURN,
    ThreadProvider,
    parts_of,
)
from gather_brain.errors import UnavailableError
from gather_brain.vectors import Matrix


class CountingModel:
    """A model whose vector is the text as a number; it waits until so many threads are in it, if told."""

    name = "counting"
    dimensions = 1

    def __init__(self, together: int = 1) -> None:
        self._barrier = threading.Barrier(together)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one row for each text."""
        self._barrier.wait(10)
        return np.array([[float(text)] for text in texts], np.float32)

    def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Say that it can read all."""
        return [None] * len(texts)


class BrokenModel:
    """A model that fails."""

    name = "broken"
    dimensions = 1

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Fail."""
        raise ValueError(f"cannot read {texts[0]}")

    def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Say that it can read all."""
        return [None] * len(texts)


@given(st.lists(st.integers(0, 3 * CHARACTERS_PER_TURN).map("x".__mul__), max_size=60))
def test_turns_cover_all_texts_in_their_order_and_are_short(texts: list[str]) -> None:
    """A turn holds more than its bound only if it holds one text."""
    parts = [texts[part] for part in parts_of(texts)]
    assert [text for part in parts for text in part] == texts
    for part in parts:
        assert 1 <= len(part) <= TEXTS_PER_TURN
        assert len(part) == 1 or sum(map(len, part)) <= CHARACTERS_PER_TURN


async def test_rows_come_back_in_the_order_of_the_texts() -> None:
    """Whichever thread computed them."""
    provider = ThreadProvider(CountingModel(), threads=3)
    texts = [str(number) for number in range(TEXTS_PER_TURN * 5 + 1)]
    rows = await provider.embed(texts)
    await provider.close()
    assert rows[:, 0].tolist() == [float(text) for text in texts]


async def test_one_request_is_computed_in_all_threads() -> None:
    """Each turn here waits for another one beside it."""
    provider = ThreadProvider(CountingModel(together=2), threads=2)
    rows = await provider.embed(["1"] * TEXTS_PER_TURN * 2)
    await provider.close()
    assert rows.shape == (TEXTS_PER_TURN * 2, 1)


async def test_a_models_failure_reaches_the_caller() -> None:
    """As it was raised, and the next request is answered by the same threads."""
    provider = ThreadProvider(BrokenModel(), threads=2)
    for _ in range(3):
        with pytest.raises(ValueError, match="cannot read 1"):
            await provider.embed(["1"] * TEXTS_PER_TURN * 4)
    await provider.close()


class HeldModel(CountingModel):
    """A model that waits until it may go on."""

    name = "held"

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return zeros."""
        assert self.may_go_on.wait(10)
        return np.zeros((len(texts), 1), np.float32)


class StoppedModel(CountingModel):
    """A model that stops in its second turn until it may go on."""

    name = "stopped"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.has_stopped, self.may_go_on = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return zeros."""
        self.asked += [text[-1] for text in texts]
        if len(self.asked) == 2:
            self.has_stopped.set()
            assert self.may_go_on.wait(30)
        return np.zeros((len(texts), 1), np.float32)


async def test_a_request_longer_than_its_caller_waits_goes_on_with_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is refused when its time is over, and what was made by then is not made again."""
    limits, timeout = list[asyncio.Timeout](), asyncio.timeout

    def limited(_: float) -> asyncio.Timeout:
        limits.append(timeout(None))
        return limits[-1]

    monkeypatch.setattr(asyncio, "timeout", limited)
    model, texts = StoppedModel(), ["x" * CHARACTERS_PER_TURN + str(number) for number in range(3)]
    embedder = Embedder(ThreadProvider(model), VectorCache(10))
    first = asyncio.create_task(embedder.embed(texts))
    assert await asyncio.to_thread(model.has_stopped.wait, 30)
    limits[0].reschedule(0)
    with pytest.raises(UnavailableError) as refused:
        await first
    assert refused.value.retry_after_s == module.UNFINISHED_RETRY_S
    model.may_go_on.set()
    assert (await embedder.embed(texts)).shape == (3, 1)
    await embedder.close()
    assert "".join(model.asked) == "0112"


async def test_a_request_is_refused_that_would_wait_longer_than_its_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long one behind long ones; a short one goes between their turns, and long ones come in afterwards."""
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    model = HeldModel()
    provider = ThreadProvider(model)
    model.may_go_on.set()
    await provider.embed(["x" * 180])  # A turn of 200 units takes a second of that clock, or 5 ms a unit.
    model.may_go_on.clear()
    long = ["x" * 980] * 3
    under_way = [asyncio.create_task(provider.embed(long)) for _ in range(1)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError) as refused:
        await provider.embed(long)
    assert refused.value.retry_after_s == 15
    under_way.append(asyncio.create_task(provider.embed(["x" * 100])))
    await asyncio.sleep(0)
    model.may_go_on.set()
    await asyncio.gather(*under_way)
    await provider.embed(long)
    await provider.close()
