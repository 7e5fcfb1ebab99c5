"""A worker's Redis: a wrong address ends it at once, and Sentinels need a broker beside them."""

from pathlib import Path

import pytest

from gather_worker.errors import InvalidInput
from gather_worker.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:secret@", "REDIS_URL: is not the address of a Redis"),
        ("redis+sentinel://h/film", "set CELERY_BROKER_URL"),
    ],
)
def test_what_a_worker_cannot_use_is_named(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code for input that can never work, and without its value."""
    for name, value in {
        "MONGODB_URI": "mongodb://h", "BRAIN_SERVICE_BASE_URL": "http://b", "BRAIN_SERVICE_API_KEY": "k",
        "REDIS_URL": url,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    with pytest.raises(InvalidInput, match=said) as refused:
        read_settings(Settings)
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://h")
    monkeypatch.setenv("REDIS_URL", "redis+sentinel://h/film")
    assert read_settings(Settings).broker_url == "redis://h"


@pytest.mark.parametrize("variable", ["REDIS_URL", "CELERY_BROKER_URL"])
def test_a_broker_s_new_password_is_read_from_its_file(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the run's last evaluation would wait for the project's next run."""
    for name, value in {
        "MONGODB_URI": "mongodb://h", "BRAIN_SERVICE_BASE_URL": "http://b", "BRAIN_SERVICE_API_KEY": "k",
        "REDIS_URL": "redis://:old@h",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(value, encoding="utf-8")
        monkeypatch.delenv(name, raising=False)
    (tmp_path / variable).write_text("redis://:old@h", encoding="utf-8")
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    settings = read_settings(Settings)
    assert settings.broker_url == "redis://:old@h"
    (tmp_path / variable).write_text("redis://:new@h\n", encoding="utf-8")
    assert settings.broker_url == "redis://:new@h"
