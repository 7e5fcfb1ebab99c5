# ruff: noqa: E501 - tables, a case a row
"""Notes through the bridge: pages, exports that break off, tokens, and where both are configured."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gather_cli.errors import CliError, Forbidden, Unreachable
from gather_cli.notes.bridge_client import Bridge
from gather_cli.notes.bridge_settings import WrongConfig, read_config, read_token
from gather_cli.notes.whole_file import write_whole

PROJECT = "66f1a2b3c4d5e6f708192a3b"


class Served:
    """A bridge that answers as a test says, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.address = ""


@pytest.fixture
def served() -> Iterator[Served]:
    """One on this machine."""
    bridge = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bridge.asked.append((self.path, self.headers.get("Authorization", "")))
            status, headers, body = bridge.answers.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bridge.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield bridge
    server.shutdown()
    server.server_close()
    thread.join()


def page(*ids: str, after: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """A page of notes."""
    return 200, {}, json.dumps({"notes": [{"id": each} for each in ids], "next": after}).encode()


def test_pages_are_read_to_the_last_with_the_token(served: Served) -> None:
    """Each begins where the one before it ended."""
    served.answers = [page("a", "b", after="mark&1"), page("c")]
    pages = list(Bridge(served.address, "secret", 5).pages(PROJECT, {"run": "film", "limit": 2}))
    assert [note["id"] for each in pages for note in each["notes"]] == ["a", "b", "c"]
    assert served.asked[0] == (f"/api/v1/projects/{PROJECT}/notes?run=film&limit=2", "Bearer secret")
    assert served.asked[1][0].endswith("limit=2&after=mark%261")


@pytest.mark.parametrize(
    ("answer", "token", "error", "says"),
    [
        ((401, {}, b"{}"), "", Forbidden, "wants a token; give a token of the bridge: --token-file"),
        ((401, {}, b"{}"), "t", Forbidden, "does not know this token"),
        ((403, {}, b'{"error":"forbidden","message":"not for this project"}'), "t", Forbidden, "not for this project; ask for a token"),
        ((503, {}, b'{"error":"not_configured","message":"no MONGODB_URI"}'), "t", Unreachable, "no MONGODB_URI"),
        ((302, {"Location": "http://elsewhere"}, b""), "t", Unreachable, "leads elsewhere"),
        ((200, {}, b"<html>"), "t", Unreachable, "cannot be read"),
        ((200, {}, b"[]"), "t", Unreachable, "something else than the bridge"),
        ((400, {}, b'{"message":"run must be a name"}'), "t", CliError, "run must be a name"),
    ],
    ids=["no token", "wrong token", "other project", "not configured", "redirect", "page", "list", "bad request"],
)  # fmt: skip
def test_each_refusal_names_what_helps(
    served: Served, answer: tuple[int, dict[str, str], bytes], token: str, error: type[CliError], says: str
) -> None:
    """And a redirect is never followed with the token."""
    served.answers = [answer]
    with pytest.raises(error, match=says):
        list(Bridge(served.address, token, 5).pages(PROJECT, {}))
    assert len(served.asked) == 1


def test_an_export_that_breaks_off_leaves_the_old_file(served: Served, tmp_path: Path) -> None:
    """And nothing beside it."""
    file = tmp_path / "film.md"
    file.write_text("old", "utf-8")
    served.answers = [(200, {"Content-Length": "1000"}, b"half")]
    with pytest.raises(Unreachable, match="broke off"):
        write_whole(file, Bridge(served.address, "", 5).export(PROJECT, {"format": "md"}))
    assert [path.name for path in tmp_path.iterdir()] == ["film.md"]
    assert file.read_text("utf-8") == "old"
    served.answers = [(200, {}, b"whole")]
    assert write_whole(file, Bridge(served.address, "", 5).export(PROJECT, {"format": "md"})) == 5
    assert file.read_text("utf-8") == "whole"


def test_a_bridge_that_is_not_there_is_named() -> None:
    """With the option that names another one."""
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached: .*is --bridge right"):
        list(Bridge("http://127.0.0.1:9", "", 5).pages(PROJECT, {}))


# --- configuration


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration file is."""
    for name in ("GATHER_BRIDGE_TOKEN", "GATHER_BRIDGE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GATHER_CONFIG", str(tmp_path / "config.yaml"))
    return tmp_path / "config.yaml"


def test_a_context_s_own_values_go_before_the_rest(config: Path) -> None:
    """A token's file is seen from the configuration."""
    config.write_text(
        "user: me\ntokenFile: token\ncontexts: {prod: {bridge: 'https://b', user: them}}\n", "utf-8"
    )
    (config.parent / "token").write_text("of-file\n", "utf-8")
    assert (read_config("dev").user, read_config("dev").bridge) == ("me", "")
    assert (read_config("prod").user, read_config("prod").bridge) == ("them", "https://b")
    assert read_token(None, read_config("prod")) == "of-file"


def test_flag_then_environment_then_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say the token."""
    config.write_text("token: of-config\n", "utf-8")
    config.chmod(0o600)
    (config.parent / "flag").write_text("of-flag", "utf-8")
    assert read_token(None, read_config("c")) == "of-config"
    monkeypatch.setenv("GATHER_BRIDGE_TOKEN", "of-environment")
    assert read_token(None, read_config("c")) == "of-environment"
    assert read_token(str(config.parent / "flag"), read_config("c")) == "of-flag"


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("token: t", 0o644, "others can read .*chmod 600"),
        ("tokn: t", 0o600, "unknown fields: tokn"),
        ("[", 0o600, "is no YAML"),
        ("- a", 0o600, "another form"),
    ],
    ids=["open", "misspelt", "no yaml", "a list"],
)
def test_a_configuration_that_cannot_be_used_is_named(config: Path, text: str, mode: int, says: str) -> None:
    """With what to do."""
    config.write_text(text, "utf-8")
    config.chmod(mode)
    with pytest.raises(WrongConfig, match=says):
        read_config("c")


def test_a_token_s_file_that_is_missing_is_named(config: Path) -> None:
    """By its path."""
    with pytest.raises(WrongConfig, match="/nowhere cannot be read"):
        read_token("/nowhere", read_config("c"))


def test_no_proxy_sees_what_goes_to_a_port_forward(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads to this machine, over http and with the token."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    served.answers.append(page("1"))
    assert [each["notes"] for each in Bridge(served.address, "token", 5).pages(PROJECT, {})] == [
        [{"id": "1"}]
    ]
