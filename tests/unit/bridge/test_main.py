"""The bridge's start: what is wrong with its configuration is said in a line, and it ends with 64."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_bridge.main import main
from gather_bridge.settings import Settings
from gather_clients.configuration import read_settings

SECRET = "the-bridges-secret"  # noqa: S105 - of these tests


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A secrets folder with all that the bridge needs, and logging as it was afterwards."""
    for name in [name for name in os.environ if name.startswith(("GATHER_", "REDIS_"))]:
        monkeypatch.delenv(name)
    token = {"name": "app", "sha256": "0" * 64, "projects": ["*"]}
    files = {
        "REDIS_URL": f"redis://:{SECRET}@redis",
        "GATHER_WEBHOOK_SECRET": SECRET,
        "tokens": json.dumps([token]),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("GATHER_BRIDGE_TOKENS_FILE", str(tmp_path / "tokens"))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers = handlers
    root.setLevel(level)


def test_settings_come_from_the_environment_and_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and origins are JSON lists."""
    monkeypatch.setenv("GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS", '["10.0.0.0/8", "fd00::/8"]')
    monkeypatch.setenv("GATHER_LOG_LEVEL", "debug")
    settings = read_settings(Settings)
    assert settings.webhook_secret.get_secret_value() == SECRET
    assert list(map(str, settings.webhook_allowed_networks)) == ["10.0.0.0/8", "fd00::/8"]
    assert settings.log_level == "DEBUG"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GATHER_BRIDGE_PORT", "99999", "Input should be less than or equal to 65535"),
        ("GATHER_LOG_LEVEL", "loud", "Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        ("GATHER_WEBHOOK_SECRET", "short", "Value should have at least 16 characters"),
        ("REDIS_URL", "redis://:the-bridges#secret@redis", "is not the address of a Redis; "),
        ("GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8", "cannot be read: it is not JSON"),
        ("GATHER_BRIDGE_WEBHOOK_CA_FILE", "/none", "not a file of PEM certificates that can be read"),
        (
            "GATHER_BRIDGE_ALLOWED_ORIGINS[0]",
            '["https://app.example/"]',
            "an origin is scheme, host and port",
        ),
        ("GATHER_BRIDGE_ALLOWED_ORIGINS[0]", '["*"]', "an origin is scheme, host and port"),
        ("GATHER_BRIDGE_ALLOWED_ORIGINS[0]", '["null"]', "an origin is scheme, host and port"),
        ("GATHER_BRIDGE_TOKENS_FILE", "/none", "the tokens file cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_setting_ends_the_process_with_its_name_and_rule(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, without a value."""
    monkeypatch.setenv(variable.removesuffix("[0]"), value)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gather-bridge: {variable}: {said}")
    assert not [secret for secret in ("the-bridges", "short") if secret in line]


def test_a_wrong_secrets_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Together with what is missing."""
    (folder / "GATHER_WEBHOOK_SECRET").write_text("short")
    (folder / "REDIS_URL").unlink()
    with pytest.raises(SystemExit):
        main()
    place = f"GATHER_WEBHOOK_SECRET (file {folder}/GATHER_WEBHOOK_SECRET)"
    assert capsys.readouterr().err.splitlines() == [
        "gather-bridge: REDIS_URL: Field required",
        f"gather-bridge: {place}: Value should have at least 16 characters",
    ]
