"""`python -m tests.evals.text_languages`: how often a text's language is named, and how often wrongly.

All texts are ours: sentences made of parts, pairs that differ in what turns their meaning, sentences that are
labelled for the brain's measures, and notes of film departments.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from dev.paths import ROOT
from gather_clients.wording.text_language import language_of_text
from tests.bench.report import table
from tests.evals.coverage_cases import HALVES, LANGUAGES, departments
from tests.evals.embedding_centre import sentences

DATA: Final = ROOT / "tests/data"
TURNED: Final = ("turned", "turned_later")
Sample = tuple[str, str]
"""A text, and its language."""


def samples() -> dict[str, list[Sample]]:
    """Return the texts by what they are."""
    return {
        "sentences of 3 to 8 words": [(text, code) for code, each in sentences().items() for text in each],
        "sentences that turn a meaning": [(text, code) for _, text, code in _turned()],
        "the same behind a sentence of 12 words": [(before + text, code) for before, text, code in _turned()],
        "sentences of notes and reviews": list(_labelled()),
        "notes": list(_notes()),
    }


def _turned() -> Iterator[tuple[str, str, str]]:
    for name in TURNED:
        entries: dict[str, Any] = json.loads((DATA / f"duplicates/{name}.json").read_text(encoding="utf-8"))
        for code, entry in entries.items():
            kinds = (pairs for kind, pairs in entry.items() if kind != "context")
            yield from ((entry["context"], text, code) for pairs in kinds for pair in pairs for text in pair)


def _labelled() -> Iterator[Sample]:
    """Yield the sentences of the sets for the brain's measures, without the sign that labels each."""
    for path in sorted((DATA / "measures").glob("*/*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from ((line[2:], path.name.split(".")[0]) for line in lines if line[1:2] == " ")


def _notes() -> Iterator[Sample]:
    folders = [(half, "en") for half in HALVES] + [(f"languages/{code}", code) for code in LANGUAGES]
    for folder, code in folders:
        yield from ((text, code) for department in departments(folder) for text in department.texts)


def main() -> None:
    """Print the table."""
    rows = []
    for name, texts in samples().items():
        found = [(language_of_text(text), code) for text, code in texts]
        right, none = sum(a == b for a, b in found), sum(a is None for a, _ in found)
        wrong = Counter(f"{b} as {a}" for a, b in found if a not in {b, None}).most_common(3)
        shares = (f"{count / len(texts):.1%}" for count in (right, none, len(texts) - right - none))
        rows.append((name, str(len(texts)), *shares, ", ".join(f"{each} ({count})" for each, count in wrong)))
    head = ("texts", "number", "right", "not told", "wrong", "most often")
    sys.stdout.write(f"{table(head, rows)}\n")


if __name__ == "__main__":
    main()
