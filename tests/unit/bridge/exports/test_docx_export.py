"""DOCX: every text comes back through another reader, XML holds, and equal notes are equal bytes."""

import io
import re
import zipfile
from xml.etree import ElementTree as ET

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_bridge.exports.docx_format import begins_right, directed, paragraph
from gather_bridge.exports.note_records import Record
from tests.support.application.exported_film import FILM
from tests.support.application.rendered_exports import note_text, rendered_film, rendered_note

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
DIRECTIONS = st.text(alphabet="ab 1.\u05d0\u05d1\u0627\u0628-\n\t", max_size=30)


def text_of(xml: str) -> str:
    """Return a paragraph's text as readers have it."""
    root = ET.fromstring(f"<r {NAMESPACE}>{xml}</r>".encode())  # noqa: S314 - our own
    signs = {f"{W}br": "\n", f"{W}tab": "\t"}
    return "".join(
        each.text or "" if each.tag == f"{W}t" else signs.get(each.tag, "") for each in root.iter()
    )


@given(st.one_of(st.text(), st.text(alphabet=st.characters(categories=["Cc", "Cs", "Cn", "Lo"])), DIRECTIONS))
@settings(max_examples=300, deadline=None)
def test_a_paragraph_is_xml_and_says_its_text(text: str) -> None:
    """Without what XML cannot hold."""
    kept = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
    assert text_of(paragraph("Note", text)).replace("\r", "\n") == kept.replace("\r", "\n")


@given(DIRECTIONS)
@settings(max_examples=200, deadline=None)
def test_pieces_of_a_direction_make_the_text(text: str) -> None:
    for is_right in (True, False):
        pieces = directed(text, is_right=is_right)
        assert "".join(piece for piece, _ in pieces) == text
        assert not any(re.search("[\u05d0\u05d1\u0627\u0628]", piece) for piece, right in pieces if not right)
        assert not any(re.search("[ab]", piece) for piece, right in pieces if right)


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        pytest.param("הים 40", True, id="Hebrew"),
        pytest.param("1. مارتا", True, id="number first"),
        pytest.param("Marta הים", False, id="Latin first"),
        pytest.param("40 - !", False, id="no letters"),
    ],
)
def test_a_paragraph_runs_as_its_first_letter_does(text: str, is_right: bool) -> None:
    assert begins_right(text) is is_right
    assert ("<w:bidi/>" in paragraph("Note", text)) is is_right


def test_another_reader_finds_headings_table_and_texts() -> None:
    document = Document(io.BytesIO(rendered_film("docx", of_run=True)))
    texts = [each.text for each in document.paragraphs]
    assert [p.text for p in document.paragraphs if p.style and p.style.name == "Heading 1"] == [
        "Story", "Character", "Sound",
    ]  # fmt: skip
    cells = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert cells[1][1:] == ["84.2", "80", "yes", "3", "3", "threshold reached"]
    for notes in FILM["notes"].values():
        for note in notes:
            assert all(each in texts for each in note["content"].split("\n\n"))


def test_it_says_nothing_of_the_machine_that_made_it() -> None:
    exported = rendered_film("docx", of_run=True)
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        names = archive.namelist()
        about = archive.read("docProps/app.xml") + archive.read("docProps/core.xml")
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        # superdoc/docx-corpus 8: without attributes Word for Mac calls the document damaged.
        assert all(info.external_attr for info in archive.infolist())
        # sindresorhus/file-type 799: with sizes behind them, entries do not show the file's kind.
        assert [info.filename for info in archive.infolist() if info.flag_bits & 8] == ["word/document.xml"]
        assert names[0] == "[Content_Types].xml"
        assert b"thumbnail" not in archive.read("_rels/.rels")
        for name in names:
            if name.endswith((".xml", ".rels")):
                ET.fromstring(archive.read(name))  # noqa: S314 - our own
    assert not re.search(rb"python-docx|Macintosh|Word", about)
    assert "docProps/thumbnail.jpeg" not in names
    document = Document(io.BytesIO(exported))
    known = document.core_properties
    assert (known.author, known.last_modified_by, known.comments) == ("Gather", "", "")
    assert known.created.isoformat().startswith("2026-11-29T09:18")
    assert exported == rendered_film("docx", of_run=True)


@given(st.text(max_size=50), st.text(max_size=50))
@settings(max_examples=5, deadline=None)
def test_any_note_makes_a_document_that_opens(content: str, summary: str) -> None:
    record = note_text(content=content, summary=summary)
    document = Document(io.BytesIO(rendered_note("docx", content=content, summary=summary)))
    if isinstance(record, Record):
        said = "".join(each.text for each in document.paragraphs)
        assert re.sub(r"\s", "", record.note.content) in re.sub(r"\s", "", said)
