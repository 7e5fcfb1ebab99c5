"""How the languages in which descriptions are written make lists; pure.

`description_words.json` has, for each language, the verbs that stand before a list (the surest first), what
joins its last two entries, and the small words around an entry. Where the verb stands at the end (Hindi,
Japanese), `head` and `tail` are what surrounds the list. All are parts of regular expressions.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u3400-\u9fff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
)
"""Languages that are known by their letters, looked for in this order: Japanese has Chinese letters, too."""
WORD: Final = re.compile(r"[^\W\d_]+(?:['’](?=\w))?")  # noqa: RUF001 - both apostrophes are meant
NEVER: Final = re.compile(r"(?!)")
SCOPE: Final = re.compile(
    r"\s+(?:for|across|throughout|in)\s+(?:the|every|each|all|our|this)\s+(?:\w+\s+)?"
    r"(?:films?|movies?|productions?|projects?|series|shows?|pictures?|principals?|characters?|departments?)$",
    re.IGNORECASE,
)
SEPARATOR: Final = re.compile(r"[、・]")
COLON: Final = re.compile(r"^[^,;:]{1,80}:\s+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's way of listing things."""

    leads: tuple[re.Pattern[str], ...]
    """What stands before a list, the surest first; the last has verbs that are also nouns. None where verbs
    come last."""
    head: re.Pattern[str]
    tail: re.Pattern[str]
    """What stands before and behind a list whose verb comes last."""
    last_and: re.Pattern[str]
    leading_and: re.Pattern[str]
    filler: re.Pattern[str]
    not_a_name: re.Pattern[str]

    def is_led(self, sentence: str) -> bool:
        """Return whether a verb of handling says that a list comes."""
        return any(lead.match(sentence) for lead in self.leads) or bool(
            not self.leads and self.tail.search(sentence)
        )

    def listed(self, sentence: str) -> str:
        """Return what the verb or the colon of a sentence lists, the sentence if it has neither."""
        inside = self.tail.sub("", sentence, count=1)
        if not self.leads and inside != sentence and (self.head.match(inside) or SEPARATOR.search(inside)):
            return COLON.sub("", self.head.sub("", inside, count=1))
        for lead in (*self.leads[:2], COLON, *self.leads[2:]):
            after = lead.sub("", sentence, count=1)
            if after != sentence and after.strip(" .!?"):
                after = self.tail.sub("", after, count=1)
                return COLON.sub("", after) if lead is not COLON else after
        return sentence


def grammar_of(text: str) -> Grammar:
    """Return the grammar of the language that a description seems to be in."""
    return _grammar(described_in(text))


def described_in(text: str) -> str:
    """Return the code of a description's language, of those known here: by letters, then small words."""
    for language, letters in SCRIPTS:
        if letters.search(text):
            return language
    found = [word.lower().replace("’", "'") for word in WORD.findall(text)]  # noqa: RUF001
    return max(_SMALL_WORDS, key=lambda name: sum(word in _SMALL_WORDS[name] for word in found))


def _read() -> dict[str, dict[str, Any]]:
    text = (files("gather_brain.coverage") / "description_words.json").read_text(encoding="utf-8")
    # Decomposed letters (Hindi's nukta) are decomposed in the descriptions too.
    found: dict[str, dict[str, Any]] = json.loads(unicodedata.normalize("NFC", text))
    return found


_WORDS: Final = _read()
_SMALL_WORDS: Final = {
    name: frozenset(words["function_words"].split())
    for name, words in _WORDS.items()
    if "function_words" in words
}
"""English comes first: it stands where no language has more of them."""


@cache
def _grammar(language: str) -> Grammar:
    words = _WORDS[language]
    is_spaced = language not in ("zh", "ja")
    start, edge, space = (r"\b", r"\b", r"\s+") if is_spaced else ("", "", r"\s*")
    if language == "hi":  # \b takes the signs of vowels for the end of a word.
        start, edge = r"(?<!\S)", r"(?!\S)"
    flags = re.IGNORECASE | re.DOTALL
    before, after = words["before"], words["after"]
    return Grammar(
        leads=tuple(re.compile(rf"^.*?{start}(?:{verbs}){edge}[:\s]*", flags) for verbs in words["leads"]),
        head=re.compile(words["head"], flags) if "head" in words else NEVER,
        tail=re.compile(words["tail"], flags) if "tail" in words else NEVER,
        last_and=re.compile(rf"{space}(?:{words['and']}){space}", re.IGNORECASE),
        leading_and=re.compile(rf"^(?:{words['leading']}){space}", re.IGNORECASE),
        # "l'" and "d'" are followed by no space.
        filler=re.compile(
            rf"^(?:{before})(?:{space}|(?<=['\u2019]))|{space}(?:{after})[.\s]*$", re.IGNORECASE
        ),
        not_a_name=re.compile(rf"^(?:{words['no_name']}){edge}", re.IGNORECASE),
    )
