"""A key can be replaced while a process runs, and what cannot be a key does no harm."""

from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from gather_clients.http_calls.held_keys import HeaderKey, HeldKey

VARIABLE = "ROOM_KEY"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the Secret's file is, which is not there yet."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    return tmp_path / VARIABLE


def sent(key: HeldKey) -> str | None:
    """Return the header of one request."""
    with httpx.Client(auth=key, transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        found: str | None = client.get("http://service").request.headers.get("Authorization")
        return found


def test_the_key_is_the_one_that_the_file_has_now(file: Path) -> None:
    """Without the space around it."""
    key = HeldKey(VARIABLE, SecretStr("first\n"))
    assert sent(key) == "Bearer first"
    file.write_text("second\n", encoding="utf-8")
    assert sent(key) == "Bearer second"


def test_a_key_that_comes_later_is_sent_from_then_on(file: Path) -> None:
    """Where there was none at the start."""
    key = HeldKey(VARIABLE, None, "users API-Key")
    assert sent(key) is None
    file.write_text("late", encoding="utf-8")
    assert sent(key) == "users API-Key late"


@pytest.mark.parametrize("bad", ["schlüssel", "two\nlines", "a\x00b"])
def test_what_no_header_holds_is_said_once_and_the_last_key_stays(
    file: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Httpx would fail with an error that quotes it."""
    key = HeldKey(VARIABLE, "first")
    file.write_text("second", encoding="utf-8")
    assert sent(key) == "Bearer second"
    file.write_text(bad, encoding="utf-8")
    assert [sent(key), sent(key)] == ["Bearer second", "Bearer second"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{VARIABLE} has characters that a header cannot hold"
    ]
    with pytest.raises(ValidationError, match="a header cannot hold"):
        _Settings(key=SecretStr(bad))


class _Settings(BaseModel):
    key: HeaderKey


def test_a_setting_loses_the_space_around_it() -> None:
    """A file often ends with a line's end."""
    assert _Settings(key=SecretStr(" key\n")).key.get_secret_value() == "key"
