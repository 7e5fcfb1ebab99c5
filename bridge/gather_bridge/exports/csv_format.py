"""CSV for spreadsheets (RFC 4180): UTF-8 with a mark, no cell that is taken for a formula, none too long.

A cell that begins with what a spreadsheet may take for a formula gets an apostrophe before it, and so does
one that begins with an apostrophe. Whoever takes one apostrophe off every cell that has one has the text.
"""

import csv
import io
import re
import unicodedata
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
_FORMULA: Final = frozenset("=+-@\N{MINUS SIGN}")
_UNSEEN: Final = re.compile("[\\s\u00ad\u200b-\u200f\u2060\ufeff]*")


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
    """Return the cell so that no spreadsheet takes it for a formula; `unguarded` is its way back."""
    first = cell[_UNSEEN.match(cell).end() :][:1]  # type: ignore[union-attr] # matches nothing, too
    is_formula = bool(first) and unicodedata.normalize("NFKC", first)[:1] in _FORMULA
    return f"'{cell}" if is_formula or (cell[:1] in {"'", "\t", "\r", "\n"} and cell) else cell


def unguarded(cell: str) -> str:
    """Return what a guarded cell says."""
    return cell.removeprefix("'")


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
