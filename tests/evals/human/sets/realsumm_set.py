"""REALSumm: summaries by 25 systems, and which content units of the reference people find in each.

The tidy form is that of Lite2-3Pyramid, line i of every file being document i; the single answers of four
people for each summary are in the first repository, if that is there.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gather_worker.calibrate.record_file import RecordForm, read_records
from gather_worker.errors import InvalidInput
from tests.evals.human.sets.catalogue import REALSUMM
from tests.evals.human.sets.label_files import RECORDS_MAX, lines_of, same_lines

EVENT: Final = "Input.eventId"
STATEMENTS: Final = tuple(f"Input.statement_{number}" for number in range(1, 17))
ANSWERED: Final = tuple(f"Answer.S{number}Answer" for number in range(1, 17))
ANSWERS: Final = RecordForm("{…}", (EVENT, *STATEMENTS, *ANSWERED), RECORDS_MAX)
BLANK: Final = "BLANK"
PRESENT: Final = "p"
RATERS: Final = 4


@dataclass(frozen=True, slots=True)
class Summary:
    """One system's summary of one document."""

    document: int
    text: str
    units: tuple[str, ...]
    present: tuple[int, ...]
    """1 for each unit that people find in it, else 0."""


def summaries(data: Path, *, odd: bool) -> list[Summary]:
    """Return the summaries of the documents with even, or odd, numbers, from 0; raises InvalidInput."""
    folder = data / REALSUMM.files[0]
    units = [tuple(line.split("\t")) for line in lines_of(folder / "SCUs.txt")]
    found = []
    for file in sorted((folder / "summaries").glob("*.summary")):
        path = folder / "labels" / f"{file.stem}.label"
        texts, labels = same_lines(file, len(units)), same_lines(path, len(units))
        for document in range(int(odd), len(units), 2):
            present = labels[document].split("\t")
            if len(present) != len(units[document]) or not set(present) <= {"0", "1"}:
                wanted = f"{len(units[document])} labels, 0 or 1, are needed"
                raise InvalidInput(f"{path}: line {document + 1}: {wanted}")
            if texts[document].strip():
                found.append(Summary(document, texts[document], units[document], tuple(map(int, present))))
    if not found:
        raise InvalidInput(f"{folder}: no summaries/*.summary with labels/*.label")
    return found


def answers(data: Path, *, odd: bool) -> Iterator[list[list[int]]]:
    """Yield for each summary what each of four people found, 1 or 0 for each unit; nothing without files."""
    identities = lines_of(data / REALSUMM.files[0] / "ids.txt")
    wanted = set(identities[int(odd) :: 2])
    for file in sorted((data / REALSUMM.files[1]).glob("SCU_rating_results_*/*.csv")):
        asked: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
        for record in read_records(file, ANSWERS):
            units = tuple(record.data.get(name, BLANK) for name in STATEMENTS)
            said = [record.data.get(name, "") == PRESENT for name in ANSWERED]
            if record.data.get(EVENT) in wanted:
                real = [int(is_there) for unit, is_there in zip(units, said, strict=True) if unit != BLANK]
                asked[record.data[EVENT], *units].append(real)
        yield from (given for given in asked.values() if len(given) == RATERS)
