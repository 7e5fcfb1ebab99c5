"""Pooling, caching and the bounded queue before the model."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from gather_brain.embeddings.embedder import Embedder, VectorCache
from gather_brain.embeddings.onnx_model import has_vnni, padded, pooled
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.thread_provider import TEXTS_PER_TURN, WAITING_MAX, ThreadProvider
from gather_brain.errors import UnavailableError
from gather_brain.vectors import Matrix, unit_rows

LONG = 100


class LengthModel:
    """A model whose vector is the text's length; it remembers what it was asked."""

    name = "length"
    dimensions = 2

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.asked: list[list[str]] = []
        self.asked_whether: list[list[str]] = []
        self.gate = gate

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one row for each text."""
        if self.gate:
            self.gate.wait(10)
        self.asked.append(list(texts))
        return unit_rows(np.array([[len(text), 1] for text in texts], np.float32))

    def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Say that it cannot read long texts."""
        self.asked_whether.append(list(texts))
        return [Unread.LANGUAGE if len(text) > LONG else None for text in texts]


def test_padding_fills_with_zeros_and_the_mask_knows() -> None:
    """Shape (rows, longest)."""
    ids, mask = padded([[1, 2, 3], [4]])
    assert ids.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_pooling_counts_no_padding() -> None:
    """A short text in a batch with a long one keeps its vector."""
    hidden = np.array([[[1, 0], [0, 1]], [[2, 0], [9, 9]]], np.float32)
    assert pooled(hidden, np.array([[1, 1], [1, 0]])).tolist() == [[1, 1], [2, 0]]


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("processor\t: 0\nmodel name\t: avx_vnni\nflags\t\t: fpu avx2\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("", False),
    ],
    ids=["512 bits", "256 bits", "none", "not x86", "not Linux"],
)
def test_processors_that_sum_8_bit_products_exactly_are_known(cpuinfo: str, expected: bool) -> None:
    """On any other the exact way is chosen, which is slower."""
    assert has_vnni(cpuinfo) is expected


def test_rows_of_zeros_stay_zero() -> None:
    """No division by nothing."""
    assert unit_rows(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


async def test_equal_texts_are_computed_once_and_remembered() -> None:
    """Coverage asks for the same sentences in every iteration."""
    model = LengthModel()
    embedder = Embedder(ThreadProvider(model), VectorCache(10))
    rows = await embedder.embed(["a", "bb", "a"])
    again = await embedder.embed(["bb", "a"])
    await embedder.close()
    assert rows.shape == (3, 2)
    assert (rows[0] == rows[2]).all()
    assert (again[1] == rows[0]).all()
    assert model.asked == [["a", "bb"]]


async def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    """Memory does not grow with the number of texts."""
    model = LengthModel()
    embedder = Embedder(ThreadProvider(model), VectorCache(2))
    for text in ("a", "b", "c", "a"):
        await embedder.embed([text])
    await embedder.close()
    assert model.asked == [["a"], ["b"], ["c"], ["a"]]


async def test_no_texts_give_no_rows() -> None:
    """Coverage of no items asks for none."""
    embedder = Embedder(ThreadProvider(LengthModel()), VectorCache(2))
    assert (await embedder.embed([])).shape == (0, 2)
    await embedder.close()


async def test_a_short_request_overtakes_the_rest_of_a_long_one() -> None:
    """A batch of fifty must not make a search wait for all of it."""
    model = LengthModel()
    provider = ThreadProvider(model)
    long = [f"text {index}" for index in range(TEXTS_PER_TURN * 4)]
    await asyncio.gather(provider.embed(long), provider.embed(["search"]))
    await provider.close()
    assert model.asked.index(["search"]) == 1


async def test_requests_beyond_the_queue_are_refused() -> None:
    """Every queue is limited."""
    gate = threading.Event()
    provider = ThreadProvider(LengthModel(gate))
    waiting = [asyncio.create_task(provider.embed([str(index)])) for index in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await provider.embed(["one more"])
    gate.set()
    await asyncio.gather(*waiting)
    await provider.close()


async def test_texts_that_the_model_cannot_read_are_counted_by_their_reason() -> None:
    """Each time they are written or searched for."""
    seen: list[Unread] = []
    embedder = Embedder(ThreadProvider(LengthModel()), VectorCache(2), observe_unread=seen.append)
    assert await embedder.readable(["a", "b" * (LONG + 1)]) == [True, False]
    assert seen == [Unread.LANGUAGE]
    assert await embedder.readable(["b" * (LONG + 1)]) == [False]
    assert seen == [Unread.LANGUAGE, Unread.LANGUAGE]


async def test_a_model_is_asked_once_whether_it_can_read_a_text() -> None:
    """A department's notes are asked about again after each iteration."""
    model = LengthModel()
    embedder = Embedder(ThreadProvider(model), VectorCache(2))
    assert await embedder.readable(["a", "a", "b" * (LONG + 1)]) == [True, True, False]
    assert await embedder.readable(["b" * (LONG + 1), "c"]) == [False, True]
    assert model.asked_whether == [["a", "b" * (LONG + 1)], ["c"]]
