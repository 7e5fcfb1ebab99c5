"""What comes from Redis is read once, at the edge: an event stays whole, and anything else harms nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.stored_event import StoredEvent, read_entry, read_message
from gather_contracts.events import EVENT_MAX_BYTES

P = "66f1a2b3c4d5e6f708192a3b"
PLACE = {"offset": 7, "epoch": "e1"}


def body(**fields: object) -> bytes:
    return json.dumps({"type": "deduplicating", "project_id": P, **PLACE, **fields}).encode()


def test_an_event_of_a_newer_type_stays_as_it_is() -> None:
    """With fields that nobody here knows, in the very bytes that were stored."""
    sent = body(type="department_renamed", was={"name": "Ton"}, run_uid="u-1")
    assert read_message(sent, P) == StoredEvent(7, "e1", P, "department_renamed", "u-1", sent.decode())


FOREIGN = {
    "no UTF-8": b"\xff",
    "no JSON": b"no event of ours",
    "nothing": b"",
    "a list": b"[]",
    "NaN": body().replace(b'"e1"', b'"e1", "quality_score": NaN'),
    "too long": body(text="x" * EVENT_MAX_BYTES),
    "too deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "a number of 5,000 digits": body().replace(b"7", b"7" * 5000),
    "no offset": body(offset=None),
    "an offset that is text": body(offset="7"),
    "an offset that is true": body(offset=True),
    "offset 0": body(offset=0),
    "an offset that browsers round": body(offset=2**53),
    "no epoch": body(epoch=""),
    "no type": body(type=None),
    "a type that breaks a header": body(type="a\r\nX-Forged: 1"),
    "a frame of the bridge": body(type="hello"),
    "another project": body(project_id="f" * 24),
    "half a character": body(epoch="\ud800"),
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_event_is_refused_with_one_kind_of_error(data: bytes) -> None:
    """In a message it is passed over; in a log it keeps its place."""
    with pytest.raises(ValueError, match=r"."):
        read_message(data, P)
    assert read_entry(b"7-0", {b"event": data}, P) == StoredEvent(7)


@pytest.mark.parametrize("fields", [{}, {b"other": body()}], ids=["no field", "another field"])
def test_an_entry_without_our_field_keeps_its_place(fields: dict[bytes, bytes]) -> None:
    """It is passed over; what follows it is not."""
    assert read_entry(b"7-0", fields, P) == StoredEvent(7)


def test_an_event_at_another_place_is_none() -> None:
    """Its offset would make every client believe that it has seen more than it has."""
    assert not read_entry(b"8-0", {b"event": body()}, P).is_event


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200), st.integers(), st.none()))
def test_whatever_is_published_there_is_one_kind_of_error(data: object) -> None:
    """Redis gives bytes; a library's confirmations are numbers."""
    try:
        read_message(data, P)
    except ValueError:
        pass
    else:
        pytest.fail("taken for an event")
