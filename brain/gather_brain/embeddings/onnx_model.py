"""A sentence-embedding model from a folder, run by ONNX Runtime on the CPU.

A model whose input holds one text is given one at a time; with any other, texts of like length go through the
network together. A text longer than the model's window is cut into windows whose token vectors are averaged,
so that two long texts with one beginning are not the same; a very long one is embedded by windows that are
spread over all of it.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from gather_brain.embeddings.onnx_runtime import InferenceSession, SessionOptions
from gather_brain.embeddings.readability import Unread, unread
from gather_brain.embeddings.unknown_words import marked_words, mixed, pieces_of, words_vector
from gather_brain.vectors import Matrix, unit_rows

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
"""A turn has one thread; tokenizers would take one for each core to read its texts."""

WINDOWS_MAX: Final = 4
"""Of a text, spread evenly over all of it: of English, 4,000 characters are counted whole.
Bounds a request's cost in any language: 8,000 Chinese characters would be 32 windows."""
TOKENS_PER_RUN: Final = 512
"""Padding included, of a model that takes many texts. More gains nothing (texts of 110 tokens by a network in
32 bits: 40, 43, 43, 38 a second of one core at 128, 256, 512, 1024), and a run's memory grows with it."""
VNNI: Final = frozenset({"avx512_vnni", "avx_vnni"})
"""Instructions of x86 processors that sum 8-bit products in 32 bits, as Linux calls them."""
MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
CONFIG_FILE: Final = "config.json"
KNOWN_WEIGHT: Final = 0.52
"""How long the sum of a text's token vectors is for each token, to the length of one: they point much the
same way. Measured on 30 film notes: 0.47 to 0.60."""
MARKED, UNMARKED = "peña", "pena"
"""Two words, and one to a tokenizer that takes accents away."""


class ModelConfig(BaseModel):
    """What a model's folder says of it; all of it may be missing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str | None = Field(default=None, min_length=1, max_length=128)
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """A window's length; 256 is all-MiniLM-L6-v2's own `max_seq_length`."""
    pooling: Literal["mean", "cls"] = "mean"
    """A text's vector: the mean of all its tokens', or that of the token that stands before it."""
    prefix: str = Field(default="", max_length=64)
    """Words that the model was trained to find before every text, such as "query: "."""
    unknown: str = Field(default="[UNK]", min_length=1, max_length=16)
    """The token of all words that the vocabulary lacks, if the model has one."""
    languages: frozenset[str] = frozenset()
    """Those that the model was made for, by their codes; none: the folder does not say."""


class ModelError(Exception):
    """The model's folder cannot be used; the message says why."""


class OnnxModel:
    """A loaded model; `embed` blocks, and computes in the thread that calls it: any number may at a time."""

    def __init__(self, folder: Path, name: str | None) -> None:
        """Load the model; without `name` it is called what its folder calls it, or as its folder is called.

        Raises:
            ModelError: a file is missing or is not what it should be.
        """
        try:
            self._load(folder)
            path = folder / CONFIG_FILE
            config = ModelConfig.model_validate_json(path.read_bytes()) if path.exists() else ModelConfig()
        except Exception as failure:  # ONNX Runtime and tokenizers raise plain and private exceptions
            raise ModelError(f"the embedding model in {folder} cannot be loaded: {failure}") from failure
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._pooling = config.pooling
        self._languages = config.languages
        self._takes_marks = self._tokenizer.encode(MARKED).tokens == self._tokenizer.encode(UNMARKED).tokens
        self._unknown = self._tokenizer.token_to_id(config.unknown)
        self._before, self._after = _around(self._tokenizer, config.prefix)
        self._room = config.max_tokens - len(self._before) - len(self._after)
        self.name = name or config.name or folder.name
        self.dimensions = int(self._session.get_outputs()[0].shape[-1])

    def _load(self, folder: Path) -> None:
        options = SessionOptions()
        # Two texts in two threads take less time than two threads for one text after the other: each operator
        # would wait for the slower of them.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Otherwise the process would never give back the memory that one long batch needed.
        options.enable_cpu_mem_arena = False
        cpuinfo = Path("/proc/cpuinfo")
        if not has_vnni(cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""):
            # Sums of 8-bit products would be cut off at 16 bits (cosine to the right vector 0.991). This is
            # right everywhere, but half as fast where it is not needed.
            options.add_session_config_entry("session.x64quantprecision", "1")
        self._session = InferenceSession(
            str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )
        given = self._session.get_inputs()
        self._inputs = {each.name for each in given}
        self._tokens_per_run = 1 if given[0].shape[0] == 1 else TOKENS_PER_RUN
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row of float32 for each text, shape (len(texts), dimensions)."""
        # Together and without places in the text: a third less time, in which Python's other threads run.
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        windows = [
            (row, [*self._before, *window, *self._after])
            for row, encoding in enumerate(encodings)
            for window in windows_of(encoding.ids, self._room)
        ]
        sums = np.zeros((len(texts), self.dimensions), np.float32)
        for group in _groups(windows, self._tokens_per_run):
            ids, mask = padded([window for _, window in group])
            feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            hidden = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
            if self._pooling == "cls":
                hidden, mask = hidden[:, :1], mask[:, :1]
            # Sums rather than means: normalising makes them the same.
            for (row, _), total in zip(group, pooled(hidden, mask), strict=True):
                sums[row] += total
        rows = unit_rows(sums)
        for text, encoding, row in zip(texts, encodings, rows, strict=True):
            if self._reason(text, encoding.ids) is Unread.LANGUAGE:
                row[:] = mixed(row, text)
            elif self._unknown in encoding.ids or (self._takes_marks and not text.isascii()):
                self._add_unknown_words(text, row)
        return rows

    def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Return, for each text, why the model cannot read it; None: it can, or that is not clear."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [self._reason(text, encoding.ids) for text, encoding in zip(texts, encodings, strict=True)]

    def _reason(self, text: str, ids: Sequence[int]) -> Unread | None:
        return unread(text, ids, self._unknown, self._languages)

    def _add_unknown_words(self, text: str, row: Matrix) -> None:
        """Add to a text's unit row what the vocabulary lacks of the text, and what lost its accents."""
        words, known = [], len(self._before) + len(self._after)
        for piece in pieces_of(text):
            whole = self._tokenizer.encode(piece, add_special_tokens=False)
            found = [
                place for token, place in zip(whole.ids, whole.offsets, strict=True) if token == self._unknown
            ]
            words += [piece[start:end] for start, end in found]
            words += marked_words(piece) if self._takes_marks else []
            known += len(whole.ids) - len(found)
        if words:
            row *= KNOWN_WEIGHT * known
            row += words_vector(words, self.dimensions)
            row /= np.linalg.norm(row)


def has_vnni(cpuinfo: str) -> bool:
    """Return whether the first processor of `/proc/cpuinfo` sums 8-bit products in 32 bits."""
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return not VNNI.isdisjoint(flags.split())


def _around(tokenizer: Tokenizer, prefix: str) -> tuple[list[int], list[int]]:
    """Return the tokens that stand before every text, the prefix's among them, and those after it."""
    alone = tokenizer.encode("a", add_special_tokens=False).ids
    marked = tokenizer.encode("a").ids
    start = next(place for place in range(len(marked)) if marked[place : place + len(alone)] == alone)
    words = tokenizer.encode(prefix.strip(), add_special_tokens=False).ids
    return [*marked[:start], *words], marked[start + len(alone) :]


def windows_of(ids: Sequence[int], room: int) -> list[Sequence[int]]:
    """Return a text's windows of at most `room` tokens: all of it or, of a very long one, an even spread.

    Twenty texts of 2,000 tokens, against all of their windows: the similarity of two that differ in a part is
    off by 0.05 (root mean square; by 0.16 with the first four windows), and a passage of 350 characters finds
    its own text first in 73 of 100 cases (76 with all windows, 56 with the first four).
    """
    if len(ids) <= WINDOWS_MAX * room:
        return [ids[start : start + room] for start in range(0, max(len(ids), 1), room)]
    step = (len(ids) - room) / (WINDOWS_MAX - 1)
    return [ids[round(place * step) :][:room] for place in range(WINDOWS_MAX)]


def _groups(
    windows: Sequence[tuple[int, Sequence[int]]], tokens_per_run: int
) -> Iterator[list[tuple[int, Sequence[int]]]]:
    """Put windows of like length together, the longest first, as many as fit into one run; one at least."""
    by_length = sorted(windows, key=lambda pair: len(pair[1]), reverse=True)
    while by_length:
        size = max(1, tokens_per_run // len(by_length[0][1]))
        yield by_length[:size]
        by_length = by_length[size:]


def padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and mask of shape (rows, longest), filled up with 0 (BERT's padding token)."""
    longest = max(len(row) for row in rows)
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask


def pooled(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> Matrix:
    """Sum token vectors (n, tokens, d) where the mask (n, tokens) is 1; padding counts nothing."""
    total: Matrix = np.einsum("ntd,nt->nd", hidden, mask.astype(np.float32))
    return total
