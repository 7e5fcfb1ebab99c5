"""Good answers, mutated as models, gateways and limits do it: the same seed makes the same ones.

Every word says of which field of which note it is, so that a saved note can be held to what was written.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Rng = random.Random
Note = dict[str, Any]

FIELDS: Final = {"content": "c", "summary": "s", "context": "x"}
LETTERS: Final = "abdefghijk"
"""Of the notes of the answer."""
DRAFT_LETTERS: Final = "lmnop"
"""Of notes that were only thought."""
EQUAL_KEY: Final = "cczz1 cczz2 cczz3 cczz4"
"""Content that another of the same name follows, which is the note's."""
_WORD: Final = re.compile(r"\b([csx])\1([a-p])\2\d+\b")
_SPECIAL: Final = (
    '"home"', "'tis", "the keeper's", "{now}", "[1]", "a: b,", "x, y:", "\n", "\\", "// so", "# 1", "é🎬",
    "“eye”", "„Auge“", "</think>", "```", 'said: "go"', '"}', "]}", '","', "/* */", "\t", "72/100", "...",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutated:
    """An answer, the notes it was made of by their letters, and what was done to it."""

    text: str
    notes: dict[str, Note]
    ways: tuple[str, ...]
    is_cut_off: bool

    @property
    def spoiled_max(self) -> int:
        """Return how many words of a text can be spoiled: two by a character that was changed."""
        return 2 * sum(way in CHARACTERS for way in self.ways)

    @property
    def has_marks(self) -> bool:
        """Return whether the marks of its thoughts, if it has any, are as they were written."""
        places = [place for place, way in enumerate(self.ways) if way.startswith("thoughts")]
        return not any(way in CHARACTERS for way in self.ways[min(places, default=len(self.ways)) :])


def words_of(text: str) -> list[tuple[str, str]]:
    """Return the field's and the note's letter of each word of a text."""
    return [(found[1], found[2]) for found in _WORD.finditer(text)]


def mutated_answer(seed: int) -> Mutated:
    """Return an answer with one to three mutations."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    notes = {letter: _note(letter, rng) for letter in LETTERS[: rng.randint(5, 10)]}
    shape = rng.choice(list(SHAPES))
    text = SHAPES[shape](list(notes.values()))
    ways = rng.choices(list(WAYS), k=rng.choice((0, 1, 1, 1, 2, 2, 3)))
    for way in ways:
        text = WAYS[way](text, rng)
    return Mutated(text, notes, (shape, *ways), is_cut_off="cut" in ways and rng.random() < 0.5)


def _note(letter: str, rng: Rng) -> Note:
    return {name: _text(field, letter, rng) for name, field in FIELDS.items()}


def _text(field: str, letter: str, rng: Rng) -> str:
    parts = [f"{field * 2}{letter * 2}{number}" for number in range(rng.randint(6, 20))]
    for place in sorted(rng.sample(range(1, len(parts)), rng.choice((0, 0, 1, 2))), reverse=True):
        parts.insert(place, rng.choice(_SPECIAL))
    return " ".join(parts)


def _dumped(notes: Sequence[Note]) -> str:
    return json.dumps({"items": notes}, ensure_ascii=False)


SHAPES: Final[dict[str, Callable[[list[Note]], str]]] = {
    "plain": _dumped,
    "indented": lambda notes: json.dumps({"items": notes}, indent=2),
    "bare list": json.dumps,
    "other key": lambda notes: json.dumps({"notes": notes}),
    "wrapped": lambda notes: json.dumps({"generate": {"arguments": {"items": notes}}}),
    "lines": lambda notes: "\n".join(map(json.dumps, notes)),
    "list as text": lambda notes: json.dumps({"items": json.dumps(notes)}),
    "each as text": lambda notes: json.dumps({"items": [json.dumps(note) for note in notes]}),
    "Python": lambda notes: str({"items": notes}),
    "without contexts": lambda notes: _dumped([{**note, "context": None} for note in notes]),
}


def _drafts(rng: Rng) -> str:
    return _dumped([_note(letter, rng) for letter in DRAFT_LETTERS])


def _inserted(text: str, rng: Rng) -> str:
    place = rng.randint(0, len(text))
    return text[:place] + rng.choice("\"'{}[],:\\\n#/“”x0 `") + text[place:]


def _deleted(text: str, rng: Rng) -> str:
    place = rng.randrange(max(1, len(text)))
    return text[:place] + text[place + 1 :]


def _structural(text: str, rng: Rng, change: Callable[[str], str]) -> str:
    """Change one of the characters that JSON is made of."""
    places = [found.start() for found in re.finditer(r'["{}\[\],:\\]', text)] or [0]
    place = rng.choice(places)
    return text[:place] + change(text[place : place + 1]) + text[place + 1 :]


def _swapped(text: str, rng: Rng) -> str:
    place = rng.randrange(max(1, len(text) - 1))
    return text[:place] + text[place : place + 2][::-1] + text[place + 2 :]


CHARACTERS: Final[dict[str, Callable[[str, Rng], str]]] = {
    "insert": _inserted,
    "delete": _deleted,
    "swap": _swapped,
    "delete a mark": lambda text, rng: _structural(text, rng, lambda _: ""),
    "double a mark": lambda text, rng: _structural(text, rng, lambda mark: mark * 2),
    "replace a mark": lambda text, rng: _structural(text, rng, lambda _: rng.choice("\"'{}[],:")),
}

WAYS: Final[dict[str, Callable[[str, Rng], str]]] = CHARACTERS | {
    "cut": lambda text, rng: text[: rng.randrange(len(text) + 1)],
    "fence": lambda text, rng: rng.choice(
        ["```json\n{}\n```", "```\n{}", "Sure!\n```JSON\n{}\n```\n"]
    ).replace("{}", text),
    "prose with braces": lambda text, rng: (
        rng.choice(['As {"items": [...]}: ', "With {a, b} and [1]: ", "{"]) + text
    ),
    "prose behind": lambda text, rng: (
        text + rng.choice(["\nEnjoy {it}!", ' {"items": [{"content": "cc', "]}", "}"])
    ),
    "thoughts": lambda text, rng: f"<think>{_drafts(rng)[: rng.randint(0, 4000)]}</think>{text}",
    "thoughts without their beginning": lambda text, rng: f"{_drafts(rng)}</think>{text}",
    "encode": lambda text, _rng: json.dumps(text),
    "escape": lambda text, _rng: json.dumps(text)[1:-1],
    "quotes not escaped": lambda text, _rng: text.replace('\\"', '"'),
    "line breaks not escaped": lambda text, _rng: text.replace("\\n", "\n"),
    "single quotes": lambda text, _rng: re.sub(r'"((?:[^"\\]|\\.)*)"', r"'\1'", text),
    "typographic quotes": lambda text, _rng: re.sub(r'"((?:[^"\\]|\\.)*)"', r"“\1”", text),
    "keys without quotes": lambda text, _rng: re.sub(r'"(items|content|summary|context)":', r"\1:", text),
    "trailing commas": lambda text, _rng: re.sub(r"([}\]])(?=[}\]])", r"\1,", text),
    "no commas": lambda text, _rng: text.replace("}, {", "}\n{"),
    "a comment": lambda text, rng: text.replace("{", rng.choice(["{ // so\n", "{/* so */", "{ # so\n"]), 1),
    "twice": lambda text, rng: text + rng.choice(["", "\n", ", "]) + text,
    "NaN": lambda text, _rng: text.replace("null", "NaN", 1),
    "an equal key": lambda text, _rng: text.replace('"content":', f'"content": "{EQUAL_KEY}", "content":', 1),
}
