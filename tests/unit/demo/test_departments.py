"""The demo CMS's departments have the fields and values that the application's have."""

import re
from typing import Any

import pytest

from gather_clients.cms_requests import INSTRUCTIONS_FIELD
from gather_contracts.departments import CmsDepartment
from gather_contracts.instructions import read_instructions
from gather_demo.cms.cms_api import shipped_departments
from gather_demo.languages import Language

FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str, "slug": str, "name": str, "description": str, "icon": (str, type(None)),
    "color": (str, type(None)), "priority": int, "isActive": bool, "gatherCheck": bool, "codeDepNumber": int,
    "coreDepartment": bool, "defaultModel": (str, type(None)), "maxAgentSteps": (int, type(None)),
    "coordinationSettings": dict, "performance": dict, "createdAt": str, "updatedAt": str,
}  # fmt: skip
SETTINGS = {"minQualityThreshold", "maxRetries", "allowParallelExecution", "requiresDepartmentHeadReview"}
DEPARTMENTS = shipped_departments()
WORDS = {"name", "description", INSTRUCTIONS_FIELD}


@pytest.mark.parametrize("document", DEPARTMENTS, ids=lambda d: str(d["slug"]))
def test_a_department_has_the_application_s_fields_and_no_other(document: dict[str, Any]) -> None:
    """Our own `qualityThreshold` is not among them; a field for instructions is added by who wants one."""
    assert set(document) - {INSTRUCTIONS_FIELD} == set(FIELDS)
    assert {name for name, kind in FIELDS.items() if not isinstance(document[name], kind)} == set()
    assert set(document["coordinationSettings"]) == SETTINGS
    assert re.fullmatch(r"[a-z][a-z0-9-]*", document["slug"])
    assert 1 <= document["priority"] <= 10


def test_one_department_says_what_is_wanted_of_its_notes() -> None:
    """Instructions and an example, all of which are read and shown."""
    own = [d for d in DEPARTMENTS if INSTRUCTIONS_FIELD in d]
    (said,) = (read_instructions(d[INSTRUCTIONS_FIELD]) for d in own)
    assert said.instructions is not None
    assert (said.is_understood, said.is_cut, len(said.instructions.examples)) == (True, False, 1)
    assert [(d["isActive"], d["gatherCheck"]) for d in own] == [(True, True)]


def test_thresholds_are_the_cms_s_and_gather_reads_every_document() -> None:
    """Of the departments that take part each has one."""
    read = [CmsDepartment.model_validate(d) for d in DEPARTMENTS]
    thresholds = {
        d.slug: d.coordination_settings and d.coordination_settings.threshold
        for d in read
        if d.gather_check and d.is_active
    }
    assert thresholds == {
        "cinematography": 80, "story": 78, "production": 80, "character": 75, "editing": 80, "sound": 72,
        "production-design": 80,
    }  # fmt: skip


def test_one_department_was_never_filled_in() -> None:
    """Payload answers null for what nobody has filled; Gather must read that, too."""
    (empty,) = [d for d in DEPARTMENTS if d["icon"] is None]
    assert set(empty["coordinationSettings"].values()) == {None}


@pytest.mark.parametrize("language", list(Language))
def test_languages_differ_in_words_alone(language: Language) -> None:
    """The same departments with the same thresholds; instructions where English has them."""
    spoken = shipped_departments(language)
    assert [set(d) for d in spoken] == [set(d) for d in DEPARTMENTS]
    for found, english in zip(spoken, DEPARTMENTS, strict=True):
        assert {n: v for n, v in found.items() if n not in WORDS} == {
            n: v for n, v in english.items() if n not in WORDS
        }
        assert language is Language.EN or found["name"] != english["name"]
