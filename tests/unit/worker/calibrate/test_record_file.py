"""What people's files hold: each form with the same records, and a fault named by file, line and field."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_worker.calibrate import record_file
from gather_worker.calibrate.labelled_pairs import LabelledPair, read_pairs, write_pairs
from gather_worker.calibrate.record_file import RecordForm, read_records
from gather_worker.errors import InvalidInput

PAIRS = [
    LabelledPair(a="The lamp, lit.", b='She says "no".\nTwice.', duplicate=False),
    LabelledPair(a="Ada keeps it; alone.", b="Nobody but Ada.\u2028", duplicate=True),
]
FORM = RecordForm(example="{}", columns=("text",), records_max=3, further=("kind",))


def as_csv(pairs: Sequence[LabelledPair], separator: str = ",", *, end: str = "\r\n") -> str:
    """Return pairs as a spreadsheet writes them."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator, lineterminator=end)
    writer.writerow(["Duplicate", "a", "note", "b"])
    for pair in pairs:
        writer.writerow([str(pair.duplicate).upper(), pair.a, "", pair.b])
    return written.getvalue()


def as_list(pairs: Sequence[LabelledPair]) -> str:
    """Return pairs as a JSON list over several lines."""
    return json.dumps([pair.model_dump() for pair in pairs], indent=2)


FORMS = {
    "list": as_list(PAIRS),
    "list in a line": json.dumps([pair.model_dump() for pair in PAIRS]),
    "csv": as_csv(PAIRS),
    "csv with semicolons": as_csv(PAIRS, ";"),
    "csv with tabs": as_csv(PAIRS, "\t", end="\n"),
    "csv of Excel": "sep=;\r\n" + as_csv(PAIRS, ";"),
    "csv with its own separator": "sep=|\n" + as_csv(PAIRS, "|"),
    "blank lines": "\n\n" + as_csv(PAIRS) + "\r\n,,,\r\n\r\n",
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "mark"])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_holds_the_same_pairs(tmp_path: Path, form: str, mark: str) -> None:
    """With the mark that spreadsheets write, and without; the file's name says nothing."""
    path = tmp_path / "pairs"
    path.write_bytes((mark + FORMS[form]).encode())
    assert read_pairs(path) == PAIRS


def test_written_pairs_are_read_again(tmp_path: Path) -> None:
    """As JSON Lines, also behind a byte order mark."""
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, PAIRS)
    assert read_pairs(path) == PAIRS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_pairs(path) == PAIRS


@given(
    st.lists(
        st.builds(
            LabelledPair,
            a=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
            b=st.just("other"),
            duplicate=st.booleans(),
        ),
        min_size=1,
    ),
    st.sampled_from(",;\t"),
)
def test_any_text_comes_back_out_of_csv(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[LabelledPair], separator: str
) -> None:
    """Quotation marks, separators and line breaks in a cell are the text's own."""
    path = tmp_path_factory.getbasetemp() / "drawn.csv"
    path.write_bytes(as_csv(pairs, separator).encode())
    assert read_pairs(path) == pairs


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": "x", "b": "y", "duplicate": true}\n{"a": "", "b": "y", "duplicate": true}', "line 2: a: "),
        ("a,b,duplicate\nx,y,1\nx,,0\n", "line 3: b: Field required"),
        ('a,b,duplicate\n"x\ny\nz",y,1\nx,y,maybe\n', "line 5: duplicate: Input should be a valid boolean"),
        ("a;b;duplicate\nx;y; and z;1\n", "line 2: 4 cells under 3 columns: a text with a semicolon needs"),
        ('a,b,duplicate\n"x,y,1\n', "line 2: not CSV: unexpected end of data"),
        ('a,b,duplicate\nx,y,1\n"x" z,y,1\n', "line 3: not CSV: "),
        ("a,b,b,duplicate\nx,y,z,1", "line 1: two columns are named b"),
        ("a,b\nx,y", "line 1: neither JSON nor CSV with the columns a, b, duplicate; wanted are JSON"),
        ("x\ty\t1", "wanted are JSON Lines"),
        ("sep=;", "neither JSON nor CSV"),
        ('[{"a": "x", "b": "y", "duplicate": true}, {"a": "x"}]', "item 2: b: Field required"),
        ('[{"a": "x"', "not JSON: Expecting ',' delimiter at column 11; wanted are JSON Lines"),
        ('{\n "a": "x"}', "line 1: not JSON: "),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "line 1: a number has too many digits"),
        ('{"a": "\\ud800", "b": "y", "duplicate": true}', "line 1: a: "),
        ("  \n\n", "no pairs; wanted are JSON Lines"),
        ("null", "line 1: Input should be"),
        (b"\xff\xfea\x00", "it is UTF-16: save it as UTF-8"),
        ("a,b,duplicate\nCafé,y,1".encode("cp1252"), "line 2: not UTF-8 at byte 3: save it as UTF-8"),
        (b"x" * (record_file.LINE_MAX_BYTES + 1), "line 1: longer than 1,024 KiB"),
        ('a,b,duplicate\n"' + "x\n" * 100_000, "line 2: not CSV: field larger than field limit"),
    ],
    ids=[
        "too short", "empty cell", "after a text of three lines", "too many cells", "open quotation mark",
        "after a quotation mark", "column twice", "column missing", "no header", "nothing but sep",
        "list", "cut list", "object of several lines", "deep", "long number", "half a character", "empty",
        "no object", "utf-16", "latin", "long line", "long cell",
    ],
)  # fmt: skip
def test_a_fault_is_named_by_file_line_and_field(tmp_path: Path, content: str | bytes, said: str) -> None:
    """And never by the text; where the form is wrong, with those that are taken."""
    path = tmp_path / "pairs"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the system's word for why."""
    with pytest.raises(InvalidInput, match="nothing: cannot be read: No such file"):
        read_records(tmp_path / "nothing", FORM)


def test_more_records_than_are_taken_are_refused(tmp_path: Path) -> None:
    """Without reading the rest."""
    path = tmp_path / "x.csv"
    path.write_text("text,kind\n" + "x,y\n" * 3)
    assert [record.data for record in read_records(path, FORM)] == [{"text": "x", "kind": "y"}] * 3
    path.write_text("text\n" + "x\n" * 4 + '"')
    with pytest.raises(InvalidInput, match="at most 3 are taken"):
        read_records(path, FORM)


def test_a_list_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON Lines are read line by line, and have no such limit."""
    monkeypatch.setattr(record_file, "LIST_MAX_BYTES", 50)
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{"text": "x" * 60}]))
    with pytest.raises(InvalidInput, match="write it as JSON Lines"):
        read_records(path, FORM)
