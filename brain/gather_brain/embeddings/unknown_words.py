"""What a model cannot read, as a vector made of its characters; pure.

To the model all such words are one, [UNK]: without this any two sentences of Thai, which writes no spaces, or
of Tamil would have the same vector. A word is the sum of one vector for each three characters that follow one
another in it, so that words are as near as they look. It knows no meaning.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gather_brain.vectors import Matrix

WORD_MAX: Final = 100
"""Characters of a word that count; a line of Thai is one word to the model."""
FULL_WORD: Final = 16
"""Characters from which on a word weighs no more: one endless word is not what a text is about."""
CHARACTERS_MAX: Final = 2048
"""Of a longer text so many are looked at, in pieces that are spread over all of it: 12 ms at most."""
PIECES: Final = 4
MODEL_SHARE: Final = 0.5
"""How much of a similarity is the network's own where it cannot read the language."""
WORD: Final = re.compile(r"[^\s!-/:-@\[-`{-~«»„“”‘’…–—।،؟۔]+")  # noqa: RUF001 - punctuation is meant
"""Not `\\w`, which leaves out the vowel signs of Indic scripts."""
PAIRED: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Kana and Han."""
EDGE: Final = "\x00"
"""Stands before and behind each word, so that a single character is three, too."""
BASE: Final = np.uint64(0x100000001B3)
"""Three characters are three digits of a number with this base."""


def pieces_of(text: str) -> list[str]:
    """Return what of a text is looked at: all of it, or pieces from its beginning to its end."""
    if len(text) <= CHARACTERS_MAX:
        return [text]
    size = CHARACTERS_MAX // PIECES
    step = (len(text) - size) / (PIECES - 1)
    return [text[round(place * step) :][:size] for place in range(PIECES)]


def words_vector(words: Sequence[str], dimensions: int) -> Matrix:
    """Return the sum of the words' vectors, about as long as the root of the number of their characters."""
    seen = [folded for word in words if (folded := _folded(word))]
    if not seen:
        return np.zeros(dimensions, np.float32)
    lengths = np.array([len(word) for word in seen])
    weights = np.repeat(np.minimum(1.0, np.sqrt(FULL_WORD / lengths)), lengths).astype(np.float32)
    threes = _threes(EDGE.join(["", *seen, ""]))
    # The highest bit of a product is a fair coin, and another one for each constant.
    coins = (threes[:, np.newaxis] * _constants(dimensions)).view(np.int64) < 0
    total: Matrix = (2 * (weights @ coins) - weights.sum()) * np.float32(dimensions**-0.5)
    return total


def marked_words(text: str) -> list[str]:
    """Return the words with accents or vowel signs: a tokenizer may take those away ("peña" is "pena")."""
    return [
        word
        for word in WORD.findall(text)
        if not word.isascii() and any(map(unicodedata.combining, unicodedata.normalize("NFD", word)))
    ]


def mixed(row: Matrix, text: str) -> Matrix:
    """Return the unit row of a text in a language that its model was not made for: characters count, too.

    The network sees there how a text looks, and finds most of one language alike.
    """
    pieces = [piece for part in pieces_of(text) for word in WORD.findall(part) for piece in segments(word)]
    characters = words_vector(pieces, len(row))
    length = float(np.linalg.norm(characters))
    if not length:
        return row
    result: Matrix = MODEL_SHARE**0.5 * row + (1 - MODEL_SHARE) ** 0.5 / length * characters
    return result / np.float32(np.linalg.norm(result))


def segments(word: str) -> list[str]:
    """Return what a run of letters is cut into: Chinese and Japanese into pairs of signs, others not at all.

    A word is one or two signs there, and no mark says where it ends. Of Thai, Khmer, Lao and Burmese each
    three characters in a row count, as of all words.
    """
    if not PAIRED.search(word):
        return [word[start : start + WORD_MAX] for start in range(0, len(word), WORD_MAX)]
    return [word[start : start + 2] for start in range(max(len(word) - 1, 1))]


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKC", word[:WORD_MAX].replace(EDGE, "")).casefold()[:WORD_MAX]


def _threes(joined: str) -> NDArray[np.uint64]:
    """Return a number for each character of the words, made of it, the one before and the one behind."""
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    numbers: NDArray[np.uint64] = ((codes[:-2] * BASE + codes[1:-1]) * BASE + codes[2:])[
        codes[1:-1] != ord(EDGE)
    ]
    # Spread over all bits. Source: the finalizer of SplitMix64.
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


@cache
def _constants(dimensions: int) -> NDArray[np.uint64]:
    """Return an odd number for each dimension, the same in all processes and versions."""
    drawn = hashlib.shake_256(b"words that no vocabulary has").digest(8 * dimensions)
    return np.frombuffer(drawn, "<u8").astype(np.uint64) | np.uint64(1)
