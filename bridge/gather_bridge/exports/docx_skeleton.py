"""The parts of a Word document around its notes, made with python-docx: styles, cover, table, page numbers.

python-docx keeps a whole document in memory and takes a second for 3,000 paragraphs. So it makes what comes
before the notes and after them, and `docx_format` writes the notes between.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Cm, Pt, RGBColor

from gather_bridge.exports.department_reports import Cover, Department
from gather_bridge.exports.export_formats import cover_lines, score_rows, title_of

NOTES_HERE: Final = "gather-notes-here"
UNDATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Of a document whose notes say no date: the same notes give the same bytes."""
INK: Final = RGBColor(0x1F, 0x2A, 0x37)
ACCENT: Final = RGBColor(0x1D, 0x4E, 0x6B)
GREY: Final = RGBColor(0x6B, 0x72, 0x80)
SHADE: Final = "E8EEF2"
FONT: Final = "Calibri"
WIDTHS_CM: Final = (3.9, 1.8, 2.0, 1.8, 1.9, 1.4, 3.4)
LISTED_MAX: Final = 200
"""Departments in the table: a note may name any, and each row takes python-docx 10 ms."""
STYLES: Final = {
    "note": "Note",
    "lead": "NoteLead",
    "about": "NoteAbout",
    "gap": "NoteGap",
    "label": "NoteLabel",
}
"""Ids of the styles that `docx_format` uses besides Heading1 and Heading2."""
APP: Final = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties xmlns="http://schemas.openxmlformats.org/'
    'officeDocument/2006/extended-properties"><Application>Gather</Application></Properties>'
)
COMPATIBILITY: Final = (
    f'<w:compat {nsdecls("w")}><w:compatSetting w:name="compatibilityMode" '
    'w:uri="http://schemas.microsoft.com/office/word" w:val="15"/></w:compat>'
)
"""Without it Word opens the document as one of Word 2007."""
_THUMBNAIL: Final = re.compile(rb"<Relationship [^>]*thumbnail[^>]*/>")


def anchor_of(place: int) -> str:
    """Return the bookmark of the department at a place, to which the table leads."""
    return f"department_{place}"


def skeleton(cover: Cover, departments: Sequence[Department]) -> tuple[list[tuple[str, bytes]], bytes, bytes]:
    """Return the parts but the text's, as names and bytes, and what stands before and after the notes."""
    document = Document()
    _lay_out(document, title_of(cover))
    _make_styles(document)
    _describe(document, cover)
    document.add_paragraph(title_of(cover), style="Title")
    _add_cover(document, cover)
    if departments:
        _add_scores(document, departments)
    document.add_paragraph(NOTES_HERE)
    return _taken_apart(document)


def _lay_out(document: WordDocument, title: str) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.4)
    section.top_margin, section.bottom_margin = Cm(2.2), Cm(2.0)
    header, footer = section.header.paragraphs[0], section.footer.paragraphs[0]
    header.text = title
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for instruction, text in (("PAGE", " / "), ("NUMPAGES", "")):
        field = f'<w:fldSimple {nsdecls("w")} w:instr="{instruction}"><w:r><w:t>1</w:t></w:r></w:fldSimple>'
        footer._p.append(parse_xml(field))  # noqa: SLF001 - python-docx has no fields
        footer.add_run(text)
    settings = document.settings.element
    old = settings.find(qn("w:compat"))
    settings.replace(old, parse_xml(COMPATIBILITY))


def _make_styles(document: WordDocument) -> None:
    styles = document.styles
    for name in (*STYLES.values(), "Cover"):
        styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = styles["Normal"]
    _style(styles["Normal"], 10.5, INK, after=6, line=1.15)
    _style(styles["Title"], 26, ACCENT, is_bold=True, after=14)
    _style(styles["Heading 1"], 18, ACCENT, is_bold=True, before=0, after=8)
    _style(styles["Heading 2"], 12, INK, is_bold=True, before=16, after=3)
    _style(styles[STYLES["note"]], 10.5, INK, after=5, line=1.15)
    _style(styles[STYLES["lead"]], 10.5, ACCENT, after=5, line=1.15)
    _style(styles[STYLES["about"]], 8, GREY, before=2, after=4)
    _style(styles[STYLES["gap"]], 10, INK, after=2)
    _style(styles[STYLES["label"]], 10, ACCENT, is_bold=True, before=8, after=3)
    _style(styles["Cover"], 10.5, INK, after=2)
    _style(styles["Header"], 8, GREY)
    _style(styles["Footer"], 8, GREY)
    gap = styles[STYLES["gap"]].paragraph_format
    gap.left_indent, gap.first_line_indent = Cm(0.5), Cm(-0.4)
    styles["Heading 1"].paragraph_format.page_break_before = True
    for name in ("Heading 1", "Heading 2", STYLES["label"]):
        styles[name].paragraph_format.keep_with_next = True
    _remove_line(styles["Title"])


def _style(
    style: Any, points: float, colour: RGBColor, *, is_bold: bool = False, before: float = 0,
    after: float = 0, line: float = 1.0,
) -> None:  # fmt: skip
    """Give a style its look, in the scripts that Word keeps apart too."""
    style.font.name, style.font.size, style.font.bold = FONT, Pt(points), is_bold
    style.font.color.rgb = colour
    spacing = style.paragraph_format
    spacing.space_before, spacing.space_after, spacing.line_spacing = Pt(before), Pt(after), line
    properties = style.element.get_or_add_rPr()
    fonts = properties.find(qn("w:rFonts"))
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for script in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.set(qn(f"w:{script}"), FONT)
    for name, value in (("w:szCs", str(int(points * 2))), *((("w:bCs", "1"),) if is_bold else ())):
        for old in properties.findall(qn(name)):
            properties.remove(old)
        element = parse_xml(f'<{name} {nsdecls("w")} w:val="{value}"/>')
        before_it = properties.find(qn("w:sz" if name == "w:szCs" else "w:b"))
        before_it.addnext(element)


def _remove_line(style: Any) -> None:
    for border in style.element.pPr.findall(qn("w:pBdr")):
        style.element.pPr.remove(border)


def _describe(document: WordDocument, cover: Cover) -> None:
    """Say what the document is, and nothing of the machine that made it."""
    known = document.core_properties
    made = datetime.fromisoformat(cover.changed) if cover.changed else UNDATED
    known.author, known.last_modified_by, known.comments, known.revision = "Gather", "", "", 1
    known.title, known.subject = title_of(cover), f"Project {cover.project_id}"
    known.created = known.modified = made.replace(microsecond=0, tzinfo=None)


def _add_cover(document: WordDocument, cover: Cover) -> None:
    for name, value in cover_lines(cover):
        line = document.add_paragraph(style="Cover")
        label = line.add_run(f"{name}\t")
        label.font.color.rgb = GREY
        line.add_run(value)
        line.paragraph_format.tab_stops.add_tab_stop(Cm(3))


def _add_scores(document: WordDocument, departments: Sequence[Department]) -> None:
    document.add_paragraph("Departments", style=STYLES["label"]).paragraph_format.space_before = Pt(18)
    head, *rows = score_rows(departments[:LISTED_MAX])
    table = document.add_table(rows=0, cols=len(head), style="Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    for place, row in enumerate((head, *rows)):
        cells = table.add_row().cells
        for column, (cell, text) in enumerate(zip(cells, row, strict=True)):
            cell.width = Cm(WIDTHS_CM[column])
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = paragraph.paragraph_format.space_before = Pt(2)
            if 0 < column < len(row) - 1:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
            if place and not column:
                _add_link(paragraph, text, anchor_of(place - 1))
            else:
                paragraph.add_run(text).font.bold = not place
            for run in paragraph.runs:
                run.font.size = Pt(9)
            if not place:
                cell._tc.get_or_add_tcPr().append(  # noqa: SLF001 - python-docx has no shading
                    parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="{SHADE}"/>')
                )
    for column, width_cm in zip(table.columns, WIDTHS_CM, strict=True):
        column.width = Cm(width_cm)  # for LibreOffice; Word takes that of the cells
    _repeat_head(table.rows[0])
    _thin_lines(table)


def _add_link(paragraph: Any, text: str, anchor: str) -> None:
    link = parse_xml(f'<w:hyperlink {nsdecls("w")} w:anchor="{anchor}" w:history="1"/>')
    run = paragraph.add_run(text)
    run.font.size, run.font.color.rgb = Pt(9), ACCENT
    link.append(run._r)  # noqa: SLF001 - python-docx has no links within a document
    paragraph._p.append(link)  # noqa: SLF001


def _repeat_head(row: Any) -> None:
    properties = row._tr.get_or_add_trPr()  # noqa: SLF001
    properties.append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))


def _thin_lines(table: Any) -> None:
    sides = "".join(
        f'<w:{side} w:val="{kind}" w:sz="4" w:space="0" w:color="C5CED6"/>'
        for side, kind in (("top", "single"), ("left", "nil"), ("bottom", "single"), ("right", "nil"),
                           ("insideH", "single"), ("insideV", "nil"))
    )  # fmt: skip
    properties = table._tbl.tblPr  # noqa: SLF001
    borders = parse_xml(f"<w:tblBorders {nsdecls('w')}>{sides}</w:tblBorders>")
    # In the schema's order, which Word insists on.
    later = next(each for each in properties if each.tag in {qn("w:tblLayout"), qn("w:tblLook")})
    later.addprevious(borders)


def _taken_apart(document: WordDocument) -> tuple[list[tuple[str, bytes]], bytes, bytes]:
    saved = io.BytesIO()
    document.save(saved)
    parts, text = [], b""
    with zipfile.ZipFile(saved) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "word/document.xml":
                text = content
            elif name == "docProps/app.xml":
                parts.append((name, APP.encode()))
            elif name == "_rels/.rels":
                parts.append((name, _THUMBNAIL.sub(b"", content)))
            elif name != "docProps/thumbnail.jpeg":
                parts.append((name, content))
    place = text.index(NOTES_HERE.encode())
    before, after = text.rindex(b"<w:p>", 0, place), text.index(b"</w:p>", place) + len(b"</w:p>")
    return parts, text[:before], text[after:]
