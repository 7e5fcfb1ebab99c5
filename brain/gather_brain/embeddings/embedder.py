"""Vectors for texts: a provider behind a cache.

A provider is a local model or, behind the same protocol, a remote endpoint. Its name and
dimensions stand on every node that it embedded.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from gather_brain.embeddings.readability import Unread
from gather_brain.vectors import Matrix

T = TypeVar("T")

REASONS_KEPT: Final = 5_000
"""Texts of which it is known whether a model can read them, 1 MB: a department's notes are asked about again
after each iteration."""
Keep = Callable[[Sequence[str], Matrix], None]
"""Takes texts and their rows."""


def keep_nothing(_texts: Sequence[str], _rows: Matrix) -> None:
    """Take texts and their rows, and do nothing."""


class EmbeddingProvider(Protocol):
    """Something that turns texts into vectors."""

    @property
    def name(self) -> str:
        """The model's name, kept on every node."""

    @property
    def dimensions(self) -> int:
        """The length of a vector; known after `prepare`."""

    async def prepare(self) -> None:
        """Find out what must be known before the first text; more than once does nothing.

        Raises:
            UnavailableError: it cannot be known now.
        """

    async def embed(self, texts: Sequence[str], keep: Keep = keep_nothing) -> Matrix:
        """Return one unit row for each text; `keep` gets each part as soon as it is made.

        Raises:
            UnavailableError: not all could be made in time; what was made was given to `keep`.
        """

    async def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Return, for each text, why the model cannot read it; None: it can, or nobody knows."""

    async def close(self) -> None:
        """Release what it holds."""


class TextCache(Generic[T]):
    """What models made of the texts used last, each under its model's name and its text's hash."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: OrderedDict[tuple[str, bytes], T] = OrderedDict()

    def known(self, model: str, texts: Sequence[str]) -> dict[str, T]:
        """Return what is known, by text, and keep it as what was used last."""
        found = {}
        for text in dict.fromkeys(texts):
            key = _key(model, text)
            if key in self._values:
                found[text] = self._values[key]
                self._values.move_to_end(key)
        return found

    def remember(self, model: str, texts: Sequence[str], values: Iterable[T]) -> None:
        """Keep new values as those used last."""
        for text, value in zip(texts, values, strict=True):
            self._values[_key(model, text)] = value
        while len(self._values) > self._entries:
            self._values.popitem(last=False)


def _key(model: str, text: str) -> tuple[str, bytes]:
    return model, hashlib.sha256(text.encode()).digest()


class VectorCache(TextCache[Matrix]):
    """The vectors used last, of all models together."""

    def remember(self, model: str, texts: Sequence[str], values: Iterable[Matrix]) -> None:
        """Keep new vectors; copies of them, since a row is a view that would keep its whole batch alive."""
        super().remember(model, texts, (row.copy() for row in values))


class Embedder:
    """A provider behind the cache."""

    def __init__(
        self,
        provider: EmbeddingProvider,
        cache: VectorCache,
        observe: Callable[[str, int], None] | None = None,
        observe_unread: Callable[[Unread], None] | None = None,
    ) -> None:
        """`observe` gets how many texts were "hit" and how many were "miss", `observe_unread` each text that
        the model cannot read.
        """
        self._provider = provider
        self._cache = cache
        self._observe = observe
        self._observe_unread = observe_unread
        self._reasons: TextCache[Unread | None] = TextCache(REASONS_KEPT)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._provider.name

    @property
    def dimensions(self) -> int:
        """The length of a vector; known after `prepare`."""
        return self._provider.dimensions

    async def prepare(self) -> None:
        """Prepare the provider."""
        await self._provider.prepare()

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row of float32 for each text, in their order; equal texts are computed once.

        What was made before a failure is kept, so that a request that is too long for one attempt comes
        further with each.

        Raises:
            UnavailableError: the provider cannot serve now, or not in the time that callers wait.
        """
        known = self._cache.known(self.name, texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if self._observe:
            self._observe("hit", len(texts) - len(missing))
            self._observe("miss", len(missing))
        if missing:
            rows = await self._provider.embed(missing, partial(self._cache.remember, self.name))
            known |= dict(zip(missing, rows, strict=True))
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return np.stack([known[text] for text in texts])

    async def readable(self, texts: Sequence[str]) -> list[bool]:
        """Return, for each text, whether the model can read it, as far as is known."""
        known = self._reasons.known(self.name, texts)
        if missing := [text for text in dict.fromkeys(texts) if text not in known]:
            found = await self._provider.unread(missing)
            self._reasons.remember(self.name, missing, found)
            known |= dict(zip(missing, found, strict=True))
        reasons = [known[text] for text in texts]
        for reason in reasons:
            if reason is not None and self._observe_unread:
                self._observe_unread(reason)
        return [reason is None for reason in reasons]

    async def close(self) -> None:
        """Close the provider."""
        await self._provider.close()
