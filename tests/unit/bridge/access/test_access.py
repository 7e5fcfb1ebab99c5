"""Who may listen: tokens by hash, bound to projects, read again when their file changes."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gather_bridge.access.asked import asked_position
from gather_bridge.access.permits import RELOAD_INTERVAL_S, Access
from gather_bridge.access.token_file import Verdict, bearer_token, is_origin_allowed
from gather_bridge.errors import SocketRefused, TokensFileError
from gather_bridge.live.replay import Position
from gather_clients.issued_secrets import secret_hash

MINE, OTHER = "66f1a2b3c4d5e6f708192a3b", "66f1a2b3c4d5e6f708192a3c"

Write = Callable[..., Path]


def line(token: str, *projects: str) -> dict[str, Any]:
    return {"name": "app", "sha256": secret_hash(token), "projects": projects}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes the tokens file, each time with another time of change."""
    path = tmp_path / "tokens.json"
    count = 0

    def write(*lines: dict[str, Any], text: str | None = None) -> Path:
        nonlocal count
        count += 1
        path.write_text(json.dumps(lines) if text is None else text, encoding="utf-8")
        os.utime(path, ns=(count * 10**9, count * 10**9))
        return path

    return write


def test_a_token_opens_its_own_projects_and_no_other(write: Write) -> None:
    """Either case of a project id is one project."""
    access = Access(write(line("app-token", MINE.upper()), line("all", "*")), allow_anonymous=False)
    assert access.verdict("app-token", MINE) is Verdict.ALLOWED
    assert access.verdict("app-token", OTHER) is Verdict.OTHER_PROJECT
    assert access.verdict("all", OTHER) is Verdict.ALLOWED
    for unknown in ("app-toke", "app-token ", "", secret_hash("app-token"), "x" * 100_000, None):
        assert access.verdict(unknown, MINE) is Verdict.UNKNOWN


def test_anonymous_clients_are_let_in_only_if_the_settings_say_so(write: Write) -> None:
    """A wrong token stays wrong even then."""
    access = Access(write(line("app-token", MINE)), allow_anonymous=True)
    assert access.verdict(None, OTHER) is Verdict.ALLOWED
    assert access.verdict("wrong", OTHER) is Verdict.UNKNOWN
    assert access.verdict("app-token", OTHER) is Verdict.OTHER_PROJECT


def test_without_a_file_everyone_or_nobody(tmp_path: Path, write: Write) -> None:
    """A bridge that nobody could use does not start."""
    assert Access(tmp_path / "none", allow_anonymous=True).verdict(None, MINE) is Verdict.ALLOWED
    with pytest.raises(TokensFileError, match="cannot be read"):
        Access(tmp_path / "none", allow_anonymous=False)
    with pytest.raises(TokensFileError, match="GATHER_BRIDGE_ALLOW_ANONYMOUS=true"):
        Access(write(), allow_anonymous=False)


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[1]", '[{"name": "a"}]', '[{"name": "a", "sha256": "secret", "projects": ["*"]}]',
     json.dumps([{**line("t"), "projects": []}]), json.dumps([{**line("t", MINE), "token": "secret"}]),
     json.dumps([{**line("t", MINE), "secret": 1}]), json.dumps([line("t", "not-a-project")])],
    ids=ascii,
)  # fmt: skip
def test_a_malformed_file_is_refused_without_quoting_it(write: Write, text: str) -> None:
    """Somebody may have put a token where its hash belongs."""
    with pytest.raises(TokensFileError) as refused:
        Access(write(text=text), allow_anonymous=False)
    assert "secret" not in str(refused.value)


def test_a_changed_file_counts_a_little_later(write: Write) -> None:
    """New tokens come and old ones go without a restart; a malformed file changes nothing."""
    now = [0.0]
    access = Access(write(line("old", MINE)), allow_anonymous=False, clock=lambda: now[0])
    write(line("new", MINE))
    assert access.verdict("old", MINE) is Verdict.ALLOWED
    now[0] += RELOAD_INTERVAL_S
    assert access.verdict("old", MINE) is Verdict.UNKNOWN
    assert access.verdict("new", MINE) is Verdict.ALLOWED
    write(text="{")
    now[0] += RELOAD_INTERVAL_S
    assert access.verdict("new", MINE) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("authorization", "subprotocols", "token"),
    [
        ("Bearer abc", [], "abc"),
        ("bearer  abc ", [], "abc"),
        (None, ["gather.v1", "gather.token.abc"], "abc"),
        ("Bearer abc", ["gather.token.other"], "abc"),
        ("Basic abc", ["gather.token.abc"], "abc"),
        ("Basic abc", [], None),
        ("Bearer ", ["gather.token.abc"], None),
        (None, ["gather.v1", "gather.token."], None),
        (None, [], None),
    ],
)
def test_a_token_comes_in_the_header_or_as_a_subprotocol(
    authorization: str | None, subprotocols: list[str], token: str | None
) -> None:
    """A browser's WebSocket can send no header of its own."""
    assert bearer_token(authorization, subprotocols) == token


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (None, True),
        ("https://app.example", True),
        ("https://app.example.evil.example", False),
        ("https://evil.example", False),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("https://APP.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_page_s_origin_must_be_listed_exactly(origin: str | None, is_allowed: bool) -> None:
    """Any page that a person visits could open a WebSocket in that person's name."""
    assert is_origin_allowed(origin, ["https://app.example"]) is is_allowed


@pytest.mark.parametrize(
    ("offset", "epoch", "position"),
    [(None, None, None), ("0", None, Position()), ("7", "0af", Position("0af", 7)), (None, "", None)],
)
def test_where_a_client_left_off_is_read(offset: str, epoch: str, position: Position | None) -> None:
    """Nothing: live events only."""
    assert asked_position(offset, epoch) == position


@pytest.mark.parametrize(
    ("offset", "epoch"),
    [("-1", "e"), ("1.5", "e"), ("x", "e"), ("", "e"), ("9" * 17, "e"), ("9" * 16, "e"), ("٣", "e"),
     ("1", "E F"), ("1", "e" * 65), (None, "e")],
)  # fmt: skip
def test_a_wrong_offset_or_epoch_is_refused(offset: str | None, epoch: str) -> None:
    """Guessing would replay the wrong events."""
    with pytest.raises(SocketRefused) as refused:
        asked_position(offset, epoch)
    assert refused.value.status == 400
