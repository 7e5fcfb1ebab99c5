"""Every process says at its start which of its variables no room knows."""

import logging
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from dev.paths import ROOT
from gather_brain.settings import start_process
from gather_bridge import main as bridge
from gather_bridge.celery_door import celery_command
from gather_bridge.http_door import http_server
from gather_cli import main as cli
from gather_clients import configuration
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


def _full_name(kind: type[BaseSettings]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _kinds() -> list[type[BaseSettings]]:
    """Every class of settings of the rooms, each in a module that says so."""
    for room in ("operator", "worker", "brain", "bridge", "clients"):
        for path in (ROOT / room / f"gather_{room}").rglob("*settings*.py"):
            import_module(".".join(path.relative_to(ROOT / room).with_suffix("").parts))
    found = {kind for kind in _below(BaseSettings) if kind.__module__.startswith("gather_")}
    return sorted(found, key=_full_name)


def _below(base: type[BaseSettings]) -> set[type[BaseSettings]]:
    return {kind for each in base.__subclasses__() for kind in (each, *_below(each))}


@pytest.mark.parametrize("kind", _kinds(), ids=_full_name)
def test_a_setting_is_read_by_its_own_variable_alone(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not by its field's name: many a platform sets HOST and PORT, each of which is no setting of ours."""
    read = _values(kind)
    prefix = kind.model_config.get("env_prefix", "")
    own = {f"{field.validation_alias or prefix + name}" for name, field in kind.model_fields.items()}
    for name in {name.upper() for name in kind.model_fields} - {name.upper() for name in own}:
        monkeypatch.setenv(name, "of-a-platform")
        (tmp_path / name.lower()).write_text("of-a-platform")
    assert _values(kind) == read


def _values(kind: type[BaseSettings]) -> dict[str, Any]:
    """Return what is read, but for what is drawn at random."""
    return configuration.read_settings(kind).model_dump(exclude={"identity"})


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
