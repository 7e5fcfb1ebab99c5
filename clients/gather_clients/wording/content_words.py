"""The words that carry a text's meaning, also where no spaces part them; pure."""

import re
from collections.abc import Iterator
from typing import Final

from gather_clients.wording.word_tables import fillers, folded, function_words, negations

_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff\u0f71-\u0fbc])*")
"""With the vowel signs of Indic scripts, which are no letters to `re`, and without their full stop."""
_CHINESE: Final = re.compile("[\u3400-\u9fff]+")
_CHINESE_FUNCTION: Final = re.compile(
    "[的了着过得地在是和与及或而但也都就还又很最更不没有这那哪个些把被让给对从到向为因所以于其之并且则吗呢吧啊她他它我你您们一]"
)
_JAPANESE: Final = re.compile("[\u3400-\u9fff々]+|[\u30a1-\u30ff]{2,}")
"""Runs of Chinese signs or of katakana: what stands between them in hiragana is mostly grammar."""
CHINESE_WORD_SIGNS: Final = 2
"""Most Chinese words of meaning have two signs."""


def content_words(text: str, language: str | None) -> Iterator[str]:
    """Yield the words of meaning, folded; of other scripts without spaces, runs."""
    if language == "ja":
        yield from _JAPANESE.findall(text)
    elif language == "zh":
        yield from _chinese_words(text)
    else:
        small = fillers(language) | function_words(language) | negations(language)
        yield from (word for word in _WORD.findall(folded(text)) if len(word) > 1 and word not in small)


def _chinese_words(text: str) -> Iterator[str]:
    """Yield pairs of signs between signs that are mostly grammar: about as many as there are words."""
    for run in _CHINESE.findall(text):
        for part in _CHINESE_FUNCTION.split(run):
            for start in range(0, len(part), CHINESE_WORD_SIGNS):
                yield part[start : start + CHINESE_WORD_SIGNS]
