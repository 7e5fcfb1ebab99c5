"""Answer a request: see from the asked-for JSON schema what is wanted, and write or judge accordingly.

Five kinds of request are distinguished by the schema's property names: notes to write, texts to compare,
texts to score, themes to choose, and anything else, which is filled with plausible words.
"""

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from gather_demo.llm import judge
from gather_demo.llm.json_text import json_objects
from gather_demo.llm.material import Material
from gather_demo.llm.prompt_facts import Facts, read_facts, text_of
from gather_demo.llm.schema_filler import ItemSource, LeafSource, Place, Schema, fill, properties_of, type_of
from gather_demo.llm.text_measures import likeness
from gather_demo.llm.writer import Note, write_notes

NOTES_MIN, NOTES_MAX = 5, 10
"""How many notes are written where the schema does not say."""
THEMES_MAX: Final = 6
NOTE_FIELDS: Final = {
    "summary": "summary", "title": "summary", "context": "context", "rationale": "context",
    "aspect": "aspect", "topic": "aspect", "category": "aspect",
}  # fmt: skip
"""Property names and what of a note they hold; any other holds its text."""
ID_KEYS: Final = ("id", "index", "pair", "number", "slot", "i", "key")

_RUBRIC_NAMES: Final = frozenset({"coverage", "depth", "coherence", "actionability"})
_QUOTES: Final = re.compile(r"quote|evidence", re.IGNORECASE)
_DUPLICATE: Final = re.compile(r"dup|same|equal|repeat|redundant", re.IGNORECASE)

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """What a chat completion is asked with, as far as the answer depends on it."""

    messages: Messages
    schema: Schema | None
    seed: int
    repeat_share: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts to compare, and what the prompt calls the pair: its own key or its index from 0."""

    one: str
    other: str
    key: Any


def seed_of(model: str, messages: Messages, seed: int | None) -> int:
    """Return the seed of an answer: equal requests get equal answers, whatever the hour."""
    text = json.dumps([model, seed, list(messages)], sort_keys=True, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def write_answer(request: Request, material: Material) -> str:
    """Return the answer's content: JSON that obeys the schema, or plain notes where none is asked for.

    Raises SchemaError if the schema cannot be filled.
    """
    facts = read_facts(request.messages, material)
    rng = random.Random(request.seed)  # noqa: S311 - repeatable, not secret
    if request.schema is None:
        notes = write_notes(facts, material, NOTES_MIN, rng, request.repeat_share)
        return "\n".join(f"- {note.text}" for note in notes)
    leaf, items = _sources(request, facts, material, rng)
    return json.dumps(fill(request.schema, leaf, items), ensure_ascii=False)


def _sources(
    request: Request, facts: Facts, material: Material, rng: random.Random
) -> tuple[LeafSource, ItemSource]:
    """Return what fills the schema, by the kind of request that its property names show."""
    schema = request.schema or {}
    properties = list(properties_of(schema))
    if any(name == "content" and type_of(sub) == "string" for name, sub in properties):
        return _notes_sources(request, facts, material, rng)
    if any(_DUPLICATE.search(name) and type_of(sub) in {"boolean", "string"} for name, sub in properties):
        return _pairs_sources(request)
    if any(name.lower() in _RUBRIC_NAMES for name, _ in properties):
        return _rubric_sources(request, facts)
    if any(name == "themes" for name, _ in properties):
        return _themes_sources(request)
    return _notes_sources(request, facts, material, rng)


# --- themes to choose


def _themes_sources(request: Request) -> tuple[LeafSource, ItemSource]:
    """Choose among the phrases that the prompt counted: the first ones that share no word with each other."""
    phrases = [str(found["phrase"]) for found in json_objects(text_of(request.messages)) if "phrase" in found]
    chosen: list[str] = []
    for phrase in phrases:
        if not any(set(phrase.split()) & set(other.split()) for other in chosen):
            chosen.append(phrase)

    def items(_place: Place, least: int, most: int | None) -> Sequence[Any]:
        return chosen[: max(least, min(most or THEMES_MAX, THEMES_MAX))]

    return lambda place, _kind: place.item, items


# --- notes to write


def _notes_sources(
    request: Request, facts: Facts, material: Material, rng: random.Random
) -> tuple[LeafSource, ItemSource]:
    def items(place: Place, least: int, most: int | None) -> Sequence[Any]:
        if _QUOTES.search(place.name):
            return judge.quotes(judge.texts_in(text_of(request.messages[-1:])))[:most]
        if isinstance(place.item, Note):
            return [place.item.aspect or facts.aspects[0]] * max(least, 1)
        low = max(least, min(NOTES_MIN, most or NOTES_MIN))
        count = rng.randint(low, max(low, min(most or NOTES_MAX, NOTES_MAX)))
        return write_notes(facts, material, count, rng, request.repeat_share)

    single = write_notes(facts, material, 1, rng, 0)[0]

    def leaf(place: Place, kind: str) -> Any:
        if isinstance(place.item, str):
            return place.item
        if kind != "string":
            return 80 if kind in {"number", "integer"} else kind == "boolean"
        note = place.item if isinstance(place.item, Note) else single
        return getattr(note, NOTE_FIELDS.get(place.name, "text"))

    return leaf, items


# --- texts to compare


def _pairs_sources(request: Request) -> tuple[LeafSource, ItemSource]:
    pairs = pairs_in(request.messages)

    def items(_place: Place, least: int, most: int | None) -> Sequence[Any]:
        wanted = max(len(pairs), least) if most is None else min(max(len(pairs), least), most)
        return [*pairs, *[Pair("", "", i) for i in range(len(pairs), wanted)]][:wanted]

    def leaf(place: Place, kind: str) -> Any:
        pair = place.item if isinstance(place.item, Pair) else pairs[0] if pairs else Pair("", "", 0)
        verdict, near = judge.is_duplicate(pair.one, pair.other), likeness(pair.one, pair.other)
        if kind == "boolean":
            return verdict
        if place.name in ID_KEYS:
            return pair.key if kind == "integer" or isinstance(pair.key, str) else str(pair.key)
        if kind in {"number", "integer"}:
            return near
        if _DUPLICATE.search(place.name) or place.name in {"verdict", "answer"}:
            return "yes" if verdict else "no"
        return f"{near:.0%} of the shorter text's words stand in the other."

    return leaf, items


def pairs_in(messages: Messages) -> list[Pair]:
    """Return the pairs that the last message puts up for comparison.

    Pairs are JSON objects with two texts, else texts two by two.
    """
    last = text_of(messages[-1:])
    named = [pair for i, o in enumerate(json_objects(last)) if (pair := _pair_of(o, i))]
    if named:
        return named
    texts = judge.texts_in(last)
    couples = list(pairwise(texts))[::2]
    return [Pair(one, other, i) for i, (one, other) in enumerate(couples)]


def _pair_of(candidate: Mapping[str, Any], index: int) -> Pair | None:
    """Return the object as a pair if it has exactly two texts of some length."""
    key = next((candidate[k] for k in ID_KEYS if k in candidate), index)
    texts = [
        v for k, v in candidate.items() if isinstance(v, str) and k not in ID_KEYS and len(v.split()) > 1
    ]
    return Pair(texts[0], texts[1], key) if len(texts) == 2 else None  # noqa: PLR2004 - a pair


# --- texts to score


def _rubric_sources(request: Request, facts: Facts) -> tuple[LeafSource, ItemSource]:
    texts = judge.texts_in(text_of(request.messages[-1:]))
    rubric = judge.score(texts, facts.aspects)
    overall = 0.4 * rubric.coverage + 0.3 * rubric.depth + 0.2 * rubric.coherence + 0.1 * rubric.actionability
    reason = f"Depth {rubric.depth:.0f}, coherence {rubric.coherence:.0f} of 100 by word measures."

    def items(place: Place, least: int, most: int | None) -> Sequence[Any]:
        if _QUOTES.search(place.name):
            return judge.quotes(texts, is_of_actions="action" in place.name)[:most]
        return facts.aspects[: most if most is not None else max(least, 3)]

    def leaf(place: Place, kind: str) -> Any:
        if kind in {"number", "integer"}:
            wanted = next((n for n in reversed(place.path) if n.lower() in _RUBRIC_NAMES), "")
            return round(getattr(rubric, wanted.lower(), overall), 1)
        return place.item if isinstance(place.item, str) else reason

    return leaf, items
