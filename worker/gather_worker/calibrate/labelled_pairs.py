"""Labelled pairs of texts: JSON Lines with `a`, `b` and `duplicate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gather_contracts.brain import CONTENT_MAX
from gather_worker.errors import InvalidInput

PAIRS_MAX: Final = 200_000
LINE_MAX_BYTES: Final = 128 * 1024
"""Two texts of the longest kind, escaped."""
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
        InvalidInput: it cannot be read or a line is no pair; the message names the line.
    """
    pairs: list[LabelledPair] = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(LINE_MAX_BYTES), b""), start=1):
                if line.strip():
                    pairs.append(_pair(line, path.name, number))
                if len(pairs) > PAIRS_MAX:
                    raise InvalidInput(f"{path.name} has more than {PAIRS_MAX} pairs")
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error.strerror}") from error
    if not pairs:
        raise InvalidInput(f"{path.name} has no pairs")
    return pairs


def _pair(line: bytes, name: str, number: int) -> LabelledPair:
    try:
        return LabelledPair.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise InvalidInput(f"{name}, line {number}: {place}: {first['msg']}") from error


def write_pairs(path: Path, pairs: Sequence[LabelledPair]) -> None:
    """Write pairs in the form that `read_pairs` reads."""
    lines = (pair.model_dump_json() for pair in pairs)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
