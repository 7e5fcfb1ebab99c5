"""In which language a text seems to be, by its script and its small words; pure."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gather_clients.wording.word_tables import language_of

TEXTS_KEPT: Final = 2_000
SEEN_CHARS: Final = 1_500
"""Of a text; two hundred words say in which language it is."""
SHARE_MIN: Final = 0.2
"""Of Chinese and Japanese signs: no Japanese sentence has fewer kana, and no Chinese one has any."""

_SCRIPTS: Final = re.compile(
    "(?P<ja>[\u3040-\u30ff])|(?P<zh>[\u3400-\u9fff])|(?P<ko>[\uac00-\ud7af])|(?P<indic>[\u0900-\u097f])"
    "|(?P<th>[\u0e00-\u0e7f])|(?P<lo>[\u0e80-\u0eff])|(?P<my>[\u1000-\u109f])|(?P<km>[\u1780-\u17ff])"
    r"|(?P<other>[^\W\d_])"
)
WORDLESS: Final = frozenset({"th", "lo", "my", "km"})
"""Written without spaces, and not split into words here."""


@lru_cache(maxsize=TEXTS_KEPT)
def language_of_text(text: str) -> str | None:
    """Return the code of the text's language; None where neither script nor words say it.

    Chinese, Japanese, Korean, Thai, Lao, Burmese and Khmer are known by their scripts, all others by words.
    """
    seen = text[:SEEN_CHARS]
    scripts = Counter(str(found.lastgroup) for found in _SCRIPTS.finditer(seen))
    if not scripts:
        return None
    letters = scripts.total()
    if scripts["ja"] and scripts["ja"] + scripts["zh"] > letters / 2:
        return "ja" if scripts["ja"] >= SHARE_MIN * (scripts["ja"] + scripts["zh"]) else "zh"
    most, count = scripts.most_common(1)[0]
    if most not in {"other", "indic"} and count > letters / 2:
        return most
    found = language_of(seen, "")
    return "hi" if found is None and most == "indic" else found


def main_language(texts: Iterable[str]) -> str | None:
    """Return the language that most of the texts' letters are in; None if that is not clear."""
    letters = Counter[str | None]()
    for text in texts:
        letters[language_of_text(text)] += len(text)
    return letters.most_common(1)[0][0] if letters else None
