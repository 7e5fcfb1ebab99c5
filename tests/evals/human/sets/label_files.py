"""Files of public labels, read within bounds; what is wrong with one is said with its file and line."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gather_worker.calibrate.record_file import RecordForm, checked, parsed, read_records
from gather_worker.errors import InvalidInput

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
RECORDS_MAX: Final = 200_000
TEXT_MAX: Final = 50_000
"""Characters of one text; the longest story of the sets has some 15,000."""

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=BaseModel)


class Labelled(BaseModel):
    """One record of a file; what is not asked for is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_max_length=TEXT_MAX)


def records_of(
    path: Path, model: type[RecordT], columns: Sequence[str], further: Sequence[str] = ()
) -> list[tuple[str, RecordT]]:
    """Return the records of CSV or JSON Lines, each with its place; raises InvalidInput, also for none."""
    form = RecordForm("{…}", tuple(columns), RECORDS_MAX, tuple(further))
    found = [(record.place, checked(model, record.data, record.place)) for record in read_records(path, form)]
    if not found:
        raise InvalidInput(f"{path}: it is empty")
    return found


def text_of(path: Path, *, passes_over: bool = False) -> str:
    """Return a file's text; `passes_over` drops bytes that are not UTF-8, as a set's own programs do."""
    try:
        with path.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInput(f"{path}: larger than {FILE_BYTES_MAX // 1024 // 1024} MiB")
    try:
        return content.decode("utf-8-sig", "ignore" if passes_over else "strict")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{path}: line {number}: not UTF-8") from error


def lines_of(path: Path) -> list[str]:
    """Return a file's lines without their ends and without an empty last one; raises InvalidInput."""
    lines = text_of(path).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if len(line) > TEXT_MAX:
            raise InvalidInput(f"{path}: line {number}: longer than {TEXT_MAX:,} characters")
    return [line.removesuffix("\r") for line in lines]


def same_lines(path: Path, expected: int) -> list[str]:
    """Return a file's lines, which another file's lines belong to; raises InvalidInput for another number."""
    lines = lines_of(path)
    if len(lines) != expected:
        raise InvalidInput(f"{path}: line {len(lines)}: it ends, and {expected} lines are needed")
    return lines


def json_of(path: Path, form: TypeAdapter[T], mend: tuple[re.Pattern[str], str] | None = None) -> T:
    """Return a JSON file's value; `mend` puts right what is broken as published. Raises InvalidInput."""
    text = text_of(path)
    value: Any = parsed(mend[0].sub(mend[1], text) if mend else text, str(path))
    try:
        return form.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{path}: {field}: {first['msg']}") from error
