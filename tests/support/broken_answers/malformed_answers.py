"""Makes answers as no model should give them: the same seed makes the same ones.

Each starts as a good answer and is broken in one of the ways that were seen of models and gateways, or that
an enemy would think of. Some ways leave an answer that can be used, so that both kinds occur.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Answer = dict[str, Any]
Rng = random.Random

WORDS: Final = (
    "keeper", "lamp", "storm", "harbour", "ledger", "daughter", "letter", "stair", "rehearsal", "budget",
    "colour",
)  # fmt: skip
CONTROLS: Final = (
    "\x00",
    "\x07",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\ud800",
    "\udfff",
    "\ufeff",
)
BIG: Final = 4000
"""Digits of a number beyond every float and every column."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """An answer's text, and the way in which it was broken."""

    way: str
    text: str


def good_answer(rng: Rng) -> Answer:
    """Return a batch of notes as it should be."""
    return {"items": [_note(rng) for _ in range(rng.randint(5, 10))]}


def _note(rng: Rng) -> Answer:
    content = " ".join(rng.choices(WORDS, k=rng.randint(12, 60)))
    return {"content": content, "summary": content[:60], "context": "It matters."}


def malformed_answers(seed: int, count: int) -> list[Malformed]:
    """Return so many answers, every way as often as every other."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    ways = [*IN_VALUE.items(), *IN_TEXT.items()]
    return [_broken(*ways[number % len(ways)], rng) for number in range(count)]


def _broken(name: str, way: Callable[[Any, Rng], Any], rng: Rng) -> Malformed:
    answer = good_answer(rng)
    if name in IN_TEXT:
        return Malformed(name, way(json.dumps(answer), rng))
    return Malformed(name, json.dumps(way(answer, rng)))


# --- values that are not what they should be


def _with(field: str, value: Callable[[Rng], Any]) -> Callable[[Answer, Rng], Answer]:
    def way(answer: Answer, rng: Rng) -> Answer:
        rng.choice(answer["items"])[field] = value(rng)
        return answer

    return way


def _without(field: str) -> Callable[[Answer, Rng], Answer]:
    def way(answer: Answer, rng: Rng) -> Answer:
        del rng.choice(answer["items"])[field]
        return answer

    return way


def _items(value: Callable[[list[Answer], Rng], Any]) -> Callable[[Answer, Rng], Any]:
    return lambda answer, rng: {"items": value(answer["items"], rng)}


def _sprinkled(rng: Rng) -> str:
    return "".join(f"{word} {rng.choice(CONTROLS)}" for word in rng.choices(WORDS, k=20))


def _no_text(rng: Rng) -> Any:
    return rng.choice([None, True, 7, 10**300, 1e308, [], ["a note"], {}, {"$ne": ""}, {"$gt": ""}])


def _nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


IN_VALUE: Final[dict[str, Callable[[Any, Rng], Any]]] = {
    "content no text": _with("content", _no_text),
    "summary no text": _with("summary", _no_text),
    "context no text": _with("context", _no_text),
    "content with control characters": _with("content", _sprinkled),
    "summary with control characters": _with("summary", _sprinkled),
    "context with control characters": _with("context", _sprinkled),
    "content of control characters alone": _with("content", lambda rng: rng.choice(CONTROLS) * 200),
    "content of dots": _with("content", lambda rng: rng.choice(".-_* \n…🎬") * rng.randint(1, 300)),
    "content too short": _with("content", lambda rng: rng.choice(WORDS)),
    "content too long": _with("content", lambda rng: "x" * rng.choice([8001, 100_000, 1_000_000])),
    "summary too long": _with("summary", lambda rng: "x" * rng.choice([501, 100_000])),
    "context too long": _with("context", lambda rng: "x" * rng.choice([2001, 100_000])),
    "summary empty": _with("summary", lambda rng: rng.choice(["", " ", "\x00", "\u200b\u202e"])),
    "content missing": _without("content"),
    "summary missing": _without("summary"),
    "context missing": _without("context"),
    "content nested": _with("content", lambda rng: _nested(rng.randint(1, 400))),
    "fields of others": lambda answer, _rng: {
        "items": [
            {**item, "_id": "x", "projectId": "b" * 24, "department": "edit", "__proto__": {}, "$set": {}}
            for item in answer["items"]
        ],
        "projectId": "b" * 24,
        "items_created": 10**9,
    },
    "items missing": lambda answer, rng: {rng.choice(["notes", "Items", "item", "data"]): answer["items"]},
    "items no list": _items(lambda items, rng: rng.choice([None, "none", 3, {"0": items[0]}, items[0]])),
    "items empty": _items(lambda _items, _rng: []),
    "too few items": _items(lambda items, rng: items[: rng.randint(1, 4)]),
    "too many items": _items(lambda items, rng: items * rng.choice([3, 2000])),
    "an item no object": _items(lambda items, rng: [*items[:4], rng.choice([None, "note", 5, [], items])]),
    "answer a list": lambda answer, _rng: answer["items"],
    "answer in a wrapper": lambda answer, _rng: {"answer": answer},
    "answer as text": lambda answer, _rng: {"items": json.dumps(answer["items"])},
    "the schema itself": lambda _answer, _rng: {"type": "object", "properties": {"items": {"type": "array"}}},
}


# --- text that is no JSON, or not quite


def _cut(text: str, rng: Rng) -> str:
    return text[: rng.randrange(len(text))]


def _replaced(text: str, rng: Rng) -> str:
    place = rng.randrange(len(text))
    return text[:place] + rng.choice('{}[]",:\\\x00x\ud800\n') + text[place + 1 :]


def _doubled_key(text: str, rng: Rng) -> str:
    return text.replace('"content":', f'"content": "{rng.choice(WORDS)}", "content":', 1)


def _number(text: str, rng: Rng) -> str:
    number = rng.choice(["NaN", "Infinity", "-Infinity", "1e999", "9" * BIG, "0x10", "+1", "01"])
    return text.replace('"context": "It matters."', f'"context": {number}', rng.randint(1, 5))


def _escape(text: str, rng: Rng) -> str:
    escape = rng.choice([r"\ud800", r"\udc00\ud800", r"\u0000", r"\x41", r"\u12", r"\q", "\\"])
    return text.replace("matters", f"mat{escape}ters")


IN_TEXT: Final[dict[str, Callable[[str, Rng], str]]] = {
    "empty": lambda _text, rng: rng.choice(["", " ", "\n", "\ufeff", "\x00"]),
    "prose": lambda _text, rng: " ".join(rng.choices(WORDS, k=40)),
    "cut off": _cut,
    "cut off in its wrapping": lambda text, rng: f"```json\n{_cut(text, rng)}\n```",
    "one character replaced": _replaced,
    "a key twice": _doubled_key,
    "a number that is none": _number,
    "an escape that is none": _escape,
    "single quotes": lambda text, _rng: text.replace('"', "'"),
    "a trailing comma": lambda text, _rng: text.replace("}]", "},]").replace("]}", "],}"),
    "a comment": lambda text, _rng: text.replace("{", "{ // notes\n", 1),
    "two answers": lambda text, rng: text + rng.choice(["", "\n", ", "]) + text,
    "an answer and another's": lambda text, _rng: f'{text}\n{{"type": "department_complete"}}',
    "wrapped": lambda text, rng: rng.choice(
        ["```json\n{}\n```", "<think>\n</think>{}", "Sure! {} Enjoy."]
    ).replace("{}", text),
    "deep lists": lambda _text, rng: '{"items": ' + "[" * 100_000 + "]" * rng.choice([0, 100_000]) + "}",
    "deep objects": lambda _text, rng: '{"items":' * 50_000 + "1" + "}" * rng.choice([1, 50_000]),
    "written twice as JSON": lambda text, _rng: json.dumps(text),
    "keys without quotes": lambda text, _rng: re.sub(r'"(\w+)":', r"\1:", text),
    "Python": lambda text, _rng: str(json.loads(text)) + " or None",
    "XML": lambda text, _rng: f"<items>{text[1:-1]}</items>",
    "braces the wrong way": lambda text, _rng: f"}}{text[1:-1]}{{",
}
