"""What a department's instructions may look like in a CMS, and that none of it can do harm."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts.instructions import (
    EXAMPLES_BYTES_MAX,
    EXAMPLES_MAX,
    ROWS_MAX,
    TEXT_BYTES_MAX,
    Instructions,
    InstructionsReading,
    read_instructions,
    value_at,
)

ROW_ID = "66f1a2b3c4d5e6f708192a3b"


def lexical(*paragraphs: str) -> dict[str, Any]:
    """Return rich text as Payload's editor stores it."""
    children = [
        {"type": "paragraph", "version": 1, "children": [{"type": "text", "format": 0, "text": text}]}
        for text in paragraphs
    ]
    return {"root": {"type": "root", "format": "", "indent": 0, "version": 1, "children": children}}


SLATE = [
    {"type": "p", "children": [{"text": "Short "}, {"text": "notes.", "bold": True}]},
    {"children": [{"text": "Names."}]},
]
BOTH = Instructions(text="Short notes.\nNames.", examples=("Mara burns the map.", "Two rings, page 31."))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Short notes.\n\n  Names.  ", id="text"),
        pytest.param("<p>Short notes.</p><p>Names.</p>", id="HTML"),
        pytest.param(lexical("Short notes.", "Names."), id="Lexical"),
        pytest.param({"en": lexical("Short notes.", "Names."), "de": "Kurz."}, id="Lexical in two languages"),
        pytest.param(SLATE, id="Slate"),
        pytest.param(
            {
                "type": "doc",
                "content": [
                    {"type": "paragraph", "content": [{"type": "text", "text": text}]}
                    for text in ("Short notes.", "Names.")
                ],
            },
            id="ProseMirror",
        ),
        pytest.param(["Short notes.", "Names."], id="several texts"),
        pytest.param(
            [{"id": ROW_ID, "instruction": "Short notes."}, {"id": ROW_ID, "text": "Names."}],
            id="an array's rows",
        ),
        pytest.param(
            [
                {"blockType": "rule", "blockName": None, "id": ROW_ID, "content": "Short notes."},
                {"blockType": "rule", "text": lexical("Names.")},
            ],
            id="blocks",
        ),
        pytest.param({"instructions": "Short notes.\nNames."}, id="an object"),
        pytest.param('{"instructions": ["Short notes.", "Names."]}', id="JSON in a text field"),
    ],
)
def test_instructions_are_read_in_every_form_of_an_editor(value: Any) -> None:
    """A line for each paragraph, and nothing of it is lost."""
    assert read_instructions(value) == InstructionsReading(Instructions(text=BOTH.text))


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(list(BOTH.examples), id="texts"),
        pytest.param([lexical(text) for text in BOTH.examples], id="rich texts"),
        pytest.param(
            [{"content": text, "summary": "s", "context": "c"} for text in BOTH.examples], id="whole notes"
        ),
        pytest.param([{"id": ROW_ID, "note": text} for text in BOTH.examples], id="an array's rows"),
        pytest.param([{"text": text} for text in BOTH.examples], id="rows that look like leaves"),
    ],
)
def test_example_notes_stand_beside_instructions(examples: Any) -> None:
    """Each by itself."""
    assert read_instructions({"instructions": BOTH.text, "examples": examples}).instructions == BOTH
    rows = [{"instructions": BOTH.text}, *({"example": each} for each in examples)]
    assert read_instructions(rows).instructions == BOTH
    assert read_instructions(
        [BOTH.text, {"blockType": "exampleNotes", "content": BOTH.examples[0]}]
    ).instructions == Instructions(text=BOTH.text, examples=BOTH.examples[:1])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  \n",
        [],
        {},
        [None],
        [{"id": ROW_ID, "instruction": None}],
        {"instructions": "", "examples": []},
        lexical(),
        lexical(""),
    ],
    ids=str,
)
def test_what_nobody_has_written_is_nothing(value: Any) -> None:
    """And nothing is said of it."""
    assert read_instructions(value) == InstructionsReading()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(42, None, id="a number"),
        pytest.param(True, None, id="a box that is ticked"),
        pytest.param(ROW_ID, None, id="a related document's id"),
        pytest.param([ROW_ID, 7], None, id="ids of related documents"),
        pytest.param({"wanted": "Short notes."}, None, id="an object of something else"),
        pytest.param('{"$set": {"department": "edit"}}', None, id="JSON of something else"),
        pytest.param(
            {"instructions": 42, "examples": ["Mara."]}, Instructions(examples=("Mara.",)), id="half of it"
        ),
        pytest.param(["Names.", {"wanted": 1}], Instructions(text="Names."), id="one of two rows"),
        pytest.param([[[[[[["Names."]]]]]]], None, id="too deep"),
    ],
)
def test_forms_that_are_not_known_are_left_out_and_said(value: Any, kept: Instructions | None) -> None:
    """What else is there counts."""
    assert read_instructions(value) == InstructionsReading(kept, is_understood=False)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("é" * TEXT_BYTES_MAX, id="text"),
        pytest.param(["x" * 100] * ROWS_MAX, id="many lines"),
        pytest.param(["x"] * (ROWS_MAX + 1), id="more rows than are looked at"),
        pytest.param({"examples": ["😀" * 400] * EXAMPLES_MAX}, id="long examples"),
        pytest.param({"examples": ["x"] * (EXAMPLES_MAX + 1)}, id="many examples"),
    ],
)
def test_what_is_longer_than_is_read_is_cut_and_said(value: Any) -> None:
    """Within its bounds in bytes, whatever the script."""
    found = read_instructions(value)
    assert found.is_cut
    assert found.is_understood
    assert_is_bounded(found)


def assert_is_bounded(found: InstructionsReading) -> None:
    """As large as the run's document has room for, and storable."""
    if found.instructions is not None:
        assert len(found.instructions.text.encode()) <= TEXT_BYTES_MAX
        assert len(found.instructions.examples) <= EXAMPLES_MAX
        assert sum(len(each.encode()) for each in found.instructions.examples) <= EXAMPLES_BYTES_MAX
        assert all(found.instructions.examples)


KEYS = st.sampled_from(
    [
        "instructions",
        "examples",
        "text",
        "content",
        "note",
        "blockType",
        "id",
        "root",
        "children",
        "type",
        "en",
        "x",
    ]
)
VALUES: Any = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(),
        st.text(st.characters(exclude_categories=()), max_size=20),
        st.just("x" * 9000),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_the_field_holds_it_is_read_within_its_bounds(value: Any) -> None:
    """Never an error: one department's field must not cost a run."""
    assert_is_bounded(read_instructions(value))


def test_towers_end_the_reading_and_nothing_else() -> None:
    """However deep."""
    tower: Any = "x"
    for _ in range(5_000):
        tower = {"instructions": tower}
    assert read_instructions(tower) == InstructionsReading(is_understood=False)
    assert read_instructions("[" * 50_000).instructions is not None
    assert read_instructions({"blockType": tower}).instructions is None


def test_a_field_may_stand_in_groups() -> None:
    """Named with points; what is missing on the way is no field."""
    document = {"automation": {"gather": {"wanted": "Names."}}, "wanted": [1]}
    assert value_at(document, "automation.gather.wanted") == "Names."
    for path in ("", "automation.wanted", "wanted.wanted", "other"):
        assert value_at(document, path) is None
