"""Log lines: one JSON object each, bounded, with the run they belong to and without a secret."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gather_worker import logs

LOGGER = logging.getLogger("gather_worker.test")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Any]]]:
    """Log as a worker does, and say what was logged; afterwards logging is as it was."""
    root, ours, written = logging.getLogger(), logging.getLogger("gather_worker"), io.StringIO()
    before, level, ours_level = root.handlers[:], root.level, ours.level
    root.handlers = []
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure_logging("INFO")
    logs.set_log_context(run="film", department="story", iteration=3)
    yield lambda: [json.loads(line) for line in written.getvalue().split("\n") if line]
    logs.hide_in_logs([])
    root.handlers = before
    root.setLevel(level)
    ours.setLevel(ours_level)


@pytest.mark.parametrize("forged", ["x\n{}", "x\r\n", "\u2028x", "\x00\x1b[31m", '", "run": "other'])
def test_no_text_forges_a_line_or_a_field(lines: Any, forged: str) -> None:
    """Neither in the message nor in a field."""
    LOGGER.warning("the service said: %s", forged, extra={"said": forged})
    (line,) = lines()
    assert line["message"] == f"the service said: {forged}"
    assert (line["said"], line["run"], line["department"], line["iteration"]) == (forged, "film", "story", 3)
    assert line["level"] == "WARNING"


def test_fields_and_tracebacks_are_bounded(lines: Any) -> None:
    """A megabyte from outside is no megabyte in the log; a traceback keeps its end."""
    error = ValueError("y" * 100_000 + "the end")
    LOGGER.error("x" * 100_000, extra={"more": "z" * 100_000}, exc_info=error)
    (line,) = lines()
    assert len(line["message"]) == len(line["more"]) == logs.TEXT_MAX
    assert len(line["exc_info"]) == logs.TRACE_MAX
    assert line["exc_info"].endswith("the end")


@pytest.mark.parametrize("secret", ["sk-or-v1-abcdef", 'quo"te\\back', "Schlüssel-geheim"])
def test_secrets_are_struck_out_of_messages_fields_and_traces(lines: Any, secret: str) -> None:
    """Also where a library puts them into its exception."""
    logs.hide_in_logs([secret])
    error = RuntimeError(f"refused: {secret}")
    LOGGER.error("with %s", secret, extra={"key": secret}, exc_info=error)
    (line,) = lines()
    assert secret not in json.dumps(line, ensure_ascii=False)
    assert line["message"] == "with ***"


def test_the_password_of_a_url_is_a_secret_of_its_own(lines: Any) -> None:
    """As it stands in the URL and as it is meant; an empty setting hides nothing."""
    logs.hide_in_logs(["mongodb://user:p%40ssword-1@db:27017/?x=1", ""])
    LOGGER.error("p%40ssword-1 p@ssword-1 mongodb://user:p%40ssword-1@db:27017/?x=1")
    (line,) = lines()
    assert line["message"] == "*** *** ***"


def test_libraries_speak_up_from_warning(lines: Any) -> None:
    """Ours from the level that is set."""
    logging.getLogger("httpx").info("GET http://brain/")
    LOGGER.debug("flow")
    LOGGER.info("milestone")
    assert [line["message"] for line in lines()] == ["milestone"]
