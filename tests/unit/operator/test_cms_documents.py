"""Payload's documents into departments: every form that a CMS may give a field, and what cannot be read."""

import json
from typing import Any

import pytest

from gather_operator import cms as module
from gather_operator.cms import read_documents


def document(slug: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": slug, "slug": slug, "name": slug.title(), "codeDepNumber": number,
        "gatherCheck": True, "isActive": True, **fields,
    }  # fmt: skip


def test_nulls_are_fields_that_were_never_filled() -> None:
    """Payload writes null; the model has defaults."""
    reading = read_documents(
        [document("a", 1, description=None, defaultModel=None, coordinationSettings=None)]
    )
    (department,) = reading.departments
    assert (department.description, department.default_model) == ("", None)


@pytest.mark.parametrize("field", ["gatherCheck", "isActive"])
@pytest.mark.parametrize("value", [False, None])
def test_departments_that_nobody_ticked_are_left_out(field: str, value: bool | None) -> None:
    """Even if the CMS's filter did not work: they would cost money."""
    assert read_documents([document("a", 1, **{field: value})]).departments == ()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param(document("Bad Slug", 1), "Bad Slug (slug)", id="slug"),
        pytest.param(document("a", "x"), "a (codeDepNumber)", id="number"),  # type: ignore[arg-type]
        pytest.param({"gatherCheck": True}, "document 1 (id)", id="nothing to name it by"),
        pytest.param("text", "document 1 (document)", id="not an object"),
        pytest.param(
            document("a", 1, coordinationSettings={"qualityThreshold": 101}),
            "a (coordinationSettings.qualityThreshold)",
            id="threshold",
        ),
        pytest.param(document("a", 1, defaultModel=7), "a (defaultModel)", id="number of a related model"),
        pytest.param(
            document("a", 1, defaultModel="66f1a2b3c4d5e6f708192a3b"),
            "a (defaultModel)",
            id="id of a related model",
        ),
        pytest.param(
            document("a", 1, defaultModel={"id": 7, "provider": "x"}),
            "a (defaultModel)",
            id="no model's name",
        ),
        pytest.param(document("a", True), "a (codeDepNumber)", id="not a number"),
        pytest.param(document("a", 10**12), "a (codeDepNumber)", id="far too large a number"),
        pytest.param(
            document("a", 1, coordinationSettings={"maxRetries": -1}),
            "a (coordinationSettings.maxRetries)",
            id="retries",
        ),
    ],
)
def test_malformed_documents_are_named_with_their_field(wrong: Any, named: str) -> None:
    """And the others are worked on."""
    reading = read_documents([wrong, document("good", 2)])
    assert reading.malformed == (named,)
    assert [d.slug for d in reading.departments] == ["good"]


def test_only_some_of_many_malformed_documents_are_named() -> None:
    """A condition holds 256 characters."""
    reading = read_documents([json.loads("{}")] * 20)
    assert len(reading.malformed) == module.MALFORMED_MAX + 1
    assert reading.malformed[-1] == "12 more"


LEXICAL = {
    "root": {
        "type": "root",
        "children": [{"type": "paragraph", "children": [{"type": "text", "text": "Plot"}]}],
    }
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"id": 12}, {"id": "12"}, id="Postgres: numbers as ids"),
        pytest.param({"codeDepNumber": "030"}, {"code_dep_number": 30}, id="number as text"),
        pytest.param({"codeDepNumber": "3.0"}, {"code_dep_number": 3}, id="number as text of a number"),
        pytest.param({"codeDepNumber": 3.0}, {"code_dep_number": 3}, id="whole number of a number field"),
        pytest.param({"gatherCheck": 1, "isActive": 1}, {"gather_check": True}, id="SQLite: 1 for true"),
        pytest.param({"description": LEXICAL}, {"description": "Plot"}, id="Lexical"),
        pytest.param(
            {"description": [{"children": [{"text": "Plot"}]}]}, {"description": "Plot"}, id="Slate"
        ),
        pytest.param({"description": 5}, {"description": ""}, id="a description of no known form"),
        pytest.param({"description": "x" * 9000}, {"description": "x" * 8192}, id="a long description"),
        pytest.param(
            {"name": {"de": "Geschichte", "en": "Story"}, "description": {"de": "Handlung", "en": None}},
            {"name": "Story", "description": "Handlung"},
            id="localized fields in all languages",
        ),
        pytest.param({"name": "n" * 300}, {"name": "n" * 128}, id="a long name"),
        pytest.param(
            {"defaultModel": {"id": 7, "name": "GPT", "slug": "openai/gpt-4o", "provider": {"id": 1}}},
            {"default_model": "openai/gpt-4o"},
            id="a related model at depth 1",
        ),
        pytest.param(
            {"defaultModel": {"relationTo": "models", "value": {"id": "x", "modelId": "openai/gpt-4o"}}},
            {"default_model": "openai/gpt-4o"},
            id="a model of one of several collections",
        ),
        pytest.param({"defaultModel": " "}, {"default_model": None}, id="a blank model"),
        pytest.param(
            {
                "icon": {"id": 3, "url": "/x.png"},
                "performance": [{"score": 1}],
                "head": None,
                "_status": "published",
            },
            {"slug": "story"},
            id="fields that Gather does not know",
        ),
        pytest.param(
            {
                "coordinationSettings": {
                    "minQualityThreshold": "85",
                    "maxRetries": 2.0,
                    "allowParallelExecution": True,
                }
            },
            {},
            id="settings as text and decimals",
        ),
    ],
)
def test_a_department_is_read_however_a_cms_writes_it(
    fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Payload on MongoDB, Postgres or SQLite, of whatever depth, language and editor."""
    reading = read_documents([{**document("story", 1), **fields}])
    assert reading.malformed == ()
    (department,) = reading.departments
    assert {key: getattr(department, key) for key in expected} == expected
    if "coordinationSettings" in fields:
        settings = department.coordination_settings
        assert settings is not None
        assert (settings.threshold, settings.max_retries) == (85, 2)


def test_a_missing_description_is_none() -> None:
    """Name and slug say what the department is."""
    (department,) = read_documents([document("a", 1)]).departments
    assert department.description == ""
