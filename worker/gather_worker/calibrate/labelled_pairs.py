"""Labelled pairs of texts: `a`, `b` and `duplicate`, as JSON Lines, a JSON list or CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from gather_contracts.brain import CONTENT_MAX
from gather_worker.calibrate.record_file import RecordForm, checked, read_records
from gather_worker.errors import InvalidInput

PAIRS: Final = RecordForm(
    example='{"a": "…", "b": "…", "duplicate": true}', columns=("a", "b", "duplicate"), records_max=200_000
)
Text = Annotated[str, Field(min_length=1, max_length=CONTENT_MAX)]


class LabelledPair(BaseModel):
    """Two texts, and whether a person calls the one a duplicate of the other."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    a: Text
    b: Text
    duplicate: bool


def read_pairs(path: Path) -> list[LabelledPair]:
    """Read a file of pairs.

    Raises:
        InvalidInput: it cannot be read or holds something else; the message names the line and the field.
    """
    pairs = [checked(LabelledPair, record.data, record.place) for record in read_records(path, PAIRS)]
    if not pairs:
        raise InvalidInput(f"{path}: no pairs; {PAIRS.wanted}")
    return pairs


def write_pairs(path: Path, pairs: Sequence[LabelledPair]) -> None:
    """Write pairs as JSON Lines."""
    lines = (pair.model_dump_json() for pair in pairs)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
