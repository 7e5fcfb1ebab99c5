"""Read from a prompt what a writer would take from it: project, department, aspects, gaps, names, texts.

It knows no particular prompt: it looks for labelled values (`Title: x`, `<title>x`, `"title": "x"`), for a
sentence that says what a department handles, and for lines that speak of gaps.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from gather_demo.llm.json_text import json_strings
from gather_demo.llm.language_words import any_of, languages
from gather_demo.llm.material import Material
from gather_demo.llm.text_measures import shingles, words

KNOWN_TEXT_WORDS: Final = 25
"""Shortest line that is taken for an existing note, and may be repeated as a duplicate."""
NAMES_MAX: Final = 6
LABELLED_WORDS_MAX: Final = 8
"""A longer value behind a label is a text and not a name."""

_GAP_WORD = re.compile(
    r"\b(gap|gaps|missing|not covered|uncovered|thin|weak|weakly|neglected|lacks)\b", re.IGNORECASE
)
_HANDLES = re.compile(
    any_of((*each.duties, *each.subjects) for each in languages()) + r'(?P<list>[^.\n<"]{8,600})',
    re.IGNORECASE,
)
_CAPITALISED = re.compile(r"\b[A-ZÄÖÜ][a-zäöüß]{2,}\b")
_ASPECT_CHARS: Final = (3, 60)
_TAG_LINE = re.compile(r"^\s*</?[\w-]+>\s*$")
_EXISTING = re.compile(r"\b(exist|exists|existing|already|so far|current)\b", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_BETWEEN = re.compile(rf",|;|{any_of(each.conjunctions for each in languages())}")
_NOT_NAMES = frozenset(word for each in languages() for word in each.not_names)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the prompt says; every field has a plain default where it says nothing."""

    title: str
    department: str | None
    """A department of the material, or None: write around `aspects`."""
    aspects: tuple[str, ...]
    gaps: tuple[str, ...]
    """Those of the aspects that the prompt calls missing or weak."""
    names: tuple[str, ...]
    known_shingles: frozenset[str]
    known_texts: tuple[str, ...]


def text_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of all messages; content may be a string or a list of parts."""
    parts: list[str] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            parts.append(content)
        elif isinstance(content, list):
            parts += [str(part.get("text", "")) for part in content if isinstance(part, Mapping)]
    return "\n".join(parts)


def read_facts(messages: Sequence[Mapping[str, Any]], material: Material) -> Facts:
    """Return what the messages say."""
    text = text_of(messages)
    department = _department(text, material)
    own = tuple(material.departments[department].aspects) if department else ()
    aspects = own or _described_aspects(text)
    return Facts(
        title=_labelled(text, "title", "titel", "film", "project title", "project name")
        or material.film_default,
        department=department,
        aspects=aspects,
        gaps=_gaps(text, aspects),
        names=_names(text, material),
        known_shingles=shingles(text),
        known_texts=_known_texts(text),
    )


def _labelled(text: str, *labels: str) -> str | None:
    """Return the first value behind one of the labels, as `Label: x`, `<label>x` or `"label": "x"`."""
    for label in labels:
        pattern = rf'\b{label}["*]*\s*[:=>]+\s*(?:<[^>\n]*>\s*)?["“*]*(?P<value>[^"”*<\n]{{2,80}})'
        for match in re.finditer(pattern, text, re.IGNORECASE):
            value = match["value"].split(". ")[0].strip(" .,")
            if len(value.split()) <= LABELLED_WORDS_MAX:
                return value
    return None


def _department(text: str, material: Material) -> str | None:
    """Return the department that the prompt is about: the one it names, else the one it describes."""
    named = (_labelled(text, "department", "department name", "slug") or "").lower()
    if not named and (match := re.search(r"\b([\w -]{3,40}?) department\b", text, re.IGNORECASE)):
        named = match[1].lower()
    for slug, department in material.departments.items():
        if any(re.search(rf"\b{re.escape(word)}\b", named) for word in (slug, *department.matches)):
            return slug
    if named:
        return None
    lower = text.lower()
    scores = {s: sum(a.lower() in lower for a in d.aspects) for s, d in material.departments.items()}
    best = max(scores, key=lambda slug: scores[slug])
    return best if scores[best] > 1 else None


def _described_aspects(text: str) -> tuple[str, ...]:
    """Return the comma-separated aspects of the sentence that says what the department handles."""
    match = _HANDLES.search(text)
    listed = _BETWEEN.split(match["list"]) if match else []
    aspects = tuple(
        part.strip() for part in listed if _ASPECT_CHARS[0] <= len(part.strip()) <= _ASPECT_CHARS[1]
    )
    return aspects or ("purpose", "first decisions", "risks", "collaboration")


def _gaps(text: str, aspects: Sequence[str]) -> tuple[str, ...]:
    """Return the aspects named on a line or under a key that speaks of gaps, or in the bullets below it."""
    near = [string.lower() for keys, string in json_strings(text) if _GAP_WORD.search(keys)]
    in_list = False
    for line in text.splitlines():
        if _TAG_LINE.match(line):
            continue
        speaks = bool(_GAP_WORD.search(line))
        in_list = speaks or (in_list and bool(_BULLET.match(line)))
        if in_list:
            near.append(line.lower())
    return tuple(a for a in aspects if any(a.lower() in line for line in near))


def _names(text: str, material: Material) -> tuple[str, ...]:
    """Return words that stand as names do in the language, occur twice, and are not of the craft."""
    craft = f"{_labelled(text, 'title', 'film') or ''} {material.craft_words()}".lower().split()
    inside = set(re.findall(material.name_pattern, text)) - _NOT_NAMES
    counted = Counter(word for word in _CAPITALISED.findall(text) if word in inside)
    found = (name for name, count in counted.most_common(30) if count > 1 and name.lower() not in craft)
    return tuple(islice(found, NAMES_MAX))


def _known_texts(text: str) -> tuple[str, ...]:
    """Return the long texts under a key or, without one, a heading that speaks of what exists."""
    found = [text for keys, text in json_strings(text) if _EXISTING.search(keys)]
    is_existing = False
    for line in () if found else text.splitlines():
        if line.rstrip().endswith(":"):
            is_existing = bool(_EXISTING.search(line))
        elif is_existing:
            found.append(_BULLET.sub("", line).strip())
    return tuple(known for known in found if len(words(known)) >= KNOWN_TEXT_WORDS)
