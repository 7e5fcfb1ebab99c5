"""Ids of documents as texts, and back."""

from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.notes.note_reading import ID_MAX, id_text, ids_of

OBJECT_ID = ObjectId("66f1a2b3c4d5e6f708192a3b")
kinds = st.one_of(
    st.text(max_size=ID_MAX + 2),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=True),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.from_regex(r"[0-9a-fA-F]{24}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (OBJECT_ID, str(OBJECT_ID)),
        ("note-1", "note-1"),
        (41, "41"),
        (Int64(-(2**63)), str(-(2**63))),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, ""),
        (float("nan"), ""),
        (1e300, ""),
        (True, ""),
        (None, ""),
        ("", ""),
        ("x" * (ID_MAX + 1), ""),
        (Decimal128("1"), ""),
        (Binary.from_uuid(UUID(int=7)), ""),
        ({"a": 1}, ""),
    ],
)
def test_an_id_is_text_if_it_is_an_object_id_a_text_or_a_whole_number(value: Any, text: str) -> None:
    """Others have no text that every program would agree on."""
    assert id_text(value) == text


@given(kinds)
def test_an_id_is_among_those_that_its_text_names(value: Any) -> None:
    """So a note is found again by the id that its node has; a whole number of any type is found by any."""
    if text := id_text(value):
        assert value in ids_of(text)
        assert {id_text(each) for each in ids_of(text)} == {text}


@pytest.mark.parametrize("text", ["007", "+1", "-0", "66F1A2B3C4D5E6F708192A3B", "9" * 19])
def test_a_text_names_no_id_that_reads_differently(text: str) -> None:
    """`find` would bring another document."""
    assert ids_of(text) == [text]
