"""How far sentences say what somebody is to do: instructions, suggestions, wishes; pure.

Cues are patterns over a sentence's words, by language and kind (`instruction_cues.json`): an imperative where
a clause begins, "should", "it would be good if". Each kind that a sentence has adds its weight, once;
the weights are one set for all languages. They were fitted by maximum likelihood, none of them negative, on
sentences that we wrote and labelled (docs/quality.md), by `make measures-report ARGS=--fit`.

A cue needs nothing that stands after it, so that cutting words off a text's end adds no cue, unless they took
it back ("It must be a bug").
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "de", "fr", "es", "hi", "zh", "ja")
"""Those in which instructions are known."""
LATIN: Final = LANGUAGES[:4]
"""A text of a few words may not say which of them it is in."""
SENTENCE_CHARS_MAX: Final = 400
"""Of a sentence, the beginning: it bounds what the patterns cost."""
_END: Final = re.compile(r"(?<=[.!?…;])[\"'”’)]*\s+|(?<=[。！？；])|\n+")  # noqa: RUF001
_PLAIN: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})  # noqa: RUF001


@cache
def _table(name: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(
        (files("gather_brain.coverage") / f"{name}.json").read_text(encoding="utf-8")
    )
    return found


@cache
def weights() -> Mapping[str, float]:
    """Return what each kind of cue adds."""
    return dict(_table("instruction_weights")["weights"])


def patterns_of(language: str) -> Mapping[str, str]:
    """Return the pattern of each kind, with the lists of words put in."""
    table = _table("instruction_cues")
    lists = {name: "|".join(words) for name, words in table["verbs"].items()}
    for name in ("later", "start"):
        lists[name] = table[name]
    found = {}
    for kind, patterns in table["cues"][language].items():
        pattern = "|".join(patterns)
        for name, words in lists.items():
            pattern = pattern.replace(f"{{{name}}}", words)
        found[kind] = pattern
    return found


@cache
def _cues(language: str) -> Sequence[tuple[str, re.Pattern[str], Sequence[str]]]:
    """Return each kind with its pattern and the texts one of which every match has; none if not known."""
    needs = _table("instruction_needs")[language]
    return [
        (kind, re.compile(pattern), needs.get(kind, ())) for kind, pattern in patterns_of(language).items()
    ]


@cache
def _reported() -> re.Pattern[str]:
    return re.compile(_table("instruction_cues")["reported"])


@cache
def anchor_pattern(language: str) -> re.Pattern[str]:
    """Return what finds words that say when, where or how many."""
    return re.compile(_table("instruction_cues")["anchors"][language], re.IGNORECASE)


def pieces(text: str) -> list[str]:
    """Return the text's sentences; cutting words off its end changes none but the last."""
    return [piece.strip() for piece in _END.split(text) if piece.strip()]


def cues_of(sentence: str, language: str) -> frozenset[str]:
    """Return the kinds of cues that the sentence has; what somebody else said, or did, is none."""
    seen = sentence[:SENTENCE_CHARS_MAX].translate(_PLAIN).lower()
    return frozenset(
        kind
        for kind, pattern, needs in _cues(language)
        if (not needs or any(each in seen for each in needs))
        and any(not _reported().search(seen, 0, found.start()) for found in pattern.finditer(seen))
    )


def strength_of(sentence: str, language: str | None) -> float:
    """Return how surely the sentence says what to do, 0 to 1: any cue may make it an instruction (noisy-or).

    Where the language is not known, the surest of those with Latin letters counts.
    """
    languages = LATIN if language is None else (language,)
    total = max(math.fsum(weights()[kind] for kind in cues_of(sentence, each)) for each in languages)
    return 1 - math.exp(-total)
