"""Markdown (CommonMark with GitHub's tables): nothing that a note says changes the document's structure."""

import re
from collections.abc import Sequence
from typing import Final

from gather_bridge.exports.department_reports import Cover, Department
from gather_bridge.exports.export_formats import (
    WHOLE_FILM,
    Ended,
    Format,
    body_of,
    context_of,
    cover_lines,
    gap_lines,
    heading_of,
    lead_of,
    left_out_line,
    number,
    parts_line,
    provenance_line,
    score_rows,
    title_of,
)
from gather_bridge.exports.note_records import Record, is_cut

HEADING_CHARS: Final = 120
TABULATOR: Final = 4
_SPECIAL: Final = re.compile(
    r"[\\`*_\[\]<>|~$^{}@#]|&(?=[#\w])|:(?=[\w+-]+:)|(?<=\bwww)\.|:(?=//)", re.IGNORECASE
)
"""Anywhere in a line. The last three: signs for pictures, and what GitHub makes links of."""
_FIRST: Final = re.compile(r"[+\-=:%]|(\(?(?:[0-9]{1,9}|[A-Za-z]|[ivxlcdmIVXLCDM]{1,9}))[.)](?=\s|$)")
"""At a line's start: lists (also pandoc's), lines under headings, definitions, a title."""
_ADDRESS: Final = re.compile(r"\bhttps?://[^\s<>\\|`\"\x00-\x1f]*[\w/=&#%-]", re.IGNORECASE)
_LEADING: Final = re.compile(r"[ \t]+")


class Markdown(Format):
    """Headings for departments and notes, a table of scores, and under each note where it comes from."""

    media_type = "text/markdown; charset=utf-8"

    def __init__(self) -> None:
        self._number = 0

    def begin(self, cover: Cover, departments: Sequence[Department]) -> bytes:
        """Return title, cover and the table of scores."""
        parts = [f"# {escaped(title_of(cover))}"]
        parts.append("\n".join(f"- **{name}:** {escaped(value)}" for name, value in cover_lines(cover)))
        if departments:
            parts += ["## Departments", _table(score_rows(departments))]
        return _blocks(parts)

    def section(self, department: Department | None) -> bytes:
        """Return the department's heading, score and gaps."""
        self._number = 0
        if department is None:
            return _blocks([f"## {WHOLE_FILM}"])
        parts = [f"## {escaped(department.title)}"]
        if department.score is not None:
            line = f"Quality {number(department.score)}, threshold {number(department.threshold)}"
            measured = parts_line(department)
            parts.append(f"{line} ({measured})" if measured else line)
        for name, lines in (
            ("Gaps", gap_lines(department)),
            ("Contradictions", department.contradictions),
            ("Next", department.recommendations),
        ):
            if lines:
                parts += [f"**{name}**", "\n".join(f"- {escaped(line)}" for line in lines)]
        return _blocks([*parts, *([] if department.documents else ["No notes."])])

    def note(self, record: Record) -> bytes:
        """Return the note."""
        self._number += 1
        heading = heading_of(record, HEADING_CHARS)
        parts = [f"### {self._number}. {escaped(heading)}"]
        if lead := lead_of(record, heading):
            parts.append(f"**Summary:** {escaped_text(lead)}")
        if body := body_of(record, heading):
            parts.append(escaped_text(body))
        if is_cut(record.note.content):
            parts.append("**The note is longer; all of it is in the export as JSON Lines.**")
        if context := context_of(record):
            parts.append(f"**Context:** {escaped_text(context)}")
        for name, address in (("Picture", record.image_url), ("Document", record.document_url)):
            if address:
                parts.append(f"**{name}:** {escaped(address)}")
        return _blocks([*parts, f"> {escaped(provenance_line(record))}"])

    def end(self, ended: Ended) -> bytes:
        """Return what was left out."""
        line = left_out_line(ended.left_out)
        parts = [] if ended.notes else ["No notes."]
        return _blocks([*parts, *(["---", escaped(line)] if line else [])])


def escaped_text(text: str) -> str:
    """Return a text of several lines as paragraphs: a line break stays one."""
    paragraphs = (paragraph.split("\n") for paragraph in re.split(r"\n[ \t]*(?:\n[ \t]*)+", text.strip("\n")))
    return "\n\n".join(
        "\\\n".join(escaped(line.rstrip(" \t")) or "\u00a0" for line in lines) for lines in paragraphs
    )


def escaped(line: str) -> str:
    """Return one line of text as Markdown that shows it, wherever it stands."""
    line = " ".join(line.split("\n"))
    leading = _LEADING.match(line)
    spaces = leading[0].replace("\t", " " * TABULATOR) if leading else ""
    rest = line[leading.end() :] if leading else line
    shown, place = [], 0
    for address in _ADDRESS.finditer(rest):
        shown += [_SPECIAL.sub(_escape, rest[place : address.start()]), f"<{address[0]}>"]
        place = address.end()
    whole = "".join(shown) + _SPECIAL.sub(_escape, rest[place:])
    return "\u00a0" * len(spaces) + _start_escaped(whole)


def _start_escaped(line: str) -> str:
    found = _FIRST.match(line)
    if found is None:
        return line
    place = found.end(1) if found[1] else 0
    return f"{line[:place]}\\{line[place:]}"


def _escape(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(map(escaped, row)) + " |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


def _blocks(parts: Sequence[str]) -> bytes:
    return "".join(f"{part}\n\n" for part in parts).encode("utf-8", "replace")
