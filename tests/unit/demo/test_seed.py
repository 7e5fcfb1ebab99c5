"""The example project is a whole one, and seeding it twice writes the same."""

from datetime import UTC

import pytest
import yaml
from bson import ObjectId

from dev.cli.deploy import EXAMPLES
from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_demo.cms.cms_api import shipped_departments
from gather_demo.languages import Language
from gather_demo.seed.__main__ import StoreUnavailableError, patiently
from gather_demo.seed.project import read_project

SAME = {"key", "department", "document_url", "locked", "canon"}
"""What a note is, in whatever language."""


@pytest.mark.parametrize(
    ("language", "logline"),
    [(Language.EN, "Title: The Salt Road. Logline:"), (Language.DE, "Titel: Die Salzstraße. Logline:")],
)
def test_it_has_a_logline_and_a_dozen_notes_of_departments_that_exist(
    language: Language, logline: str
) -> None:
    """Hand-written; those that have a department have one of the demo CMS."""
    project = read_project(language)
    known = {d["slug"]: d["name"] for d in shipped_departments(language)}
    assert len(project.notes) == 16
    assert logline in project.notes[0].text
    assert all(known[note.department] == note.department_name for note in project.notes if note.department)
    assert [n.model_dump(include=SAME) for n in project.notes] == [
        n.model_dump(include=SAME) for n in read_project().notes
    ]


def test_each_language_has_a_film_of_its_own() -> None:
    """So that one demo leaves the other's notes alone; the run that it shows names it."""
    named = {str(yaml.safe_load(path.read_text("utf-8"))["spec"]["projectId"]) for path in EXAMPLES.values()}
    assert named == {read_project(language).project_id for language in Language}
    assert len(named) == len(Language)


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


@pytest.mark.parametrize("language", list(Language))
def test_its_notes_have_the_application_s_form(language: Language) -> None:
    """Every required field with its type, nothing null, and one note of each kind that people leave."""
    items = read_project(language).items()
    for item in items:
        assert all(
            isinstance(item[name], str)
            for name in ("projectId", "content", "summary", "context", "createdBy")
        )
        assert isinstance(item["_id"], ObjectId)
        assert item["createdAt"].tzinfo is item["lastUpdated"].tzinfo is UTC
        assert None not in item.values()
    assert sum(bool(i.get("locked")) for i in items) == 1
    assert sum(i.get("canon") is False for i in items) == 1
    assert sum("department" not in i for i in items) == 6
    assert sum(i["content"].startswith("{") for i in items) == 2
    assert sum(not i["content"] and "extractedText" in i for i in items) == 1


@pytest.mark.parametrize("language", list(Language))
def test_a_worker_reads_all_of_it_but_what_is_not_canon(language: Language) -> None:
    """And finds the same words that the brain was given."""
    project = read_project(language)
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
