"""Every process says at its start which of its variables no room knows."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gather_brain.settings import start_process
from gather_bridge import main as bridge
from gather_bridge.celery_door import celery_command
from gather_bridge.http_door import http_server
from gather_cli import main as cli
from gather_clients.configuration import unknown_settings, warn_of_unknown_settings
from gather_operator import main as operator
from gather_worker.settings import Settings, read_settings

SAID = "GATHER_LLM_TIMEOUT is no setting of Gather and changes nothing; GATHER_LLM_TIMEOUT_S is one"
NEEDED = {
    "REDIS_URL": "redis://redis", "MONGODB_URI": "mongodb://m", "BRAIN_SERVICE_BASE_URL": "http://brain",
    "BRAIN_SERVICE_API_KEY": "k", "GATHER_NAMESPACE": "films", "GATHER_WORKER_IMAGE": "worker:1",
    "NEXT_PUBLIC_APP_URL": "http://app", "GATHER_WEBHOOK_SECRET": "s" * 16,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _misspelt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What every room needs, and a setting without the end of its name."""
    for name in [name for name in os.environ if name.upper().startswith("GATHER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    for name, value in {**NEEDED, "GATHER_LLM_TIMEOUT": "value-of-12345"}.items():
        monkeypatch.setenv(name, value)


def test_variables_and_secret_files_are_said_without_a_value(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A folder that cannot be read, or is none, is said by what reads the settings."""
    (tmp_path / "GATHER_LLM_EXTRA_HEADER").write_text("sekret-12345")
    warn_of_unknown_settings(logging.getLogger("x"))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert caplog.messages == [
        SAID.replace("TIMEOUT", "EXTRA_HEADER").replace("EXTRA_HEADER_S", "EXTRA_HEADERS"),
        SAID,
    ]


def test_a_worker_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    """When it reads its settings, as all its commands do."""
    read_settings(Settings)
    assert caplog.messages == [SAID]


def test_a_brain_says_it(capfd: pytest.CaptureFixture[str]) -> None:
    """In its log."""
    start_process()
    assert SAID in capfd.readouterr().err


class SaidError(Exception):
    """The process has come to it."""


@pytest.mark.parametrize(
    ("module", "serve"),
    [
        (operator, lambda: operator.main([])),
        (bridge, bridge.main),
        (celery_command, celery_command.serve),
        (http_server, http_server.serve),
    ],
    ids=["operator", "bridge", "celery door", "http door"],
)
def test_services_say_it_before_they_serve(
    monkeypatch: pytest.MonkeyPatch, module: Any, serve: Callable[[], object]
) -> None:
    """Once their logs are set up."""

    def said(_: logging.Logger) -> None:
        assert unknown_settings() == [SAID]
        raise SaidError

    monkeypatch.setattr(module, "warn_of_unknown_settings", said)
    with pytest.raises(SaidError):
        serve()


def test_the_command_line_says_only_what_is_nearly_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person's machine may have others of that beginning."""
    monkeypatch.setenv("GATHER_BRIDGE_TOKENFILE", "/token")
    monkeypatch.setenv("GATHER_ZZZ", "1")
    monkeypatch.setattr("sys.argv", ["gather", "version", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    said = capsys.readouterr().err
    assert "warning: GATHER_BRIDGE_TOKENFILE is no setting of Gather" in said
    assert "GATHER_BRIDGE_TOKEN_FILE is one" in said
    assert "GATHER_ZZZ" not in said
