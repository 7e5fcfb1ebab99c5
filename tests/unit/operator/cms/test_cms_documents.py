"""Payload's documents into departments: every form that a CMS may give a field, and what cannot be read."""

import unicodedata
from typing import Any

import pytest

from gather_contracts.departments import CoordinationSettings
from gather_operator.cms.cms_documents import read_documents
from tests.support.application.payload_answers import document


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
        pytest.param(document("a", "x"), "a (codeDepNumber)", id="number"),
        pytest.param({"gatherCheck": True}, "document 1 (slug)", id="nothing to name it by"),
        pytest.param("text", "document 1 (document)", id="not an object"),
        pytest.param(document("a", True), "a (codeDepNumber)", id="not a number"),
        pytest.param(document("a", 10**12), "a (codeDepNumber)", id="far too large a number"),
        pytest.param(document("a", 2.5), "a (codeDepNumber)", id="between two numbers"),
        pytest.param(document("a", float("nan")), "a (codeDepNumber)", id="nan"),
        pytest.param(document("a", float("inf")), "a (codeDepNumber)", id="endless"),
        pytest.param(document("a", 1, codeDepNumber=None), "a (codeDepNumber)", id="no number"),
        pytest.param(None, "document 1 (document)", id="null, as for a key that may not read it"),
        pytest.param(document("a\ud800", 1), "a (slug)", id="half a character in the slug"),
        pytest.param(document("a\x00b", 1), "a b (slug)", id="NUL in the slug"),
        pytest.param(document("a", 1, isActive="perhaps"), "a (isActive)", id="ticked or not"),
    ],
)
def test_malformed_documents_are_named_with_their_field(wrong: Any, named: str) -> None:
    """And the others are worked on."""
    reading = read_documents([wrong, document("good", 2)])
    assert reading.malformed == (named,)
    assert [d.slug for d in reading.departments] == ["good"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"coordinationSettings": {"qualityThreshold": 101}}, "coordinationSettings.qualityThreshold"),
        ({"coordinationSettings": {"qualityThreshold": "nan"}}, "coordinationSettings.qualityThreshold"),
        ({"coordinationSettings": {"qualityThreshold": True}}, "coordinationSettings.qualityThreshold"),
        ({"coordinationSettings": {"maxRetries": -1}}, "coordinationSettings.maxRetries"),
        ({"coordinationSettings": ["x"]}, "coordinationSettings"),
        ({"coordinationSettings": "{}"}, "coordinationSettings"),
        ({"defaultModel": 7}, "defaultModel"),
        ({"defaultModel": "7"}, "defaultModel"),
        ({"defaultModel": "66f1a2b3c4d5e6f708192a3b"}, "defaultModel"),
        ({"defaultModel": "0190c8f0-1111-7abc-8def-001122334455"}, "defaultModel"),
        ({"defaultModel": {"id": 7, "provider": "x"}}, "defaultModel"),
        ({"defaultModel": ["openai/gpt-4o"]}, "defaultModel"),
        ({"defaultModel": "x/" * 100}, "defaultModel"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"name": "\x00\n"}, "name"),
        ({"name": {"root": {}}}, "name"),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_used_is_left_at_its_default(fields: dict[str, Any], named: str) -> None:
    """And named; only slug and number have no default. A department without a name is called by its slug."""
    reading = read_documents([document("story", 1, **fields), document("good", 2)])
    assert [d.slug for d in reading.departments] == ["story", "good"]
    assert (reading.malformed, reading.defaulted) == ((), (f"story ({named})",))
    first = reading.departments[0]
    assert (first.default_model, first.name) == (None, "story" if named == "name" else "Story")
    assert first.coordination_settings in {None, CoordinationSettings()}


def test_the_right_half_of_a_group_is_kept() -> None:
    """One wrong number does not cost the other."""
    half = {"minQualityThreshold": 85, "maxRetries": "many", "qualityThreshold": -1}
    (department,) = (reading := read_documents([document("a", 1, coordinationSettings=half)])).departments
    assert department.coordination_settings == CoordinationSettings(min_quality_threshold=85)
    assert reading.defaulted == (
        "a (coordinationSettings.qualityThreshold, coordinationSettings.maxRetries)",
    )


def test_a_department_that_was_never_published_is_left_out() -> None:
    """Payload answers it beside the published ones, with `draft=false` too."""
    reading = read_documents([document("a", 1, _status="draft"), document("b", 2, _status="published")])
    assert [d.slug for d in reading.departments] == ["b"]
    assert reading.drafts == ("a",)


@pytest.mark.parametrize(
    "text", [f"Dr{chr(0xD83D)}ama", f"Dr{chr(0xDC00)}ama", "Dr\x00ama", "Dr\x1bama", "Dr\x85ama"], ids=ascii
)
def test_what_no_store_takes_is_taken_out_of_texts(text: str) -> None:
    """Kubernetes takes UTF-8 and ConfigMaps without control characters; a hash takes UTF-8."""
    fields = {"name": text, "description": text, "defaultModel": f"a/{text}", "id": text}
    (department,) = read_documents([document("a", 1, **fields)]).departments
    for value in (department.name, department.description, department.default_model, department.id):
        assert value
        assert value.encode().decode() == value
        assert "ama" in value
        assert not any(unicodedata.category(c) in {"Cc", "Cs"} and c != "\n" for c in value)


def test_a_tower_of_objects_is_no_model_s_name() -> None:
    """However deep a related document is."""
    tower: Any = "openai/gpt-4o"
    for _ in range(5_000):
        tower = {"value": tower}
    (department,) = (reading := read_documents([document("a", 1, defaultModel=tower)])).departments
    assert department.default_model is None
    assert reading.defaulted == ("a (defaultModel)",)


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
