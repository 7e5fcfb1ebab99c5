"""No command shows a secret of its settings, whatever somebody else has written into an error."""

import logging
from argparse import Namespace
from collections.abc import Iterator

import pytest

from gather_clients.logs import hide_in_logs
from gather_contracts.result import ExitCode
from gather_worker.cli import duplicates
from gather_worker.cli.clients import run_command
from gather_worker.cli.settings import CommandSettings
from gather_worker.errors import TryAgain
from gather_worker.main import execute_command
from gather_worker.settings import read_settings

KEY = "hunter2-secret"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key; afterwards nothing is struck out any more."""
    for name in ("OPENROUTER_API_KEY", "BRAIN_SERVICE_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("BRAIN_SERVICE_BASE_URL", "http://127.0.0.1:9")
    yield
    hide_in_logs([])


async def complain() -> ExitCode:
    """Warn, and fail, with the key in both."""
    logging.getLogger("gather_worker").warning("said: %s", KEY)
    raise TryAgain(f"the endpoint says: {KEY}")


def test_a_command_strikes_its_settings_secrets_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of its warnings, and of its last words."""

    def execute(_: Namespace) -> ExitCode:
        read_settings(CommandSettings)
        return run_command(complain())

    monkeypatch.setattr(duplicates, "execute", execute)
    monkeypatch.setattr(logging.root, "handlers", [])
    assert execute_command(["duplicates", "--pairs", "x.jsonl"]) == ExitCode.TRY_AGAIN
    said = capsys.readouterr().err
    assert said == "WARNING: said: ***\ngather-worker duplicates: the endpoint says: ***\n"
