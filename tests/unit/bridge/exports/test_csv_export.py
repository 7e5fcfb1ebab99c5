"""CSV: what readers of CSV read back is what the notes say, and no cell is a formula."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_bridge.exports.csv_format import CELL_UNITS, SIGNS, cell_pieces, guarded, unguarded
from gather_bridge.exports.note_records import Record
from tests.support.application.rendered_exports import note_text, rendered_film, rendered_note

UNSEEN = "".join(c for c in map(chr, range(0x10000)) if re.match("[\\s\u00ad\u200b-\u200f\u2060\ufeff]", c))
CELLS = st.one_of(st.text(), st.text(alphabet="=+-@\t\r\n'\"; ,a1\u200b\uff1d\u2212", max_size=12))


def rows(exported: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"), newline=""), strict=True))


@given(CELLS)
@settings(max_examples=500, deadline=None)
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    """Nor is any part of it, where semicolons, tabs or line breaks begin a new cell."""
    safe = guarded(cell)
    assert unguarded(safe) == cell
    first, *others = re.split("[;\t\r\n]", safe)
    assert not re.match(f"[{SIGNS}]", first.lstrip(UNSEEN))
    for part in others:
        seen = part.lstrip(UNSEEN + '"')
        assert not re.match(f"[{SIGNS}]", seen) or re.fullmatch(r"-[^(|!]*", seen)


def test_all_that_unicode_knows_as_such_a_sign_is_guarded() -> None:
    """Spreadsheets take wide signs, too, where they are usual."""
    alike = {c for c in map(chr, range(0xD800)) if unicodedata.normalize("NFKC", c)[:1] in set("=+-@\u2212")}
    alike |= {
        c for c in map(chr, range(0xE000, 0x10000)) if unicodedata.normalize("NFKC", c)[:1] in set("=+-@")
    }
    assert {c for c in alike if not guarded(f"{c}1").startswith("'")} == set()


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        # OWASP/www-community 443: the second formula was calculated, by Excel and by LibreOffice.
        pytest.param("'=1+1;=1+2", "''=1+1;'=1+2", id="after a semicolon"),
        pytest.param('a;"=SUM(1)', "a;\"'=SUM(1)", id="after a quotation mark"),
        pytest.param("Props:\n- salt\n- rope", "Props:\n- salt\n- rope", id="list"),
        pytest.param("Props:\n- cmd|' /C calc'!A0", "Props:\n'- cmd|' /C calc'!A0", id="call in a list"),
        pytest.param("a\n'- b", "a\n''- b", id="apostrophe in a list"),
    ],
)
def test_a_part_that_may_be_calculated_gets_one_too(cell: str, safe: str) -> None:
    assert guarded(cell) == safe
    assert unguarded(safe) == cell


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("=1+1", id="equals"),
        pytest.param("+1", id="plus"),
        pytest.param("-1+cmd|' /C calc'!A0", id="minus"),
        pytest.param("@SUM(1)", id="at"),
        pytest.param("\t1", id="tab"),
        pytest.param("\r1", id="return"),
        pytest.param("\n1", id="line feed"),
        pytest.param("  =1", id="spaces"),
        pytest.param("\u200b=1", id="no width"),
        pytest.param("\uff1d1", id="wide sign"),
        pytest.param("'=1", id="apostrophe"),
    ],
)
def test_what_a_spreadsheet_may_calculate_gets_an_apostrophe(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@given(CELLS, CELLS)
@settings(max_examples=200, deadline=None)
def test_a_note_comes_back_as_it_was(content: str, summary: str) -> None:
    record = note_text(content=content, summary=summary)
    if isinstance(record, Record):
        (row,) = rows(rendered_note("csv", content=content, summary=summary))
        assert unguarded(row["content"]) == record.note.content
        assert unguarded(row["summary"]) == record.note.summary


@pytest.mark.parametrize("sign", ["x", "=", "\U0001f9c2"], ids=["letter", "formula", "emoji"])
def test_a_long_note_goes_on_in_further_rows(sign: str) -> None:
    """No cell is longer than a spreadsheet takes; the pieces make the note."""
    found = rows(rendered_note("csv", content=sign * 100_000))
    assert [row["part"] for row in found] == [str(place + 1) for place in range(len(found))]
    assert len({row["id"] for row in found}) == 1
    assert "".join(unguarded(row["content"]) for row in found) == sign * 100_000
    assert max(len(row["content"].encode("utf-16-le")) // 2 for row in found) <= CELL_UNITS + 1
    assert {row["by"] for row in found[1:]} == {""}


def test_pieces_are_one_at_least() -> None:
    assert cell_pieces("") == [""]


def test_it_is_marked_as_utf_8_and_its_lines_end_as_the_standard_says() -> None:
    """Excel reads it in the machine's encoding otherwise."""
    exported = rendered_film("csv", of_run=True)
    assert exported.startswith(b'\xef\xbb\xbf"id","part",')
    assert exported.endswith(b"\r\n")


def test_rows_say_where_their_notes_come_from() -> None:
    found = rows(rendered_film("csv", of_run=False))
    assert [row["department"] for row in found[-6:]] == ["story"] * 3 + ["character"] * 2 + ["sound"]
    assert {row["by"] for row in found} == {"person", "gather"}
    last = found[-2]
    assert (last["run"], last["iteration"], last["model"]) == (
        "the-salt-road", "1", "anthropic/claude-sonnet-4.5",
    )  # fmt: skip
    assert (last["department_score"], last["department_threshold"]) == ("77.3", "80")
    assert found[-6]["department_gaps"] == "the ending"
