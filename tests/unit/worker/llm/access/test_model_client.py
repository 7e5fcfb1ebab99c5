"""Keys that are refused are read again from their Secret, and trouble names the setting to change."""

import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gather_clients.configuration import ConfigurationError
from gather_clients.logs import without_secrets
from gather_worker.llm.access.model_client import Access, new_client
from gather_worker.llm.access.troubles import is_unsent, trouble_of
from gather_worker.settings import Settings, read_settings

URL = "http://m.test/v1"


class Door:
    """An endpoint that takes one key."""

    def __init__(self, key: str, status: int = 401) -> None:
        self.key = key
        self.status = status
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.seen.append(request.headers.get("Authorization", "none"))
        is_right = self.seen[-1] == f"Bearer {self.key}"
        return httpx.Response(200 if is_right else self.status, content=request.content)


async def post(door: Door, keys: Callable[[], dict[str, str]] | None, times: int = 1) -> list[httpx.Response]:
    """Return the answers to requests that began with the old key."""
    access = Access({"Authorization": "Bearer old"}, reread=keys)
    async with new_client(URL, access=access, transport=httpx.MockTransport(door)) as client:
        return [await client.post("/chat/completions", json={"a": number}) for number in range(times)]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_read_again_and_the_request_sent_once_more(status: int) -> None:
    """Its Secret was changed while the worker ran; later requests have the new key at once."""
    door = Door("new", status)
    answers = await post(door, lambda: {"Authorization": "Bearer new"}, times=2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert door.seen == ["Bearer old", "Bearer new", "Bearer new"]
    assert answers[0].json() == {"a": 0}


@pytest.mark.parametrize("keys", [None, lambda: {"Authorization": "Bearer old"}], ids=["none", "unchanged"])
async def test_an_unchanged_key_is_not_sent_again(keys: Any) -> None:
    """The refusal stands."""
    door = Door("new")
    assert (await post(door, keys))[0].status_code == 401
    assert door.seen == ["Bearer old"]


async def test_a_key_that_is_refused_too_is_the_end() -> None:
    """Once more, and not for ever."""
    door = Door("other")
    assert (await post(door, lambda: {"Authorization": "Bearer new"}))[0].status_code == 401
    assert door.seen == ["Bearer old", "Bearer new"]


async def test_a_key_in_another_header_takes_its_place() -> None:
    """The old one is not sent beside it."""
    door = Door("new")
    await post(door, lambda: {"api-key": "new"})
    assert door.seen == ["Bearer old", "none"]


@pytest.mark.parametrize(
    "keys", [{"Authorization": "Bearer k\nk"}, ConfigurationError("OPENROUTER_API_KEY: no")]
)
async def test_what_cannot_be_read_again_changes_nothing(keys: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Half of a file that is being written; the log says so, without the key."""

    def reread() -> dict[str, str]:
        if isinstance(keys, Exception):
            raise keys
        return keys  # type: ignore[no-any-return]

    door = Door("new")
    with caplog.at_level(logging.WARNING):
        assert (await post(door, reread))[0].status_code == 401
    assert door.seen == ["Bearer old"]
    assert "cannot be read again" in caplog.text
    assert "k\nk" not in caplog.text


async def test_other_refusals_do_not_open_the_file() -> None:
    """Only those that are about the key."""
    door = Door("new", 429)
    assert (await post(door, lambda: pytest.fail("read again")))[0].status_code == 429


async def test_the_key_s_file_is_what_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Kubernetes changes it beneath the worker; logs strike out the new key too."""
    for name in ("MONGODB_URI", "BRAIN_SERVICE_BASE_URL", "BRAIN_SERVICE_API_KEY"):
        monkeypatch.setenv(name, "http://x")
    monkeypatch.setenv("REDIS_URL", "redis://r")
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    file = tmp_path / "OPENROUTER_API_KEY"
    file.write_text("sk-old-key-12345\n", encoding="utf-8")
    access = read_settings(Settings).model_access
    file.write_text("sk-new-key-67890\n", encoding="utf-8")
    door = Door("sk-new-key-67890")
    async with new_client(URL, access=access, transport=httpx.MockTransport(door)) as client:
        assert (await client.post("/chat/completions")).status_code == 200
    assert "67890" not in without_secrets("refused: sk-new-key-67890")


def caused(error: Exception, cause: Exception) -> Exception:
    """Return the error with its cause."""
    error.__cause__ = cause
    return error


CERTIFICATE = ssl.SSLCertVerificationError(1, "no")
CERTIFICATE.verify_message = "self-signed certificate"
TROUBLES = {
    "certificate": (
        caused(httpx.ConnectError("x"), CERTIFICATE),
        "self-signed certificate): GATHER_LLM_CA_FILE",
    ),
    "no TLS": (caused(httpx.ConnectError("x"), ssl.SSLError(1, "wrong")), "GATHER_LLM_BASE_URL"),
    "name": (
        caused(httpx.ConnectError("x"), socket.gaierror(-2, "no")),
        "name, or its proxy's, is not known",
    ),
    "proxy": (
        httpx.ProxyError("407 Proxy\nAuthentication"),
        "the proxy refuses (407 ProxyAuthentication): see",
    ),
    "refused": (httpx.ConnectError("secret.place"), "nothing answers at its address (ConnectError)"),
    "no way": (httpx.ConnectTimeout(""), "GATHER_LLM_PROXY"),
    "slow": (httpx.ReadTimeout(""), "within 7 s (ReadTimeout): see GATHER_LLM_TIMEOUT_S"),
    "slow in all": (TimeoutError(), "within 7 s (TimeoutError): see GATHER_LLM_TIMEOUT_S"),
    "broken": (httpx.RemoteProtocolError("peer said x"), "the connection broke (RemoteProtocolError)"),
}


@pytest.mark.parametrize(("error", "said"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_names_what_to_change(error: Exception, said: str) -> None:
    """And repeats nothing of what may be secret."""
    assert said in trouble_of(error, 7)
    assert "secret" not in trouble_of(error, 7)


def test_nothing_was_sent_through_a_proxy_that_refuses() -> None:
    """And so nothing was charged."""
    assert is_unsent(httpx.ProxyError("403"))
    assert not is_unsent(httpx.ReadError("x"))
