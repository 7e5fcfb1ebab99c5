"""Sets of which every part is kept back: sentence specificity, SemEval-2019 task 9 A, SICK and HANNA.

Nobody looks at them while measures are made; the report reads them with --kept-back alone. The forms are
those that their repositories describe.
"""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Final

from pydantic import AliasChoices, Field

from gather_worker.errors import InvalidInput
from tests.evals.human.sets.catalogue import HANNA, SICK, SPECIFICITY, SUGGESTIONS
from tests.evals.human.sets.label_files import TEXT_MAX, Labelled, lines_of, records_of, same_lines, text_of
from tests.evals.human.sets.story_sets import Rated, Rating

DOMAINS: Final = {"movie": "film reviews", "yelp": "reviews of places", "twitter": "tweets"}
SICK_COLUMNS: Final = ("sentence_A", "sentence_B", "entailment_label")
CONTRADICTION: Final = "CONTRADICTION"


def rated_sentences(data: Path, domain: str) -> list[tuple[str, float]]:
    """Return a domain's sentences with the mean rating of their specificity; raises InvalidInput.

    `DOMAINs.txt` holds the sentences, `DOMAINv.txt` the ratings, line by line.
    """
    folder = data / SPECIFICITY.files[0]
    sentences = lines_of(folder / f"{domain}s.txt")
    path = folder / f"{domain}v.txt"
    found = []
    for number, (text, rating) in enumerate(
        zip(sentences, same_lines(path, len(sentences)), strict=True), start=1
    ):
        try:
            found.append((text, float(rating)))
        except ValueError as error:
            raise InvalidInput(f"{path}: line {number}: not a number") from error
    return [(text, rating) for text, rating in found if text.strip()]


def suggestions(data: Path) -> list[tuple[str, int]]:
    """Return sentences and 1 for each that suggests something to do; raises InvalidInput.

    CSV of identity, sentence and label, with or without a first line that names them.
    """
    path = data / SUGGESTIONS.files[0]
    rows = csv.reader(text_of(path, passes_over=True).splitlines(keepends=True))
    found = []
    try:
        for cells in rows:
            if len(cells) >= 3 and cells[2].strip() in {"0", "1"}:
                found.append((cells[1][:TEXT_MAX], int(cells[2])))
            elif cells and rows.line_num > 1:
                raise InvalidInput(f"{path}: line {rows.line_num}: no identity, sentence and label 0 or 1")
    except csv.Error as error:
        raise InvalidInput(f"{path}: line {rows.line_num}: not CSV: {error}") from error
    return [(text, label) for text, label in found if text.strip()]


def entailments(data: Path) -> list[tuple[str, str, int]]:
    """Return pairs of sentences and 1 for each in which one contradicts the other; raises InvalidInput.

    Separated by tabs; quotation marks are signs like others.
    """
    path = data / SICK.files[0]
    head, *lines = lines_of(path)
    columns = head.split("\t")
    if not set(SICK_COLUMNS) <= set(columns):
        raise InvalidInput(f"{path}: line 1: the columns {', '.join(SICK_COLUMNS)} are needed")
    places = [columns.index(name) for name in SICK_COLUMNS]
    found = []
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise InvalidInput(f"{path}: line {number}: {len(cells)} cells under {len(columns)} columns")
        one, other, label = (cells[place] for place in places)
        found.append((one, other, int(label.upper() == CONTRADICTION)))
    return found


class _Story(Labelled):
    story_id: int = Field(validation_alias=AliasChoices("Story ID", "Story_ID"))
    story: Annotated[str, Field(alias="Story", min_length=1)]
    coherence: Annotated[Rating, Field(alias="Coherence")]


def rated_stories(data: Path) -> list[Rated]:
    """Return stories with each person's rating of their coherence, 1 to 5; raises InvalidInput."""
    texts: dict[int, str] = {}
    ratings: dict[int, list[float]] = defaultdict(list)
    columns = ("Story", "Coherence")
    for _, each in records_of(data / HANNA.files[0], _Story, columns, ("Story ID", "Story_ID")):
        texts.setdefault(each.story_id, each.story)
        ratings[each.story_id].append(each.coherence)
    return [Rated(str(identity), text, tuple(ratings[identity])) for identity, text in texts.items()]
