"""CSV for spreadsheets (RFC 4180): UTF-8 with a mark, no cell that is taken for a formula, none too long.

A spreadsheet that takes semicolons for separators, as in most of Europe, does not see our quotation marks:
it begins new cells within our texts, after semicolons, tabs and line breaks. So a sign that may begin a
formula gets an apostrophe there, too. `unguarded` is the way back.
"""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, Final

from gather_bridge.exports.department_reports import Cover, Department
from gather_bridge.exports.export_formats import Format, number
from gather_bridge.exports.note_records import Record, as_json

COLUMNS: Final = (
    "id", "part", "department", "department_name", "by", "created_at", "updated_at", "created_by", "summary",
    "content", "context", "locked", "iteration", "quality_score", "model", "run", "prompt", "task_id",
    "based_on", "image_url", "document_url", "department_score", "department_threshold", "department_gaps",
)  # fmt: skip
LONG: Final = ("summary", "content", "context", "based_on", "department_gaps")
"""May need more than one cell."""
MARK: Final = "\ufeff"
"""Without it Excel reads the file in the machine's own encoding."""
CELL_UNITS: Final = 32_000
"""UTF-16 units. Excel takes 32,767 in a cell, and spills the rest into cells of the next row."""
SIGNS: Final = "=+@⁺⁼₊₌﬩﹢﹦﹫＋＝＠⩵⩶" + "\\-⁻₋−﹣－"  # noqa: RUF001 - all that look alike
"""What may begin a formula, and what NFKC makes of it."""
_UNSEEN: Final = "\\s\u00ad\u200b-\u200f\u2060\ufeff"
_SPACES: Final = '(?:[^\\S\t\r\n]|[\u00ad\u200b-\u200f\u2060\ufeff"])'
_FIRST: Final = re.compile(f"(?=[{_UNSEEN}]*[{SIGNS}])|(?=['\t\r\n])")
_WITHIN: Final = re.compile(f"(?<=[;\t\r\n])({_SPACES}*)('*)(?=([{SIGNS}])([^;\t\r\n]*))")
_GUARDED_WITHIN: Final = re.compile(f"(?<=[;\t\r\n])({_SPACES}*)'('*)(?=[{SIGNS}])")
_HARM: Final = re.compile(r"[(|!]")
"""Without one of these a formula calls nothing: the lines of a list stay as they are."""


class Csv(Format):
    """One row a note; one with a longer text than a cell holds goes on in further rows, `part` 2, 3, …."""

    media_type = "text/csv; charset=utf-8; header=present"

    def __init__(self) -> None:
        self._department: Department | None = None

    def begin(self, cover: Cover, departments: Sequence[Department]) -> bytes:  # noqa: ARG002
        """Return the names of the columns."""
        return (MARK + _row(COLUMNS)).encode()

    def section(self, department: Department | None) -> bytes:
        """Remember what the rows say of their department."""
        self._department = department
        return b""

    def note(self, record: Record) -> bytes:
        """Return the note's rows."""
        cells = self._cells(record)
        pieces = {name: cell_pieces(cells[name]) for name in LONG}
        rows = []
        for place in range(max(map(len, pieces.values()))):
            texts = {name: piece[place] if place < len(piece) else "" for name, piece in pieces.items()}
            row = (cells if place == 0 else {"id": cells["id"]}) | texts | {"part": str(place + 1)}
            rows.append(_row([guarded(row.get(name, "")) for name in COLUMNS]))
        return "".join(rows).encode("utf-8", "replace")

    def _cells(self, record: Record) -> dict[str, str]:
        shown = as_json(record)
        known = {**shown, **(shown.pop("provenance") or {})}
        cells = {name: _cell(known.get(name)) for name in COLUMNS}
        if (department := self._department) is not None:
            cells["department_name"] = cells["department_name"] or department.name
            cells["department_score"] = "" if department.score is None else number(department.score)
            cells["department_threshold"] = "" if not department.threshold else number(department.threshold)
            cells["department_gaps"] = "; ".join(gap.aspect for gap in department.gaps)
        return cells


def guarded(cell: str) -> str:
    """Return the cell so that no spreadsheet takes it, or a part of it, for a formula."""
    within = _WITHIN.sub(_guard, cell)
    return f"'{within}" if _FIRST.match(cell) else within


def unguarded(cell: str) -> str:
    """Return what a guarded cell says."""
    return _GUARDED_WITHIN.sub(r"\1\2", cell.removeprefix("'"))


def _guard(found: re.Match[str]) -> str:
    before, marks, sign, rest = found.groups()
    is_list = sign == "-" and not _HARM.search(rest)
    return found[0] if is_list and not marks else f"{before}'{marks}"


def cell_pieces(text: str) -> list[str]:
    """Return the text in pieces that a spreadsheet's cell holds, one at least."""
    has_pairs = len(text) > CELL_UNITS // 2 and max(text) > "\uffff"
    length = CELL_UNITS // 2 if has_pairs else CELL_UNITS
    return [text[start : start + length] for start in range(0, max(1, len(text)), length)]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _row(cells: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
