"""How near different texts of a language are: for `make language-report` and `make human-report`.

Two hundred pairs of each language, of sentences made by us; nobody who speaks most of these languages has
looked at them. Half of the pairs differ in one part, such as a negation or a number; none are the same.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any, Final

from dev.paths import ROOT
from gather_brain.vectors import Matrix, shown
from gather_contracts.text import text_hash
from tests.bench.report import table
from tests.evals.embedding_centre import sentences

DATA: Final = ROOT / "tests/data"
PAIRS: Final = 200
SAME: Final = 0.999
"""From here on two texts are as good as one."""
SEED: Final = 1
PARTS: Final = 5
"""So many sentences in a row of `sentences` differ in the last part alone."""
FILES: Final = ("duplicates/turned.json", "duplicates/turned_later.json", "languages/one_word_differs.json")
"""Of each language texts that were made alike."""

Pair = tuple[str, str]
Embed = Callable[[Sequence[str]], Matrix]


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """How alike different texts of one language look."""

    language: str
    unread: float
    """Share of the texts that the model cannot read."""
    near: float
    """Median similarity of the first half, made to differ in one part as far as there are such pairs."""
    middle: float
    """Median of any two."""
    highest: float
    same: int
    """Pairs of at least `SAME`."""


def language_pairs(count: int = PAIRS) -> dict[str, list[Pair]]:
    """Return so many pairs of different texts by language, always the same; the first half are made alike."""
    texts, near = defaultdict[str, dict[str, str]](dict), defaultdict[str, set[Pair]](set)
    for code, alike in (*_of_parts(), *_by_hand()):
        kept = {texts[code].setdefault(text_hash(text), text) for text in alike}
        near[code].update(combinations(sorted(kept), 2))
    return {code: _drawn(near[code], sorted(own.values()), count) for code, own in sorted(texts.items())}


def _of_parts() -> Iterator[tuple[str, Sequence[str]]]:
    """Yield sentences that differ in their last part alone, with their language."""
    for code, texts in sentences().items():
        yield from ((code, texts[start : start + PARTS]) for start in range(0, len(texts), PARTS))


def _by_hand() -> Iterator[tuple[str, Sequence[str]]]:
    """Yield texts that differ in a word or in what turns their meaning, or say the same in other words."""
    for name in FILES:
        entries: dict[str, dict[str, Any]] = json.loads(
            (ROOT / "tests/data" / name).read_text(encoding="utf-8")
        )
        for code, entry in entries.items():
            yield from ((code, alike) for kind, made in entry.items() if kind != "context" for alike in made)


def _drawn(near: AbstractSet[Pair], texts: Sequence[str], count: int) -> list[Pair]:
    chance = random.Random(SEED)  # noqa: S311 - the same every time, no secret
    alike = chance.sample(sorted(near), min(count // 2, len(near)))
    others = sorted(set(combinations(texts, 2)) - near)
    return [*alike, *chance.sample(others, count - len(alike))]


def language_rows(
    embed: Embed, unread: Callable[[Sequence[str]], Sequence[object]], count: int = PAIRS
) -> list[LanguageRow]:
    """Return each language's row, those with most texts that look the same first.

    `unread` says of each text why the model cannot read it, None if it can.
    """
    rows = [_row(code, pairs, embed, unread) for code, pairs in language_pairs(count).items()]
    return sorted(rows, key=lambda row: (-row.same, -row.highest))


def _row(
    code: str, pairs: Sequence[Pair], embed: Embed, unread: Callable[[Sequence[str]], Sequence[object]]
) -> LanguageRow:
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    rows = dict(zip(texts, embed(texts), strict=True))
    found = [shown(float(rows[a] @ rows[b]), is_same_text=False) for a, b in pairs]
    return LanguageRow(
        language=code,
        unread=sum(reason is not None for reason in unread(texts)) / len(texts),
        near=median(found[: len(found) // 2]),
        middle=median(found),
        highest=max(found),
        same=sum(value >= SAME for value in found),
    )


def languages_table(rows: Sequence[LanguageRow]) -> str:
    """Return how alike different texts of each language look, as a Markdown table."""
    head = (
        "language",
        "not read",
        "one part differs, median",
        "all, median",
        "most alike",
        f"at {SAME} or more",
    )
    body = []
    for row in rows:
        numbers = (f"{each:.3f}" for each in (row.near, row.middle, row.highest))
        body.append((row.language, f"{row.unread:.0%}", *numbers, str(row.same)))
    return table(head, body)
