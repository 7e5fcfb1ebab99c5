"""The brain's embedding model with nothing around it, on as many threads as a brain gives it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gather_brain.embeddings.onnx_model import OnnxModel
from gather_brain.embeddings.settings import ModelSettings
from gather_brain.vectors import Matrix


class BareModel:
    """Embeds texts, without cache, turns or queue; to be used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._model = OnnxModel(folder, None)
        self._lanes = ModelSettings().embedding_threads
        self._threads = ThreadPoolExecutor(self._lanes)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row for each text; each thread takes every so-manieth."""
        if not texts:
            return np.zeros((0, self._model.dimensions), np.float32)
        lanes = [texts[lane :: self._lanes] for lane in range(min(self._lanes, len(texts)))]
        rows = np.zeros((len(texts), self._model.dimensions), np.float32)
        for lane, made in enumerate(self._threads.map(self._model.embed, lanes)):
            rows[lane :: self._lanes] = made
        return rows
