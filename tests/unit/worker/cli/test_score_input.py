"""Users' files: what is taken, and how a fault is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from gather_contracts.departments import DEFAULT_MODEL
from gather_worker.cli.arguments import parse_arguments
from gather_worker.cli.score_input import ITEMS_MAX, ScoreInput, read_score_input
from gather_worker.errors import InvalidInput

PROJECT = "66f1a2b3c4d5e6f708192a3b"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(
    folder: Path, items: str | bytes, department: Any = None, project: str | None = PROJECT
) -> ScoreInput:
    """Write both files and read them."""
    text = department if isinstance(department, str) else json.dumps(department or {"slug": "story"})
    (folder / "department.json").write_text(text, encoding="utf-8")
    (folder / "items").write_bytes(items if isinstance(items, bytes) else items.encode())
    return read_score_input(folder / "department.json", folder / "items", project)


@pytest.mark.parametrize(
    "items",
    [
        '"One."\n{"content": "Two."}\n',
        '["One.", {"content": "Two."}]',
        '\n\n"One."\r\n\n{"_id": {"$oid": "x"}, "content": "Two.", "automation": null}',
        b'\xef\xbb\xbf["One.", "Two."]',
        '{"content": "One.", "department": "story"}\n{"content": "Two."}',
        b'\xef\xbb\xbf"One."\r\n"Two."\r\n',
        "content\nOne.\nTwo.\n",
        '"content"\n"One."\n"Two."',
        b"\xef\xbb\xbfid;Department;Content\r\n1;story;One.\r\n2;;Two.\r\n",
    ],
    ids=[
        "lines", "list", "blank lines and a dump", "byte order mark", "with department", "lines with a mark",
        "csv", "csv in quotation marks", "csv of a spreadsheet",
    ],
)  # fmt: skip
def test_items_are_taken_in_each_form(folder: Path, items: str | bytes) -> None:
    """Texts or objects with content, in their order."""
    found = read(folder, items)
    assert [item.content for item in found.items] == ["One.", "Two."]
    assert found.project_id == PROJECT


def test_a_cms_document_is_a_department(folder: Path) -> None:
    """As it comes from the CMS, with what this command does not need."""
    cms = {
        "id": "1",
        "slug": "story",
        "name": "Story Department",
        "description": "Plot",
        "defaultModel": "a/b",
    }
    department = read(folder, '"One."', cms).department
    assert (department.name, department.description, department.model) == ("Story Department", "Plot", "a/b")
    plain = read(folder, '"One."', {"slug": "story", "description": None}).department
    assert (plain.name, plain.description, plain.model) == ("story", "", DEFAULT_MODEL)


def test_items_of_other_departments_are_left_out(folder: Path) -> None:
    """A whole project may be given; a worker too scores its own department's notes."""
    found = read(folder, '{"content": "One.", "department": "sound"}\n{"content": "Two."}')
    assert ([item.content for item in found.items], found.left_out) == (["Two."], 1)


def test_the_project_may_stand_on_the_items(folder: Path) -> None:
    """As in a dump of the database."""
    line = json.dumps({"content": "One.", "projectId": PROJECT})
    assert read(folder, line, project=None).project_id == PROJECT


@pytest.mark.parametrize(
    ("items", "department", "project", "expected"),
    [
        ('"One."\n{"content": ""}', None, PROJECT, "items: line 2: content: "),
        ('"One."\n\n{"content": 3}', None, PROJECT, "items: line 3: content: "),
        ('"One."\n{"content"', None, PROJECT, "items: line 2: not JSON"),
        ('["One.", {}]', None, PROJECT, "items: item 2: content: Field required"),
        ("[" * 100_000, None, PROJECT, "items: nested too deeply"),
        ("", None, PROJECT, "items: no items of department story"),
        ("3", None, PROJECT, "items: line 1: "),
        (b"\xff", None, PROJECT, "items: line 1: not UTF-8 at byte 0: save it as UTF-8"),
        ('"x"\n' * (ITEMS_MAX + 1), None, PROJECT, f"at most {ITEMS_MAX:,} are taken"),
        ("content,department\nOne.,story\n,story", None, PROJECT, "items: line 3: content: Field required"),
        ("text\nOne.", None, PROJECT, "items: line 1: neither JSON nor CSV with a column content"),
        ("notes", None, PROJECT, 'wanted are JSON Lines ("…" or {"content": "…"}), a JSON list of these'),
        ('"One."', "{}", PROJECT, "department.json: slug: Field required"),
        ('"One."', "[]", PROJECT, "department.json: "),
        ('"One."', "not", PROJECT, "department.json: not JSON"),
        ('"One."', {"slug": "Bad Slug"}, PROJECT, "department.json: slug: "),
        ('"One."', {"slug": "story", "description": "x" * 9000}, PROJECT, "department.json: description: "),
        ('"One."', None, "film", "arguments: project: "),
        ('"One."', None, None, "--project is needed"),
        ('{"content": "1", "projectId": "0"}', None, PROJECT, "items: line 1: projectId: "),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_place(
    folder: Path, items: str | bytes, department: Any, project: str | None, expected: str
) -> None:
    """File, line and field; never the text itself."""
    with pytest.raises(InvalidInput) as caught:
        read(folder, items, department, project)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    """With the system's word for why."""
    with pytest.raises(InvalidInput, match=r"missing\.json: cannot be read: No such file"):
        read_score_input(folder / "missing.json", folder / "items", None)


def test_json_is_what_is_printed_unless_a_table_is_asked_for() -> None:
    """The last option does not decide: they exclude each other."""
    files = ["score", "--department", "d", "--items", "i"]
    found = [parse_arguments([*files, *more]).is_table for more in ([], ["--json"], ["--table"])]
    assert found == [False, False, True]
    with pytest.raises(InvalidInput):
        parse_arguments([*files, "--json", "--table"])
