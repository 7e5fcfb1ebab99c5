"""Vectors for texts: a provider behind a cache.

A provider is a local model or, behind the same protocol, a remote endpoint; whatever it is, its name and
dimensions stand on every node that it embedded.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from gather_brain.vectors import Matrix


class EmbeddingProvider(Protocol):
    """Something that turns texts into vectors."""

    @property
    def name(self) -> str:
        """The model's name, kept on every node."""

    @property
    def dimensions(self) -> int:
        """The length of a vector."""

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row for each text."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Embedder:
    """A provider with a cache of the vectors used last, by the text's hash."""

    def __init__(
        self,
        provider: EmbeddingProvider,
        cache_entries: int,
        observe: Callable[[str, int], None] | None = None,
    ) -> None:
        """`observe` is told how many texts were "hit" and how many were "miss"."""
        self._provider = provider
        self._cache_entries = cache_entries
        self._observe = observe
        self._cache: OrderedDict[bytes, Matrix] = OrderedDict()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._provider.name

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return self._provider.dimensions

    async def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row of float32 for each text, in their order; equal texts are computed once."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        known = {key: self._cache[key] for key in keys if key in self._cache}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if self._observe:
            self._observe("hit", len(texts) - len(missing))
            self._observe("miss", len(missing))
        if missing:
            rows = await self._provider.embed(list(missing.values()))
            known.update(zip(missing, rows, strict=True))
        self._remember(known)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, self.dimensions), np.float32)

    def _remember(self, used: dict[bytes, Matrix]) -> None:
        for key, row in used.items():
            # A copy, since a row is a view that would keep its whole batch alive.
            self._cache.setdefault(key, row.copy())
            self._cache.move_to_end(key)
        while len(self._cache) > self._cache_entries:
            self._cache.popitem(last=False)

    async def close(self) -> None:
        """Close the provider."""
        await self._provider.close()
