"""What pandoc reads in an export is what the notes say."""

import json
import re
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.artefacts.document_readers import DocumentReaders
from gather_bridge.exports.note_records import Record, record_of
from tests.support.application.exported_film import item_documents, people_documents
from tests.support.application.film_notes import FilmNotes
from tests.support.application.rendered_exports import PROJECT, rendered, rendered_film
from tests.support.application_documents import Document

STRUCTURE = {"Header", "Para", "Table", "BulletList", "BlockQuote", "Plain", "HorizontalRule"}


@pytest.fixture(scope="session")
def pandoc() -> Path:
    """Debian's pandoc."""
    return DocumentReaders.from_environment().pandoc()


def read(pandoc: Path, form: str, exported: bytes) -> dict[str, Any]:
    """Return an export as pandoc's tree."""
    command = [str(pandoc), "--from", form, "--to", "json"]
    said = subprocess.run(command, input=exported, capture_output=True, check=True, timeout=60)
    tree: dict[str, Any] = json.loads(said.stdout)
    return tree


def texts(node: Any) -> Iterator[str]:
    """Yield the words of a tree in their order."""
    if isinstance(node, dict):
        if node.get("t") in {"Str", "Code"}:
            yield node["c"] if node["t"] == "Str" else node["c"][1]
        elif "c" in node:
            yield from texts(node["c"])
    elif isinstance(node, list):
        for each in node:
            yield from texts(each)


def letters(text: str) -> str:
    """Return a text without its spaces; pandoc composes letters where Unicode can."""
    return re.sub(r"\s", "", unicodedata.normalize("NFC", text))


def documents_of_all_forms() -> list[Document]:
    """Return notes of every form and script, without those that have no time of the usual type."""
    written = [note.document for note in FilmNotes(PROJECT, 7).some(120)]
    kept = [each for each in written if hasattr(each.get("createdAt"), "year") and len(str(each)) < 20_000]
    return [each | {"department": "", "automationMetadata": None} for each in kept]


@pytest.mark.parametrize("form", ["docx", "commonmark_x-smart", "gfm", "markdown-smart", "csv"])
def test_it_finds_every_note_in_order(pandoc: Path, form: str) -> None:
    """Of the sample film, and of people's notes in every form."""
    name = {"docx": "docx", "csv": "csv"}.get(form, "md")
    for documents in ([*item_documents(PROJECT), *people_documents(PROJECT)], documents_of_all_forms()):
        said = letters("".join(texts(read(pandoc, form, rendered(name, documents))["blocks"])))
        records = [record_of(each, PROJECT) for each in documents]
        found = [record.note for record in records if isinstance(record, Record)]
        assert len(found) > 14
        for note in found:
            assert letters(note.content) in said
            assert letters(note.context) in said
            assert note.id in said


@pytest.mark.parametrize("form", ["gfm", "commonmark_x-smart", "markdown-smart"])
def test_no_note_adds_to_markdown_s_structure(pandoc: Path, form: str) -> None:
    """Not in the dialects that pandoc knows either, with their lists, notes, formulas and raw parts."""
    exported = rendered_film("md", of_run=False) + rendered("md", documents_of_all_forms())
    tree = read(pandoc, form, exported)
    assert {block["t"] for block in tree["blocks"]} <= STRUCTURE
    flat = json.dumps(tree["blocks"])
    for kind in ("RawInline", "RawBlock", "CodeBlock", "Math", "Note", "Cite", "Image", "Emph", "Strikeout"):
        assert f'"t": "{kind}"' not in flat, kind


def test_headings_and_the_table_of_a_document_are_such(pandoc: Path) -> None:
    tree = read(pandoc, "docx", rendered_film("docx", of_run=True))
    headers = [
        (each["c"][0], " ".join(texts(each["c"][2]))) for each in tree["blocks"] if each["t"] == "Header"
    ]
    assert [text for level, text in headers if level == 1] == ["Story", "Character", "Sound"]
    assert sum(level == 2 for level, _ in headers) == 6
    assert [each["t"] for each in tree["blocks"]].count("Table") == 1
    assert "Marta" in "".join(texts(tree["blocks"]))
