"""Messages of Celery's own code, in both protocols, and what is not one of ours."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from gather_bridge.celery_door.task_message import EMBED_MAX_BYTES, NotForUs, TaskMessage, read_message
from gather_bridge.errors import TaskRefused
from gather_contracts import names

TASK = names.GATHER_TASK
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DATA = {"project_id": "507f1f77bcf86cd799439011", "user_id": "me"}


def envelope(protocol: int = 2, task: str = TASK, **options: Any) -> dict[str, Any]:
    """An envelope as Celery and kombu's Redis transport write it."""
    app = Celery("application", set_as_current=False)
    app.conf.task_protocol = protocol
    given: dict[str, Any] = {"args": [DATA], **options}
    headers, properties, body, _ = app.amqp.create_task_message("an-id", task, **given)
    return {
        "body": b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": {**properties, "body_encoding": "base64", "priority": 1, "delivery_tag": "t"},
    }


def read(message: Any, task: str = TASK) -> TaskMessage:
    return read_message(json.dumps(message).encode(), task, NOW)


@pytest.mark.parametrize("protocol", [1, 2])
def test_both_protocols_say_the_same(protocol: int) -> None:
    link = {"task": "note", "args": [], "kwargs": {}, "options": {}}
    message = read(envelope(protocol, expires=60, countdown=30, callbacks=[link], time_limit=9, now=NOW))
    assert (message.id, message.name, message.data) == ("an-id", TASK, DATA)
    assert message.request["callbacks"] == [link]
    assert list(message.request["timelimit"]) == [9, None]
    assert message.eta is not None
    assert message.expires is not None
    assert message.expires - message.eta == timedelta(seconds=30)


@pytest.mark.parametrize("protocol", [1, 2])
def test_another_task_is_not_for_us(protocol: int) -> None:
    with pytest.raises(NotForUs):
        read(envelope(protocol, task=names.EVALUATION_TASK))
    assert read(envelope(protocol, task="other"), "other").name == "other"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content-type": "application/x-python-serialize"}, "send it as JSON"),
        ({"content-encoding": "binary"}, "send it as JSON"),
        ({"body": "%%"}, "not JSON"),
        ({"body": b64encode(b"\xff").decode()}, "not JSON"),
        ({"body": b64encode(b"[1]").decode()}, "not \\[args"),
        ({"body": b64encode(b"[7, {}, {}]").decode()}, "must be a list"),
        ({"body": 7}, "not JSON"),
    ],
    ids=["pickle", "binary", "no base64", "no utf-8", "short", "no list", "no text"],
)  # fmt: skip
def test_a_message_of_ours_that_cannot_be_read_is_a_fault_of_its_sender(
    change: dict[str, Any], reason: str
) -> None:
    message = read({**envelope(), **change})
    assert message.id == "an-id"
    with pytest.raises(TaskRefused, match=reason):
        _ = message.data


@pytest.mark.parametrize("header", ["eta", "expires"])
@pytest.mark.parametrize("value", ["soon", [], {}, 1e300, True], ids=str)
def test_a_moment_that_is_none_is_named(header: str, value: Any) -> None:
    whole = envelope()
    whole["headers"][header] = value
    fault = read(whole).fault
    assert fault is not None
    assert fault.field == header


def test_a_moment_without_a_zone_is_utc() -> None:
    whole = envelope()
    whole["headers"]["eta"] = "2026-05-01T13:00:00"
    assert read(whole).eta == NOW + timedelta(hours=1)


def test_callbacks_have_a_limit() -> None:
    fault = read(envelope(callbacks=[{"task": "note", "args": ["x" * EMBED_MAX_BYTES]}])).fault
    assert fault is not None
    assert fault.field == "link"


@pytest.mark.parametrize(
    "task_id", [None, "", 7, "x" * 256, "a\nb"], ids=["none", "empty", "7", "long", "break"]
)
def test_a_task_without_an_id_has_no_result_to_be_written(task_id: Any) -> None:
    whole = envelope()
    whole["headers"]["id"] = task_id
    whole["properties"]["correlation_id"] = task_id
    with pytest.raises(NotForUs):
        read(whole)


@pytest.mark.parametrize(
    ("args", "kwargs", "data"),
    [([DATA], {}, DATA), ([], DATA, DATA), ([], {"task_data": DATA}, DATA), ([], {}, {})],
    ids=["argument", "keywords", "task_data", "nothing"],
)
def test_the_data_may_come_in_each_form(args: list[Any], kwargs: dict[str, Any], data: Any) -> None:
    assert read(envelope(args=args, kwargs=kwargs)).data == data


@given(st.binary(max_size=300) | st.from_regex(rb'\{"headers": \{"task": ".*', fullmatch=True))
def test_no_bytes_are_more_than_not_for_us(payload: bytes) -> None:
    with pytest.raises(NotForUs):
        read_message(payload, TASK, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(key=st.sampled_from(["headers", "properties", "body", "content-type", "content-encoding"]), value=JSON)
def test_no_part_of_another_form_is_more_than_a_fault(key: str, value: Any) -> None:
    try:
        message = read({**envelope(), key: value})
    except NotForUs:
        return
    try:
        assert message.data is not None
    except TaskRefused:
        return


@given(header=st.sampled_from([*envelope()["headers"]]), value=JSON)
def test_no_header_of_another_form_is_more_than_a_fault(header: str, value: Any) -> None:
    whole = envelope()
    whole["headers"][header] = value
    try:
        json.dumps(read(whole).request)
    except NotForUs:
        return
