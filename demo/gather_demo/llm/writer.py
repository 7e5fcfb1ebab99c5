"""Write notes from the material and the prompt's facts; the same seed writes the same notes.

Like a model it prefers what is not in the prompt yet, goes to the gaps first, and now and then repeats
itself, word for word or nearly.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from gather_demo.llm.material import Aspect, Material
from gather_demo.llm.prompt_facts import Facts
from gather_demo.llm.text_measures import cut, sentences, shingles, words

WORDS_MIN: Final = 40
WORDS_MAX: Final = 110
EXACT_SHARE: Final = 0.5
"""Of the repeated notes, the share that is repeated word for word."""
LINK_SHARE: Final = 0.3
"""Of the notes, the share with a sentence that ties them to the rest; more would make all notes alike."""
SENTENCES_TO_CUT: Final = 3
SUMMARY_MAX: Final = 140

_SLOT = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Note:
    """One written note, 40 to 110 words unless it repeats a shorter text of the prompt."""

    text: str
    summary: str
    context: str
    aspect: str


def write_notes(
    facts: Facts, material: Material, count: int, rng: random.Random, repeat_share: float
) -> list[Note]:
    """Return `count` notes; about `repeat_share` (0-1) of them repeat a note or a known text."""
    aspects = _aspects_in_turn(facts, rng)
    taken: set[str] = set()
    notes: list[Note] = []
    for _ in range(count):
        if rng.random() < repeat_share and (notes or facts.known_texts):
            notes.append(_repeat(notes, facts, material, rng))
        else:
            aspect = _next_aspect(aspects, facts, material, taken)
            notes.append(_new_note(aspect, facts, material, rng, taken))
    return notes


def _aspects_in_turn(facts: Facts, rng: random.Random) -> Iterator[str]:
    """Yield aspects without end: the gaps, then all in shuffled rounds, so that none is left out for long."""
    yield from rng.sample(facts.gaps, len(facts.gaps))
    while True:
        yield from rng.sample(facts.aspects, len(facts.aspects))


def _next_aspect(turns: Iterator[str], facts: Facts, material: Material, taken: set[str]) -> str:
    """Return the next aspect about which there is something new to say, the next of all if there is none."""
    for aspect in islice(turns, 2 * len(facts.aspects)):
        if _unused(material.aspect(facts.department, aspect).what, facts, taken):
            return aspect
    return next(turns)


def _unused(templates: Sequence[str], facts: Facts, taken: set[str]) -> list[str]:
    return [t for t in templates if t not in taken and not is_known(t, facts.known_shingles)]


def _new_note(aspect: str, facts: Facts, material: Material, rng: random.Random, taken: set[str]) -> Note:
    """Write a note about the aspect, with sentences that neither prompt nor answer has, if any are left."""
    sentences_of: Aspect = material.aspect(facts.department, aspect)
    slots = {
        "aspect": aspect,
        "title": facts.title,
        "name": rng.choice(facts.names) if facts.names else material.name_default,
        "n": str(rng.randint(2, 6)),
        "m": str(rng.randint(3, 9)),
        "place": rng.choice(material.places),
        "hour": rng.choice(material.hours),
    }
    what = _fresh(sentences_of.what, facts, rng, taken)
    how = _fresh(sentences_of.how, facts, rng, taken)
    link = rng.choice(material.links)
    following = rng.choice(material.next_steps(facts.department))
    body = [_fill(template, slots) for template in (what, how, link, following)]
    if aspect.lower() not in body[0].lower():
        body[0] = f"{aspect[0].upper()}{aspect[1:]}: {body[0]}"
    if rng.random() > LINK_SHARE and len(words(" ".join([*body[:2], body[3]]))) >= WORDS_MIN:
        del body[2]
    text = " ".join(body)
    return Note(
        text=text if len(words(text)) <= WORDS_MAX else " ".join(body[:-1]),
        summary=cut(_fill(what, slots), SUMMARY_MAX),
        context=_fill(material.context, slots),
        aspect=aspect,
    )


def _fresh(templates: Sequence[str], facts: Facts, rng: random.Random, taken: set[str]) -> str:
    """Return a template that is not used yet, any if all are."""
    chosen = rng.choice(_unused(templates, facts, taken) or templates)
    taken.add(chosen)
    return chosen


def is_known(template: str, known_shingles: frozenset[str]) -> bool:
    """Return whether the known text has five words in a row of the template, outside its slots."""
    return any(shingles(piece) & known_shingles for piece in _SLOT.split(template))


def _fill(template: str, slots: dict[str, str]) -> str:
    filled = _SLOT.sub(lambda slot: slots[slot[0][1:-1]], template)
    return filled[0].upper() + filled[1:]


def _repeat(notes: Sequence[Note], facts: Facts, material: Material, rng: random.Random) -> Note:
    """Return a note that was there before, word for word or nearly."""
    known = [
        Note(text, cut(sentences(text)[0], SUMMARY_MAX), material.repeat_context, "")
        for text in facts.known_texts
    ]
    original = rng.choice([*notes, *known])
    if rng.random() < EXACT_SHARE:
        return original
    return replace(original, text=rephrase(original.text, material, rng))


def rephrase(text: str, material: Material, rng: random.Random) -> str:
    """Return a near duplicate: a few words exchanged, the last sentence left out or a phrase put before."""
    exchanged = re.sub(r"\b\w+\b", lambda w: material.synonyms.get(w[0], w[0]), text)
    parts = sentences(exchanged)
    if len(parts) >= SENTENCES_TO_CUT and rng.getrandbits(1):
        return " ".join(parts[:-1])
    return f"{material.rephrased}{exchanged}"
