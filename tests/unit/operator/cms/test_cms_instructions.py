"""A department's instructions on their way from the CMS's field to the run's document."""

from typing import Any

import pytest

from gather_clients.cms_requests import INSTRUCTIONS_FIELD, CmsForm, CmsSettings
from gather_contracts.departments import CmsDepartment
from gather_contracts.instructions import EXAMPLES_BYTES_MAX, TEXT_BYTES_MAX, Instructions
from gather_contracts.resource import DEPARTMENTS_MAX
from gather_contracts.run_document import (
    NOTES_BYTES,
    RUN_DOCUMENT_MAX_BYTES,
    decode_run_document,
    encode_run_document,
)
from gather_operator.cms.cms_documents import read_documents
from gather_operator.decisions.facts import CmsReading
from gather_operator.decisions.resolve import build_document, resolve, restore_departments
from tests.support.application.payload_answers import document, page, read

SAID = Instructions(text="Name the page.", examples=("Mara burns the map.",))


@pytest.mark.parametrize("field", [INSTRUCTIONS_FIELD, "automation.notes", "instructions"])
async def test_the_field_has_the_name_that_is_set(field: str) -> None:
    """Groups before points; fields of other names are none, whatever they hold."""
    value: Any = {"instructions": SAID.text, "examples": list(SAID.examples)}
    *groups, name = field.split(".")
    own = {name: value}
    for group in reversed(groups):
        own = {group: own}
    others = {"instructions": {"foo": object.__name__}, INSTRUCTIONS_FIELD: 7} | own
    reading = await read(lambda _: page(document("a", 1, **others)), form=CmsForm(instructions_field=field))
    assert [d.instructions for d in reading.departments] == [SAID]
    assert (reading.defaulted, reading.shortened) == ((), ())


async def test_no_field_is_read_where_none_is_named() -> None:
    """Nor warned of."""
    answer = page(document("a", 1, gatherInstructions=42))
    reading = await read(lambda _: answer, form=CmsForm(instructions_field=""))
    assert (reading.departments[0].instructions, reading.defaulted) == (None, ())


def test_what_cannot_be_used_is_named_with_its_department(build: Any) -> None:
    """In the run's condition, and the department takes part; so is what is cut."""
    reading = read_documents([
        document("a", 1, gatherInstructions=42, defaultModel=7),
        document("b", 2, gatherInstructions="x" * (TEXT_BYTES_MAX + 1)),
        document("c", 3),
    ])  # fmt: skip
    assert [d.slug for d in reading.departments] == ["a", "b", "c"]
    notes = build_document(build.run(), resolve(build.run(), reading, "m")).notes
    assert notes == [
        "left at their defaults, as the CMS's values cannot be used: a (defaultModel, gatherInstructions)",
        "longer than is read: b (gatherInstructions)",
    ]


def test_the_run_s_document_holds_them(build: Any) -> None:
    """Also one that is written again; departments without any say nothing of it."""
    reading = read_documents(
        [
            document("a", 1, gatherInstructions={"instructions": SAID.text, "examples": list(SAID.examples)}),
            document("b", 2),
        ]
    )
    text = encode_run_document(build_document(build.run(), resolve(build.run(), reading, "m")))
    assert [d.instructions for d in decode_run_document(text).departments] == [SAID, None]
    assert text.count("instructions") == 1
    begun = build.run(status={"departments": build.departments("a", "b", "gone")})
    assert [d.instructions for d in restore_departments(begun, reading)] == [SAID, None, None]


@pytest.mark.parametrize("letter", ["d", "界", '"'], ids=ascii)
def test_the_largest_instructions_fit_beside_the_largest_descriptions(build: Any, letter: str) -> None:
    """All texts are cut alike where they do not, and the condition says whose."""
    size = len(letter.encode())
    said = Instructions(
        text=letter * (TEXT_BYTES_MAX // size), examples=(letter * (EXAMPLES_BYTES_MAX // size),)
    )
    given = [
        CmsDepartment(
            slug=f"d{i:02}",
            name="n",
            code_dep_number=i,
            description=letter * 8192,
            instructions=said if i else Instructions(text="short"),
        )
        for i in range(DEPARTMENTS_MAX)
    ]
    made = build_document(build.run(), resolve(build.run(), CmsReading(tuple(given)), "m"))
    text = encode_run_document(made)
    assert decode_run_document(text) == made
    assert made.departments[0].instructions == Instructions(text="short")
    if letter == "d":
        assert made.notes == []
    else:
        assert made.notes[0].startswith("texts shortened to fit into run.json: d00, d01")
        assert RUN_DOCUMENT_MAX_BYTES - len(text.encode()) < NOTES_BYTES + 4 * DEPARTMENTS_MAX
        assert len({len(d.description) for d in made.departments}) == 1


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("gatherInstructions", True),
        ("", True),
        ("a.b_1.C", True),
        ("a b", False),
        ("where[x]", False),
        ("a.", False),
        ("1a", False),
    ],
)
def test_the_setting_takes_names_of_fields(
    name: str, monkeypatch: pytest.MonkeyPatch, *, is_right: bool
) -> None:
    """And nothing else."""
    monkeypatch.setenv("GATHER_CMS_INSTRUCTIONS_FIELD", name)
    if is_right:
        assert CmsSettings().cms_form.instructions_field == name
    else:
        with pytest.raises(ValueError, match="GATHER_CMS_INSTRUCTIONS_FIELD"):
            CmsSettings()
