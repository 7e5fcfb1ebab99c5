"""Marks of pages: each leads back to its place, and anything else is refused."""

import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_bridge.exports.note_records import PAGED_BYTES_MAX, Record, paged_record_of
from gather_bridge.exports.page_of_notes import mark_of, place_of
from gather_bridge.exports.stored_notes import Key
from tests.support.application.rendered_exports import PROJECT
from tests.support.application_documents import person_note


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=64), st.integers(-(2**53), 2**53))
@settings(max_examples=100, deadline=None)
def test_a_mark_leads_to_its_place(text: str, at_ms: int) -> None:
    assert place_of(mark_of(Key(text, text, at_ms, 1, "", ""))) == (at_ms, text)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_anything_else_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(place_of(text), tuple)


@pytest.mark.parametrize(
    "inner", ['[true,"a"]', '["1","a"]', "[1]", '{"a":1}', "7", '[1,"\\ud800"]', "[" * 400]
)
def test_a_forged_mark_is_refused(inner: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        place_of(base64.urlsafe_b64encode(inner.encode()).decode())


def test_a_page_leaves_out_a_text_that_is_too_large_to_open() -> None:
    """It says so; everything else is there."""
    document = person_note(PROJECT, content="x", summary="kept out", locked=True)
    record = paged_record_of(document, PAGED_BYTES_MAX + 1, PROJECT)
    assert isinstance(record, Record)
    assert (record.note.content, record.is_content_omitted, record.note.is_locked) == ("", True, True)
    whole = paged_record_of(document, 100, PROJECT)
    assert isinstance(whole, Record)
    assert (whole.note.content, whole.is_content_omitted) == ("x", False)
