"""The example project is a whole one, and seeding it twice writes the same."""

from datetime import UTC

import pytest
from bson import ObjectId

from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_demo.cms.cms_api import DEPARTMENTS_FILE, read_departments
from gather_demo.seed.__main__ import StoreUnavailableError, patiently
from gather_demo.seed.project import read_project


def test_it_has_a_logline_and_a_dozen_notes_of_departments_that_exist() -> None:
    """Hand-written; those that have a department have one of the demo CMS."""
    project = read_project()
    known = {d["slug"]: d["name"] for d in read_departments(DEPARTMENTS_FILE)}
    assert len(project.notes) == 16
    assert "Title: The Salt Road. Logline:" in project.notes[0].text
    assert all(known[note.department] == note.department_name for note in project.notes if note.department)
    assert project.project_id == "66f1a2b3c4d5e6f708192a3b"


def test_the_two_stores_get_the_same_notes_under_the_same_ids() -> None:
    """And not as automated ones."""
    project = read_project()
    items, nodes = project.items(), project.nodes()
    canon = [str(i["_id"]) for i in items if i.get("canon", True)]
    assert canon == [n.id for n in nodes]
    assert items == read_project().items()
    assert len({i["_id"] for i in items}) == len(items)
    assert not any(i["isAutomated"] for i in items)
    assert not any(n.properties["isAutomated"] for n in nodes)


def test_its_notes_have_the_application_s_form() -> None:
    """Every required field with its type, nothing null, and one note of each kind that people leave."""
    items = read_project().items()
    for item in items:
        assert all(
            isinstance(item[name], str)
            for name in ("projectId", "content", "summary", "context", "createdBy")
        )
        assert isinstance(item["_id"], ObjectId)
        assert item["createdAt"].tzinfo is item["lastUpdated"].tzinfo is UTC
        assert None not in item.values()
    assert [i["summary"] for i in items if i.get("locked")] == ["Title and logline"]
    assert [i["summary"] for i in items if i.get("canon") is False] == ["It was all a dream"]
    assert sum("department" not in i for i in items) == 6
    assert sum(i["content"].startswith("{") for i in items) == 2
    assert sum(not i["content"] and "extractedText" in i for i in items) == 1


def test_a_worker_reads_all_of_it_but_what_is_not_canon() -> None:
    """And finds the same words that the brain was given."""
    project = read_project()
    read = {n.id: n for n in (note_of(i, project.project_id) for i in project.items()) if isinstance(n, Note)}
    assert {n.id: n.content.split() for n in project.nodes()} == {
        i: n.content.split() for i, n in read.items()
    }


async def test_an_absent_store_is_named_when_patience_ends() -> None:
    """The Job's log must say what was waited for."""

    async def absent() -> int:
        raise ConnectionError("refused")

    with pytest.raises(StoreUnavailableError, match="the brain was unavailable for 0 s: refused"):
        await patiently("the brain", absent, 0, ConnectionError)
