"""CSV: what readers of CSV read back is what the notes say, and no cell is a formula."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_bridge.exports.csv_format import CELL_UNITS, cell_pieces, guarded, unguarded
from gather_bridge.exports.note_records import Record
from tests.support.application.rendered_exports import note_text, rendered_film, rendered_note

CELLS = st.one_of(st.text(), st.text(alphabet="=+-@\t\r\n'\"; ,a1\u200b\uff1d\u2212", max_size=12))


def rows(exported: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"), newline=""), strict=True))


@given(CELLS)
@settings(max_examples=300, deadline=None)
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    safe = guarded(cell)
    assert unguarded(safe) == cell
    seen = safe.lstrip(" \t\r\n\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
    assert not seen or unicodedata.normalize("NFKC", seen[0])[:1] not in set("=+-@\u2212")


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("=1+1", id="equals"),
        pytest.param("+1", id="plus"),
        pytest.param("-1+cmd|' /C calc'!A0", id="minus"),
        pytest.param("@SUM(1)", id="at"),
        pytest.param("\t=1", id="tab"),
        pytest.param("\r=1", id="return"),
        pytest.param("\n=1", id="line feed"),
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
