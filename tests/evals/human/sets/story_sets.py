"""Stories and summaries that people rated or found faults in: SummEval-OP, StorySumm, TTCW, TRIPOD."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from gather_worker.errors import InvalidInput
from tests.evals.human.sets.catalogue import STORYSUMM, SUMMEVAL, TRIPOD, TTCW
from tests.evals.human.sets.label_files import TEXT_MAX, Labelled, json_of, records_of

STRAY_QUOTE: Final = re.compile(r'",[ \t]*"[ \t]*\n')
"""A line of StorySumm as published ends in one quotation mark too many."""
SENTENCE: Final = re.compile(r"\[STR_SENT\]\s*(.*?)\s*\[END_SENT\]", re.DOTALL)
TURNING_POINTS: Final = ("tp1", "tp2", "tp3", "tp4", "tp5")
LINK: Final = "https://"
"""Stories that a magazine owns stand in TTCW as their addresses."""

Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
Rating = Annotated[float, Field(ge=1, le=5)]


@dataclass(frozen=True, slots=True)
class Rated:
    """A text, and each person's rating of it."""

    group: str
    """Texts of one group are about the same."""
    text: str
    ratings: tuple[float, ...]
    about: tuple[str, ...] = ()
    """What it sums up."""


class _Product(Labelled):
    reviews: list[Text]
    summaries: list[Text]
    fl: list[list[Rating]]
    co: list[list[Rating]]
    re: list[list[Rating]]
    fa: list[list[Rating]]
    ac: list[list[Rating]]
    sc: list[list[Rating]]
    sp: list[list[Rating]]


def rated_summaries(data: Path, part: Literal["co", "ac", "sp"], *, odd: bool) -> list[Rated]:
    """Return SummEval-OP's summaries of even, or odd, products, from 0, with ratings of one kind.

    "co" is coherence, "ac" aspect coverage, "sp" specificity, 1 to 5. Raises InvalidInput.
    """
    found = []
    path = data / SUMMEVAL.files[0]
    for number, (place, product) in enumerate(records_of(path, _Product, ("reviews", "summaries"))):
        ratings: list[list[float]] = getattr(product, part)
        if len(ratings) != len(product.summaries) or len({len(given) for given in ratings}) != 1:
            raise InvalidInput(f"{place}: {part}: one list of ratings for each summary is needed")
        if number % 2 == int(odd):
            pairs = zip(product.summaries, ratings, strict=True)
            about = tuple(product.reviews)
            found += [Rated(str(number), text, tuple(given), about) for text, given in pairs]
    return found


class _Summarised(Labelled):
    story: Text
    summary: list[Text]
    errors: list[Literal[0, 1]]


@dataclass(frozen=True, slots=True)
class Faulty:
    """A story, the sentences of a summary of it, and which of those people call wrong."""

    story: str
    sentences: tuple[str, ...]
    is_wrong: tuple[int, ...]


def faulty_summaries(data: Path) -> list[Faulty]:
    """Return StorySumm's summaries but those of which not every sentence is labelled; raises InvalidInput."""
    form = TypeAdapter(dict[str, _Summarised])
    found = json_of(data / STORYSUMM.files[0], form, (STRAY_QUOTE, '",\n'))
    return [
        Faulty(each.story, tuple(each.summary), tuple(1 - error for error in each.errors))
        for each in found.values()
        if len(each.summary) == len(each.errors)
    ]


class _Story(Labelled):
    story_id: str
    content: Text


class _Verdict(Labelled):
    story_id: str
    ttcw_idx: int
    expert_idx: int
    binary_verdict: Literal["Yes", "No"]


def judged_stories(data: Path, tests: frozenset[int]) -> list[Rated]:
    """Return TTCW's stories with how many of these tests each expert says yes to; raises InvalidInput."""
    stories = json_of(data / TTCW.files[0], TypeAdapter(list[_Story]))
    verdicts = json_of(data / TTCW.files[1], TypeAdapter(list[_Verdict]))
    said: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for verdict in verdicts:
        if verdict.ttcw_idx in tests:
            said[verdict.story_id][verdict.expert_idx] += verdict.binary_verdict == "Yes"
    return [
        Rated(story.story_id.split("_")[0], story.content, tuple(said[story.story_id].values()))
        for story in stories
        if not story.content.startswith(LINK) and said[story.story_id]
    ]


class _Synopsis(Labelled):
    movie_name: str
    synopsis_segmented: Text
    tp1: int
    tp2: int
    tp3: int
    tp4: int
    tp5: int


@dataclass(frozen=True, slots=True)
class Film:
    """A synopsis by sentences, and the five that each person calls its turning points."""

    name: str
    sentences: tuple[str, ...]
    turning_points: tuple[tuple[int, ...], ...]


def films(data: Path, *, test: bool) -> list[Film]:
    """Return TRIPOD's films; raises InvalidInput."""
    columns = ("movie_name", "synopsis_segmented", *TURNING_POINTS)
    sentences: dict[str, tuple[str, ...]] = {}
    marked: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for place, each in records_of(data / TRIPOD.files[test], _Synopsis, columns):
        name = each.movie_name.rpartition("_")[0] or each.movie_name
        own = tuple(SENTENCE.findall(each.synopsis_segmented))
        points = (each.tp1, each.tp2, each.tp3, each.tp4, each.tp5)
        if max(points) >= len(own) or min(points) < 0:
            raise InvalidInput(f"{place}: a turning point is none of its {len(own)} sentences")
        sentences.setdefault(name, own)
        if sentences[name] == own:
            marked[name].append(points)
    return [Film(name, own, tuple(marked[name])) for name, own in sentences.items()]
