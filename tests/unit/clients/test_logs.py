"""Log lines: one JSON object each, bounded, with their context and without a secret."""

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gather_clients import logs

LOGGER = logging.getLogger("gather_room.test")
QUIET = ("gather_room", "room_library", "room_library.noisy")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Any]]]:
    """Log as a room does, and return what was logged; afterwards logging is as it was."""
    root, written = logging.getLogger(), io.StringIO()
    before, level, context = root.handlers[:], root.level, dict(logs._process_context)
    root.handlers = []
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure_logging("room", "warning", {"gather_room": "INFO", "room_library.noisy": logs.SILENT})
    logs.set_log_context(run="film", department="story", iteration=3)
    yield lambda: [json.loads(line, parse_constant=str) for line in written.getvalue().split("\n") if line]
    logs.hide_in_logs([])
    logs._process_context.clear()
    logs._process_context.update(context)
    root.handlers = before
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_every_line_has_the_vocabulary_first(lines: Any) -> None:
    """The time is RFC 3339 in UTC."""
    LOGGER.info("hello", extra={"port": 8080})
    (line,) = lines()
    assert list(line)[:5] == ["timestamp", "level", "logger", "message", "service"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    assert abs(datetime.fromisoformat(line["timestamp"]).timestamp() - datetime.now().timestamp()) < 60  # noqa: DTZ005
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "gather_room.test", "hello")
    assert (line["service"], line["port"]) == ("room", 8080)


@pytest.mark.parametrize("forged", ["x\n{}", "x\r\n", "\u2028x", "\x00\x1b[31m", '", "run": "other'])
def test_no_text_forges_a_line_or_a_field(lines: Any, forged: str) -> None:
    """Neither in the message nor in a field."""
    LOGGER.warning("the service said: %s", forged, extra={"said": forged})
    (line,) = lines()
    assert line["message"] == f"the service said: {forged}"
    assert (line["said"], line["run"], line["department"], line["iteration"]) == (forged, "film", "story", 3)
    assert line["level"] == "WARNING"


def test_half_a_character_is_escaped(lines: Any) -> None:
    """UTF-8 cannot hold it. Given to our handler alone: pytest's own cannot send it between processes."""
    (handler,) = (each for each in logging.getLogger().handlers if isinstance(each, logs._Handler))
    handler.handle(LOGGER.makeRecord(LOGGER.name, logging.WARNING, "", 0, "half: %s", ("\ud800",), None))
    assert lines()[0]["message"] == "half: \ud800"


@pytest.mark.parametrize("name", ["timestamp", "level", "logger", "service", "run"])
def test_no_field_takes_the_place_of_the_vocabulary_or_the_context(lines: Any, name: str) -> None:
    """Neither one given beside the message nor one of a message that is an object."""
    LOGGER.warning("given", extra={name: "forged"})
    LOGGER.warning({name: "forged", "other": "kept"})
    assert [line[name] == "forged" for line in lines()] == [False, False]
    assert lines()[1]["other"] == "kept"


def test_fields_and_tracebacks_are_bounded(lines: Any) -> None:
    """A megabyte from outside is no megabyte in the log; a traceback keeps its end."""
    error = ValueError("y" * 100_000 + "the end")
    LOGGER.error("x" * 100_000, extra={"more": "z" * 100_000}, exc_info=error)
    (line,) = lines()
    assert len(line["message"]) == len(line["more"]) == logs.TEXT_MAX
    assert len(line["exc_info"]) == logs.TRACE_MAX
    assert line["exc_info"].endswith("the end")


def test_the_number_of_fields_and_their_depth_are_bounded(lines: Any) -> None:
    """The vocabulary, the context and the traceback stay."""
    deep: Any = "x" * 100_000
    for _ in range(50):
        deep = [deep]
    many = {f"field_{number}": number for number in range(1_000)}
    LOGGER.error("m", extra={"deep": deep, "many": many, **many}, exc_info=ValueError("why"))
    (line,) = lines()
    assert len(line) == len(line["many"]) == logs.FIELDS_MAX
    assert {"timestamp", "message", "run", "exc_info"} <= line.keys()
    assert len(json.dumps(line["deep"])) < 2 * logs.TEXT_MAX


def test_what_json_has_no_form_for_is_text(lines: Any) -> None:
    """A line is JSON whatever its fields are."""
    fields = {"path": Path("/x"), "nan": float("nan"), "set": {1}, "error": ValueError("why"), "none": None}
    LOGGER.warning("m", extra=fields)
    (line,) = lines()
    assert {name: line[name] for name in fields} == {
        "path": "/x", "nan": "nan", "set": [1], "error": "why", "none": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "secret", ["sk-or-v1-abcdef", 'quo"te\\back', "Schlüssel-geheim", "nabcdef", "1234567"]
)
@pytest.mark.parametrize(
    "written", [str, repr, json.dumps, lambda secret: json.dumps(secret, ensure_ascii=False)]
)
def test_secrets_are_struck_out_of_messages_fields_and_traces(
    lines: Any, secret: str, written: Callable[[str], str]
) -> None:
    """Also where a library puts them into its exception, in quotes or as JSON; what is left is JSON still."""
    logs.hide_in_logs([secret])
    said = written(secret)
    error = RuntimeError(f"refused: {said}")
    LOGGER.error("with %s", said, extra={"key": said, "nested": [{said: "\nabcdef"}]}, exc_info=error)
    (line,) = lines()
    shown = " ".join([line["message"], line["key"], *line["nested"][0], line["exc_info"]])
    assert secret not in shown
    assert said.strip("\"'") not in shown
    assert line["message"].strip("\"'") in {"with ***", 'with "***', "with '***"}
    assert line["nested"][0][next(iter(line["nested"][0]))] == "\nabcdef"


def test_a_secret_is_struck_out_before_its_text_is_cut(lines: Any) -> None:
    """No first half of it stays at the end of a long text; a number can be a secret too."""
    logs.hide_in_logs(["a-long-secret", "1234567"])
    LOGGER.error("%sa-long-secret", "x" * (logs.TEXT_MAX - 6), extra={"number": 1234567, "other": 123456})
    (line,) = lines()
    assert line["message"].endswith("x***")
    assert (line["number"], line["other"]) == ("***", 123456)


def test_the_password_of_a_url_is_a_secret_of_its_own(lines: Any) -> None:
    """As it stands in the URL and as it is meant; an empty setting hides nothing."""
    logs.hide_in_logs(["mongodb://user:p%40ssword-1@db:27017/?x=1", ""])
    LOGGER.error("p%40ssword-1 p@ssword-1 mongodb://user:p%40ssword-1@db:27017/?x=1")
    (line,) = lines()
    assert line["message"] == "*** *** ***"


def test_each_logger_has_its_level(lines: Any) -> None:
    """The room's own from its level, libraries from the root's, silent ones never."""
    logging.getLogger("room_library").info("GET http://brain/")
    logging.getLogger("room_library").warning("slow")
    logging.getLogger("room_library.noisy").critical("hint")
    LOGGER.debug("flow")
    LOGGER.info("milestone")
    assert [line["message"] for line in lines()] == ["slow", "milestone"]


async def test_a_tasks_context_is_its_own(lines: Any) -> None:
    """Requests at the same time do not mix, and nothing stays after them."""

    async def request(number: int) -> None:
        with logs.log_context(request_id=number):
            await asyncio.sleep(0)
            with logs.log_context(part="inner"):
                LOGGER.info("inside")
            LOGGER.info("after")

    await asyncio.gather(*(request(number) for number in (1, 2)))
    LOGGER.info("outside")
    found = lines()
    assert sorted(line["request_id"] for line in found[:4]) == [1, 1, 2, 2]
    assert [line["message"] for line in found if "part" in line] == ["inside", "inside"]
    assert "request_id" not in found[4]
    assert {line["run"] for line in found} == {"film"}


def test_a_line_that_cannot_be_written_is_reported_without_its_arguments(lines: Any) -> None:
    """Python's own report has several lines and shows the arguments."""
    for other in [each for each in logging.getLogger().handlers if not isinstance(each, logs._Handler)]:
        logging.getLogger().removeHandler(other)  # pytest's, which raises
    LOGGER.error("%d", "a-secret-argument")
    (line,) = lines()
    assert (line["message"], line["error"]) == ("log line lost", "TypeError")
    assert line["place"].startswith("test_logs.py:")
    assert "a-secret-argument" not in json.dumps(line)


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("Bearer sekret-12345", "the key sekret-12345 is refused"),
        ("Api-Key sekret-12345", "sekret-12345"),
        ("https://models/v1?api-version=1&api_key=sekret-12345#x", "key=sekret-12345"),
        ("https://models/v1?token=sekret%2D12345", "sekret-12345"),
    ],
)
def test_a_secret_is_struck_out_without_what_stands_before_it(lines: Any, hidden: str, shown: str) -> None:
    """A server repeats a key alone, out of a header or an address."""
    logs.hide_in_logs([hidden])
    LOGGER.warning("said: %s and %s", hidden, shown)
    assert "sekret" not in lines()[0]["message"]
