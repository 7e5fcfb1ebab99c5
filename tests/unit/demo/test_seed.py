"""The example project is a whole one, and seeding it twice writes the same."""

import pytest

from gather_demo.cms.cms_api import DEPARTMENTS_FILE, read_departments
from gather_demo.seed.__main__ import StoreUnavailableError, patiently
from gather_demo.seed.project import read_project


def test_it_has_a_logline_and_a_dozen_notes_of_departments_that_exist() -> None:
    """Hand-written, and tagged with departments of the demo CMS."""
    project = read_project()
    known = {d["slug"]: d["name"] for d in read_departments(DEPARTMENTS_FILE)}
    assert len(project.notes) == 12
    assert "Title: The Salt Road. Logline:" in project.notes[0].content
    assert all(known[note.department] == note.department_name for note in project.notes)
    assert project.project_id == "66f1a2b3c4d5e6f708192a3b"


def test_the_two_stores_get_the_same_notes_under_the_same_ids() -> None:
    """And not as automated ones."""
    project = read_project()
    items, nodes = project.items(), project.nodes()
    assert [i["_id"] for i in items] == [n.id for n in nodes] == [i["_id"] for i in read_project().items()]
    assert len({i["_id"] for i in items}) == len(items)
    assert not any(i["isAutomated"] for i in items)
    assert not any(n.properties["isAutomated"] for n in nodes)


async def test_an_unavailable_store_is_named_when_patience_ends() -> None:
    """The Job's log must say what was waited for."""

    async def absent() -> int:
        raise ConnectionError("refused")

    with pytest.raises(StoreUnavailableError, match="the brain was unavailable for 0 s: refused"):
        await patiently("the brain", absent, 0, ConnectionError)
