"""Counts tokens with a real vocabulary, offline, and learns how far a model's own count is from it.

No vocabulary is every model's: budgets are counted with one, and what an endpoint reports as `prompt_tokens`
corrects them for its model. docs/prompts.md has the error against eight others, and why this vocabulary.
"""

import gzip
import math
from binascii import a2b_base64
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from gather_contracts.text_cleaning import BEYOND_LATIN

if TYPE_CHECKING:
    from tiktoken import Encoding

VOCABULARY: Final = "tokens.vocabulary.gz"
"""The first 32,768 tokens of Mistral's Tekken, one a line in base64 (dev/generate/token_vocabulary.py)."""
_WORDS: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Tekken cuts text into words before it looks tokens up."""
_CHUNK_CHARS: Final = 4000
"""Longer texts are counted in pieces, so that time grows with length alone; a cut costs one token at most."""
_REMEMBERED_CHARS: Final = 2000
_REMEMBERED: Final = 4096
"""Notes come again with every prompt, so their counts are remembered: a few MB of texts."""
RATIO_MAX: Final = 4.0
"""No model measured needs more than 3.1 times our count, in any script."""
_STEPS: Final = (1.0, 1.25, 1.5, 2.0, 3.0, RATIO_MAX)
"""Ratios are rounded up to one of these: else a prompt would be another one after each answer."""


@cache
def _encoding() -> "Encoding":
    """Return the vocabulary, loaded: 50 ms and 18 MB, paid by `warm_up` or the first count."""
    from tiktoken import Encoding  # noqa: PLC0415

    lines = gzip.decompress(files(__package__).joinpath(VOCABULARY).read_bytes()).split()
    ranks = dict(zip(map(a2b_base64, lines), range(len(lines)), strict=True))
    return Encoding("gather", pat_str=_WORDS, mergeable_ranks=ranks, special_tokens={})


def warm_up() -> None:
    """Load the vocabulary now, so that no later count waits for it."""
    _encoding()


def count_tokens(text: str) -> int:
    """Return how many tokens the text has, for any text; what looks like a control token counts as text.

    Time grows with the length alone: about 5 ms for 60,000 characters of English, 20 ms of Chinese.
    """
    return _remembered(text) if len(text) <= _REMEMBERED_CHARS else _counted(text)


def count_foreign_tokens(text: str) -> int:
    """Return how many of the text's tokens are in other scripts than Latin, where counts differ most."""
    return 0 if text.isascii() else count_tokens(" ".join(BEYOND_LATIN.findall(text)))


@lru_cache(maxsize=_REMEMBERED)
def _remembered(text: str) -> int:
    return _counted(text)


def _counted(text: str) -> int:
    encoding = _encoding()
    pieces = (text[start : start + _CHUNK_CHARS] for start in range(0, len(text), _CHUNK_CHARS))
    return sum(len(encoding.encode_ordinary(piece)) for piece in pieces)


class TokenRatios:
    """How many tokens a model reports for one of ours, by model; 1 until an answer of it was read."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}

    def observe(self, model: str, counted: int, reported: int) -> None:
        """Take in one answered request: our count of its messages, and its `usage.prompt_tokens`."""
        if counted <= 0 or reported <= 0:
            return
        before = self._sums.get(model, (0, 0))
        self._sums[model] = (before[0] + counted, before[1] + min(reported, math.ceil(counted * RATIO_MAX)))

    def ratio(self, model: str) -> float:
        """Return the model's ratio, 1 to `RATIO_MAX`, rounded up to a coarse step.

        Never below 1: a budget is a bound, and a model that needs fewer tokens keeps within it.
        """
        counted, reported = self._sums.get(model, (1, 1))
        return next(step for step in _STEPS if reported <= step * counted)
