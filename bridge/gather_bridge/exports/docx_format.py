"""Word documents (DOCX): the notes are written as they come, into an archive that is sent as it grows."""

import io
import re
import unicodedata
import zipfile
from collections.abc import Sequence
from typing import IO, Any, Final, cast
from xml.sax.saxutils import escape

from gather_bridge.exports.department_reports import Cover, Department
from gather_bridge.exports.docx_skeleton import STYLES, anchor_of, skeleton
from gather_bridge.exports.export_formats import (
    WHOLE_FILM,
    Ended,
    Format,
    body_of,
    context_of,
    gap_lines,
    heading_of,
    lead_of,
    left_out_line,
    number,
    parts_line,
    provenance_line,
)
from gather_bridge.exports.note_records import Record, is_cut

HEADING_CHARS: Final = 90
TEXT: Final = "word/document.xml"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that an archive can say: equal notes give equal bytes."""
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""
_RIGHT: Final = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_HAS_RIGHT: Final = re.compile(f"[{_RIGHT}]")
_RIGHT_RUN: Final = re.compile(f"[{_RIGHT}]+(?:\\W*[{_RIGHT}]+)*")
_LEFT_RUN: Final = re.compile(f"[^\\W_{_RIGHT}]+(?:[^{_RIGHT}]*[^\\W_{_RIGHT}]+)*")
_BREAKS: Final = re.compile("(\n|\t)")
_PARAGRAPHS: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class Docx(Format):
    """A cover with a table of scores, then a heading for each department and each note."""

    media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(cast("IO[bytes]", self._sink), "w", zipfile.ZIP_DEFLATED)
        self._text: Any = None
        self._after = b""
        self._places: dict[str, int] = {}
        self._number = 0

    def begin(self, cover: Cover, departments: Sequence[Department]) -> bytes:
        """Return all parts but the text, whose beginning follows."""
        self._places = {each.slug: place for place, each in enumerate(departments)}
        parts, before, self._after = skeleton(cover, departments)
        for name, content in parts:
            self._archive.writestr(_entry(name), content)
        # What was sent cannot be written again. Entries before this one say their sizes at their beginning,
        # by which programs know the file's kind.
        self._archive._seekable = False  # type: ignore[attr-defined] # noqa: SLF001
        self._text = self._archive.open(_entry(TEXT), "w")
        return self._written(before)

    def section(self, department: Department | None) -> bytes:
        """Return the department's heading, score and gaps."""
        self._number = 0
        if department is None:
            return self._written(paragraph("Heading1", WHOLE_FILM).encode())
        place = self._places.get(department.slug, len(self._places))
        parts = [paragraph("Heading1", department.title, anchor=(place, anchor_of(place)))]
        if department.score is not None:
            line = f"Quality {number(department.score)}, threshold {number(department.threshold)}"
            measured = parts_line(department)
            parts.append(paragraph(STYLES["lead"], f"{line} ({measured})" if measured else line))
        for name, lines in (
            ("Gaps", gap_lines(department)),
            ("Contradictions", department.contradictions),
            ("Next", department.recommendations),
        ):
            if lines:
                parts.append(paragraph(STYLES["label"], name))
                parts += [paragraph(STYLES["gap"], f"• {line}") for line in lines]
        if not department.documents:
            parts.append(paragraph(STYLES["about"], "No notes."))
        return self._written("".join(parts).encode())

    def note(self, record: Record) -> bytes:
        """Return the note's paragraphs, as far as they are packed by now."""
        self._number += 1
        heading = heading_of(record, HEADING_CHARS)
        parts = [paragraph("Heading2", f"{self._number}. {heading}")]
        if lead := lead_of(record, heading):
            parts.append(paragraphs(STYLES["lead"], lead))
        if body := body_of(record, heading):
            parts.append(paragraphs(STYLES["note"], body))
        if is_cut(record.note.content):
            parts.append(
                paragraph(STYLES["label"], "The note is longer; all of it is in the export as JSON Lines.")
            )
        if context := context_of(record):
            parts.append(paragraphs(STYLES["lead"], context, label="Context: "))
        for name, address in (("Picture", record.image_url), ("Document", record.document_url)):
            if address:
                parts.append(paragraph(STYLES["about"], f"{name}: {address}"))
        parts.append(paragraph(STYLES["about"], provenance_line(record)))
        return self._written("".join(parts).encode())

    def end(self, ended: Ended) -> bytes:
        """Return the rest."""
        lines = ["" if ended.notes else "No notes.", left_out_line(ended.left_out)]
        for line in filter(None, lines):
            self._text.write(paragraph(STYLES["about"], line).encode())
        self._text.write(self._after)
        self._text.close()
        self._archive.close()
        return self._sink.taken()

    def _written(self, text: bytes) -> bytes:
        self._text.write(text)
        return self._sink.taken()


def paragraphs(style: str, text: str, label: str = "") -> str:
    """Return a text as paragraphs, the first with a label; a single line break stays one."""
    first, *others = _PARAGRAPHS.split(text.strip("\n"))
    return paragraph(style, first, label=label) + "".join(paragraph(style, each) for each in others)


def paragraph(style: str, text: str, anchor: tuple[int, str] | None = None, label: str = "") -> str:
    """Return one paragraph as XML, in the text's own direction; `anchor` is a bookmark's number and name."""
    text = _NOT_XML.sub("", text)
    is_right = begins_right(text)
    runs = _run(label, is_right=False, properties="<w:b/>") if label else ""
    runs += "".join(_run(piece, is_right=right) for piece, right in directed(text, is_right=is_right))
    bidi = "<w:bidi/>" if is_right else ""
    if anchor is not None:
        place, name = anchor
        runs = f'<w:bookmarkStart w:id="{place}" w:name="{name}"/>{runs}<w:bookmarkEnd w:id="{place}"/>'
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{bidi}</w:pPr>{runs}</w:p>'


def begins_right(text: str) -> bool:
    """Return whether the first letter is of a script that is written from right to left."""
    if not _HAS_RIGHT.search(text):
        return False
    kinds = map(unicodedata.bidirectional, text)
    return next((kind for kind in kinds if kind in {"L", "R", "AL"}), "L") != "L"


def directed(text: str, *, is_right: bool) -> list[tuple[str, bool]]:
    """Return the text in pieces, each with whether it runs from right to left.

    Signs between words run as the paragraph does: Word does not look at their neighbours.
    """
    if not _HAS_RIGHT.search(text):
        return [(text, False)]
    pieces, place = [], 0
    for found in (_LEFT_RUN if is_right else _RIGHT_RUN).finditer(text):
        pieces += [(text[place : found.start()], is_right), (found[0], not is_right)]
        place = found.end()
    return [(piece, right) for piece, right in (*pieces, (text[place:], is_right)) if piece]


def _run(text: str, *, is_right: bool, properties: str = "") -> str:
    parts = []
    for piece in _BREAKS.split(text):
        if piece:
            part = {"\n": "<w:br/>", "\t": "<w:tab/>"}.get(piece)
            parts.append(part or f'<w:t xml:space="preserve">{escape(piece)}</w:t>')
    properties += "<w:rtl/>" if is_right else ""
    said = f"<w:rPr>{properties}</w:rPr>" if properties else ""
    return f"<w:r>{said}{''.join(parts)}</w:r>"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


class _Sink:
    """What an archive is written into, and taken from piece by piece."""

    def __init__(self) -> None:
        self._pieces = io.BytesIO()
        self._taken = 0

    def write(self, piece: bytes) -> int:
        return self._pieces.write(piece)

    def tell(self) -> int:
        return self._taken + self._pieces.tell()

    def seek(self, place: int) -> int:
        return self._pieces.seek(place - self._taken)

    def flush(self) -> None:
        """There is nothing below."""

    def taken(self) -> bytes:
        """Return what was written since."""
        whole = self._pieces.getvalue()
        self._taken += len(whole)
        self._pieces = io.BytesIO()
        return whole
