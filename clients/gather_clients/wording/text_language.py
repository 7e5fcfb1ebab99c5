"""In which language a text seems to be, by its script and its small words; pure.

A small rule and no model: a script that one language uses decides, else the words that are frequent in few
languages do, and where neither is clear nothing is said. `python -m tests.evals.text_languages` measures it.
"""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from gather_clients.wording.word_tables import folded, tabled_words
from gather_contracts.text_cleaning import BEYOND_LATIN

TEXTS_KEPT: Final = 2_000
SEEN_CHARS: Final = 1_500
"""Of a text; two hundred words say in which language it is."""
LETTERS_MIN: Final = 2
"""Of a script that one language uses: two of Thai are Thai."""
SCRIPT_SHARE: Final = 0.5
KANA_SHARE: Final = 0.1
"""Japanese is written with Chinese characters too, Chinese never with these."""
VOTES_MIN: Final = 0.9
"""One word that no other language has, or several of a few languages."""
SURE_VOTES: Final = 2.3
"""Of a whole note, and of no beginning of one in another language, in each of 30 languages."""
LEAD: Final = 0.3
"""Of these votes, more than the next language has."""
CAPITAL_VOTE: Final = 0.7
"""Of a word that may be a name: "Ada" is a word of Indonesian."""
RARE: Final = frozenset({"af", "ca", "gl", "hr", "sl", "sr"})
RARE_VOTE: Final = 0.75
"""Of a word of these, beside which much more is written in a language that is nearly the same."""
CLEAR_MIN: Final = 1 / 3
"""Of several texts' letters, those of texts whose language is clear."""
WORDLESS: Final = frozenset({"th", "lo", "my", "km"})
"""Written without spaces, and not split into words here."""

_DEVANAGARI: Final = re.compile("[\u0900-\u097f]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f\u0900-\u0963\u0966-\u0dff]+[^\W\d_]*)*")
"""With the vowel signs of Indic scripts, which are no letters to `re`, and without their full stop."""


def language_name(code: str) -> str | None:
    """Return the English name of a language, None if it is unknown."""
    entry = _languages().get(code)
    return entry["name"] if entry else None


@lru_cache(maxsize=TEXTS_KEPT)
def language_of_text(text: str, votes_min: float = VOTES_MIN) -> str | None:
    """Return the code of the text's language; None where neither script nor words say it.

    With `SURE_VOTES` fewer texts have one, and fewer a wrong one.
    """
    seen = text[:SEEN_CHARS]
    return script_language(seen, LETTERS_MIN) or _by_words(seen, votes_min)


def language_of_pair(one: str, other: str) -> str | None:
    """Return the code of the language that two texts seem to be in together, None if that is not clear."""
    half = SEEN_CHARS // 2
    return language_of_text(f"{one[:half]}\n{other[:half]}")


def main_language(texts: Iterable[str], votes_min: float = VOTES_MIN) -> str | None:
    """Return the language of more than half of those texts' letters whose language is clear.

    None where there is no such language, or where too little is clear.
    """
    letters = Counter[str | None]()
    for text in texts:
        letters[language_of_text(text, votes_min)] += len(text)
    total = letters.total()
    clear = total - letters.pop(None, 0)
    if not letters or clear < CLEAR_MIN * total:
        return None
    language, most = letters.most_common(1)[0]
    return language if 2 * most > clear else None


def script_language(text: str, letters_min: int) -> str | None:
    """Return the language whose own script most letters of a text are of, if there are so many letters."""
    if not BEYOND_LATIN.search(text):
        return None
    letters = sum(map(str.isalpha, text))
    if letters < letters_min:
        return None
    shares = {code: len(script.findall(text)) / letters for code, script in _scripts().items()}
    if shares["ja"] > KANA_SHARE and shares["ja"] + shares["zh"] > SCRIPT_SHARE:
        return "ja"
    best = max(shares, key=lambda code: shares[code])
    return best if shares[best] > SCRIPT_SHARE else None


def frequent_words(words: Iterable[str]) -> Counter[str]:
    """Return how many of the words, in lower case, are among the most frequent of each language."""
    return Counter(code for word in words for code in _frequent_in().get(word, ()))


def _by_words(text: str, votes_min: float) -> str | None:
    """Return the language of the text's different words; one of n languages is worth 1/sqrt(n) to each."""
    known, votes = _known_in(), defaultdict[str, float](float)
    is_shouted = text.isupper()
    seen = {folded(word): word for word in reversed(_WORD.findall(unicodedata.normalize("NFKC", text)))}
    for word, written in seen.items():
        codes = known.get(word, ())
        vote = CAPITAL_VOTE if written[0].isupper() and not is_shouted else 1.0
        for code in codes:
            votes[code] += vote * (RARE_VOTE if code in RARE else 1) / len(codes) ** 0.5
    ranked = sorted(((count, code) for code, count in votes.items()), reverse=True)
    (most, best), (second, _) = [*ranked, (0.0, ""), (0.0, "")][:2]
    if most >= votes_min and most - second >= LEAD * votes_min:
        return best
    # Of the languages in this script Hindi is the one that most of its texts are in.
    return "hi" if 2 * len(_DEVANAGARI.findall(text)) > sum(map(str.isalpha, text)) else None


@cache
def _languages() -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("languages.json").read_text(encoding="utf-8")
    )
    return found


@cache
def _scripts() -> Mapping[str, re.Pattern[str]]:
    return {
        code: re.compile(f"[{entry['script']}]") for code, entry in _languages().items() if "script" in entry
    }


@cache
def _frequent_in() -> Mapping[str, tuple[str, ...]]:
    """Return the languages among whose most frequent words each word is."""
    found = defaultdict[str, tuple[str, ...]](tuple)
    for code, entry in _languages().items():
        for word in dict.fromkeys(entry.get("words", "").split()):
            found[word] += (code,)
    return dict(found)


@cache
def _known_in() -> Mapping[str, frozenset[str]]:
    """Return the languages among whose frequent words, or in whose tables, each word is."""
    found = defaultdict[str, set[str]](set)
    for word, codes in _frequent_in().items():
        found[folded(word)].update(codes)
    for code, words in tabled_words().items():
        for word in words:
            found[word].add(code)
    return {word: frozenset(codes) for word, codes in found.items()}
