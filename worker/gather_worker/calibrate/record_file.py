"""Records out of a user's file: JSON Lines, a JSON list or CSV; an error names file, line and field.

The form is told by what the file begins with, not by its name: spreadsheets write a byte order mark, and CSV
with semicolons or tabs where the language has a comma in its numbers. JSON Lines and CSV are read line by
line, a list whole. No error shows a text.
"""

import csv
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gather_worker.errors import InvalidInput

LINE_MAX_BYTES: Final = 1024 * 1024
"""A document of a database dump with an embedding is some tens of KiB."""
LIST_MAX_BYTES: Final = 64 * 1024 * 1024
SEPARATORS: Final = ",;\t"
SEPARATOR_LINE: Final = "sep="
"""Excel's own first line, which names the separator."""
MARK: Final = b"\xef\xbb\xbf"
OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
"""Of UTF-16."""
AS_UTF8: Final = "save it as UTF-8 (in Excel: CSV UTF-8)"

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RecordForm:
    """What a file is to hold."""

    example: str
    """One record as JSON."""
    columns: tuple[str, ...]
    """That CSV has to have."""
    records_max: int
    further: tuple[str, ...] = ()
    """Columns that CSV may have; others are passed over."""

    @property
    def wanted(self) -> str:
        """Return in words which forms are taken."""
        return f"wanted are JSON Lines ({self.example}), a JSON list of these, or CSV with {self.header}"

    @property
    def header(self) -> str:
        """Return in words what the first line of CSV has to name."""
        named = (
            f"the columns {', '.join(self.columns)}" if self.columns[1:] else f"a column {self.columns[0]}"
        )
        return f"{named} (and {', '.join(self.further)})" if self.further else named


@dataclass(frozen=True, slots=True)
class Record:
    """One record and its place, such as "pairs.csv: line 3"."""

    place: str
    data: Any


def read_records(file: Path, form: RecordForm) -> list[Record]:
    """Return the file's records in their order; raises InvalidInput."""
    try:
        with file.open("rb") as opened:
            found = list(itertools.islice(_records(file, opened, form), form.records_max + 1))
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read: {error.strerror}") from error
    if len(found) > form.records_max:
        raise InvalidInput(f"{file}: at most {form.records_max:,} are taken, it has more")
    return found


def checked(model: type[ModelT], data: Any, place: str) -> ModelT:
    """Return the data as a model; raises InvalidInput with its place and field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{place}: {field + ': ' if field else ''}{first['msg']}") from error


def parsed(text: str, place: str, hint: str = "") -> Any:
    """Return JSON's value; raises InvalidInput, with `hint` where the text is no JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        said = f"{error.msg} at column {error.colno}" if error.lineno == 1 else str(error)
        raise InvalidInput(f"{place}: not JSON: {said}{hint}") from error
    except RecursionError as error:
        raise InvalidInput(f"{place}: nested too deeply") from error
    except ValueError as error:
        raise InvalidInput(f"{place}: a number has too many digits") from error


# --- forms


def _records(file: Path, opened: BinaryIO, form: RecordForm) -> Iterator[Record]:
    lines = _lines(file, opened)
    first = next((line for line in lines if line[1].strip()), None)
    if first is None:
        return iter(())
    number, line = first
    if line.lstrip().startswith(b"["):
        return _of_list(file, line, opened, form)
    text = _decoded(line, f"{file}: line {number}")
    following = itertools.chain([(number, text)], _texts(file, lines))
    if text.lstrip().startswith("{") or _is_value(text, form):
        return _of_lines(file, following, form)
    return _of_csv(file, following, form)


def _is_value(line: str, form: RecordForm) -> bool:
    """Return whether a line is a JSON value, and not the one column of CSV in quotation marks."""
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return not (isinstance(value, str) and _plain(value) in map(str.lower, form.columns))


def _of_list(file: Path, begun: bytes, opened: BinaryIO, form: RecordForm) -> Iterator[Record]:
    content = begun + opened.read(LIST_MAX_BYTES)
    if len(content) > LIST_MAX_BYTES:
        too_large = f"larger than {LIST_MAX_BYTES // 1024 // 1024} MiB, write it as JSON Lines"
        raise InvalidInput(f"{file}: {too_large}")
    values = parsed(_decoded(content, str(file)), str(file), f"; {form.wanted}")
    return (Record(f"{file}: item {number}", value) for number, value in enumerate(values, start=1))


def _of_lines(file: Path, lines: Iterator[tuple[int, str]], form: RecordForm) -> Iterator[Record]:
    for number, line in lines:
        if line.strip():
            place = f"{file}: line {number}"
            yield Record(place, parsed(line.strip(), place, f"; {form.wanted}"))


def _of_csv(file: Path, lines: Iterator[tuple[int, str]], form: RecordForm) -> Iterator[Record]:
    number, head = next(lines)
    separators: str = SEPARATORS
    if head.lower().startswith(SEPARATOR_LINE):
        separators = head[len(SEPARATOR_LINE) :].strip("\r\n")[:1] or SEPARATORS
        number, head = next(lines, (number, ""))
    names, separator = _header(f"{file}: line {number}", head, separators, form)
    before = number
    rows = csv.reader((line for _, line in lines), delimiter=separator, strict=True)
    try:
        for cells in rows:
            place, before = f"{file}: line {before + 1}", number + rows.line_num
            if len(cells) > len(names):
                said = f"{len(cells)} cells under {len(names)} columns"
                raise InvalidInput(f"{place}: {said}: a text with {_named(separator)} needs quotation marks")
            if any(cell.strip() for cell in cells):
                named = zip(names, cells, strict=False)
                yield Record(place, {name: cell for name, cell in named if cell and name})
    except csv.Error as error:
        raise InvalidInput(f"{file}: line {before + 1}: not CSV: {error}") from error


def _header(place: str, line: str, separators: str, form: RecordForm) -> tuple[list[str], str]:
    """Return the columns, "" for one that is not known, and what separates them; raises InvalidInput."""
    known = {column.lower(): column for column in (*form.columns, *form.further)}
    names, used = list[str](), ""
    for separator in separators:
        try:
            (cells,) = csv.reader([line.strip("\r\n")], delimiter=separator, strict=True)
        except (csv.Error, ValueError):
            continue
        found = [known.get(_plain(cell), "") for cell in cells]
        if len(found) - found.count("") > len(names) - names.count(""):
            names, used = found, separator
    if not set(form.columns) <= set(names):
        raise InvalidInput(f"{place}: neither JSON nor CSV with {form.header}; {form.wanted}")
    if twice := next((name for name in names if name and names.count(name) > 1), ""):
        raise InvalidInput(f"{place}: two columns are named {twice}")
    return names, used


def _plain(cell: str) -> str:
    return cell.strip().lower()


def _named(separator: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(separator, separator)


# --- text


def _lines(file: Path, opened: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines with their ends; raises InvalidInput for one that is too long.

    Only a line feed ends one: JSON may hold Unicode's other line ends unescaped.
    """
    for number in itertools.count(1):
        line = opened.readline(LINE_MAX_BYTES + 1)
        if number == 1 and line.startswith(OTHER_MARKS):
            raise InvalidInput(f"{file}: it is UTF-16: {AS_UTF8}")
        line = line.removeprefix(MARK) if number == 1 else line
        if not line:
            return
        if len(line) > LINE_MAX_BYTES and not line.lstrip().startswith(b"["):
            raise InvalidInput(f"{file}: line {number}: longer than {LINE_MAX_BYTES // 1024:,} KiB")
        yield number, line


def _texts(file: Path, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
    return ((number, _decoded(line, f"{file}: line {number}")) for number, line in lines)


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{place}: not UTF-8 at byte {error.start}: {AS_UTF8}") from error
