"""Wrong configuration of the brain's commands: a line names variable and file, never a value."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_brain.main import main
from gather_brain.settings import LOGGERS, start_process
from gather_clients.logs import hide_in_logs

COMMANDS = (["serve"], ["keys", "list"], ["reembed", "--status"])
LONG_KEY = "k3y" * 2000


@pytest.fixture(autouse=True)
def _same_logging_afterwards() -> Iterator[None]:
    """Commands set up the logging of their process, which here is pytest's."""
    loggers = [logging.getLogger(name) for name in (None, *LOGGERS)]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    hide_in_logs([])
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but the test's; return the folder of secret files."""
    for name in os.environ:
        if name.startswith(("GATHER_", "NEO4J_", "REDIS_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(folder))
    return folder


def refusal(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Run a command that must be refused, and return its lines."""
    monkeypatch.setattr(sys, "argv", ["gather-brain", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATHER_BRAIN_PORT", "99999"),
        ("GATHER_BRAIN_EMBEDDING_API_KEY", LONG_KEY),
        ("GATHER_BRAIN_NEXT_EMBEDDING_API_KEY", LONG_KEY),
        ("GATHER_BRAIN_NEXT_EMBEDDING_BATCH_SIZE", "none-of-it"),
        ("GATHER_BRAIN_THEMES_LLM_API_KEY", LONG_KEY),
        ("GATHER_BRAIN_THEMES_LLM_BASE_URL", "no-address-at-all"),
    ],
)
def test_a_wrong_variable_is_named_without_its_value(
    command: list[str],
    name: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line, whichever command reads it."""
    monkeypatch.setenv(name, value)
    (line,) = refusal(command, monkeypatch, capsys)
    assert line.startswith(f"gather-brain: {name}: ")
    assert value[:9] not in line
    assert len(line) < 200


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_secret_file_is_named(
    command: list[str], environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Secrets come from files, so the variable's name alone does not say where to look."""
    file = environment / "GATHER_BRAIN_EMBEDDING_API_KEY"
    file.write_text(LONG_KEY)
    (line,) = refusal(command, monkeypatch, capsys)
    assert line.startswith(f"gather-brain: {file.name} (file {file}): ")
    assert "k3yk3y" not in line


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (
            {"GATHER_BRAIN_EMBEDDING_PROVIDER": "openai"},
            ["GATHER_BRAIN_EMBEDDING_BASE_URL", "GATHER_BRAIN_EMBEDDING_MODEL"],
        ),
        (
            {"GATHER_BRAIN_NEXT_EMBEDDING_PROVIDER": "openai"},
            ["GATHER_BRAIN_NEXT_EMBEDDING_BASE_URL", "GATHER_BRAIN_NEXT_EMBEDDING_MODEL"],
        ),
        (
            {"GATHER_BRAIN_NEXT_EMBEDDING_SEND_DIMENSIONS": "true"},
            ["GATHER_BRAIN_NEXT_EMBEDDING_SEND_DIMENSIONS", "GATHER_BRAIN_NEXT_EMBEDDING_DIMENSIONS"],
        ),
        (
            {"GATHER_BRAIN_THEMES_LLM_BASE_URL": "https://model.invalid/v1"},
            ["GATHER_BRAIN_THEMES_LLM_BASE_URL", "GATHER_BRAIN_THEMES_LLM_MODEL"],
        ),
    ],
)
def test_settings_that_need_others_name_them(
    given: dict[str, str],
    named: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the prefix that was used."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (line,) = refusal(["serve"], monkeypatch, capsys)
    assert [name for name in named if name not in line] == []


@pytest.mark.parametrize(
    "content", [None, "SECRETS", "[1]", json.dumps([{"name": "x", "sha256": hashlib.sha256().hexdigest()}])]
)
def test_a_broken_keys_file_is_named(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that it holds is printed."""
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GATHER_BRAIN_KEYS_FILE", str(path))
    (line,) = refusal(["serve"], monkeypatch, capsys)
    assert line.startswith(f"gather-brain: GATHER_BRAIN_KEYS_FILE (file {path}): ")
    assert "SECRETS" not in line
    assert hashlib.sha256().hexdigest() not in line


def test_a_missing_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong mount is not a crash with a traceback."""
    monkeypatch.setenv("GATHER_BRAIN_MODEL_DIR", str(tmp_path / "none"))
    (line,) = refusal(["serve"], monkeypatch, capsys)
    assert line.startswith(f"gather-brain: the embedding model in {tmp_path / 'none'} cannot be loaded")


def test_logs_hold_no_secret_and_go_to_stderr(
    environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a driver or a service says."""
    secrets = {
        "NEO4J_PASSWORD": "pass-of-neo4j",
        "REDIS_URL": "redis://:pass-of-redis@redis.invalid/0",
        "GATHER_BRAIN_EMBEDDING_API_KEY": "key-of-embeddings",
        "GATHER_BRAIN_NEXT_EMBEDDING_API_KEY": "key-of-the-next",
        "GATHER_BRAIN_NEXT_MODEL_NAME": "next",
        "GATHER_BRAIN_THEMES_LLM_API_KEY": "key-of-themes",
    }
    for name, value in secrets.items():
        (environment / name).write_text(value)
    start_process()
    logging.getLogger("driver").warning("refused %s", " ".join(secrets.values()))
    captured = capsys.readouterr()
    assert captured.out == ""
    line = json.loads(captured.err)
    assert line["message"] == "refused *** *** *** *** next ***"
    assert (line["level"], line["logger"], line["service"]) == ("WARNING", "driver", "brain")
    assert "timestamp" in line
