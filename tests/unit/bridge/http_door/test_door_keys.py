"""Keys of the HTTP door: whose they are, what they open, and how one is made."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gather_bridge.http_door.door_errors import KeyRefused, TaskMissing
from gather_bridge.http_door.door_keys import DEFAULTS, DoorKeys
from gather_bridge.main import main
from gather_clients.configuration import ConfigurationError
from gather_clients.issued_secrets import is_issued
from gather_clients.limits.gcra import Policy
from tests.support.doors.http_door import OTHER_PROJECT, PROJECT, entry, write_keys
from tests.support.fake_clock import FakeClock

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)


def keys(path: Path, clock: FakeClock | None = None) -> DoorKeys:
    """The keys of a file, as of a fixed time."""
    return DoorKeys(path, clock or FakeClock(), lambda: NOW)


def test_a_key_opens_its_projects_and_no_other(tmp_path: Path) -> None:
    """However their digits are written."""
    path = tmp_path / "keys.json"
    write_keys(path, entry("app", "one", PROJECT.upper()), entry("all", "two", "*"))
    caller = keys(path).caller_of("one")
    caller.require(PROJECT)
    caller.require(PROJECT.upper())
    with pytest.raises(TaskMissing):
        caller.require(OTHER_PROJECT)
    keys(path).caller_of("two").require(OTHER_PROJECT)


@pytest.mark.parametrize("key", [None, "", "three", "one ", "x" * 300, "ключ"])
def test_what_is_no_key_is_refused(tmp_path: Path, key: str | None) -> None:
    """Whatever it is instead."""
    path = tmp_path / "keys.json"
    write_keys(path, entry("app", "one", PROJECT))
    with pytest.raises(KeyRefused):
        keys(path).caller_of(key)


def test_a_key_ends_when_its_time_is_up(tmp_path: Path) -> None:
    """At the moment that the file names."""
    path = tmp_path / "keys.json"
    ends = [NOW + timedelta(seconds=1), NOW]
    write_keys(path, *(entry("k", f"k{n}", "*", expires_at=end.isoformat()) for n, end in enumerate(ends)))
    assert keys(path).caller_of("k0").name == "k"
    with pytest.raises(KeyRefused):
        keys(path).caller_of("k1")


def test_limits_of_a_key_s_own_go_before_the_usual_ones(tmp_path: Path) -> None:
    """Each by its name."""
    path = tmp_path / "keys.json"
    write_keys(path, entry("app", "one", "*", limits={"submit": {"per_minute": 7, "burst": 8}}))
    caller = keys(path).caller_of("one")
    assert caller.policy("submit") == Policy(per_minute=7, burst=8)
    assert caller.policy("status") == DEFAULTS["status"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "names nobody"),
        ("{}", "is not a JSON list"),
        ('[{"name": "a-secret-name"}]', "0.projects, 0.sha256"),
        ('[{"name": "a", "sha256": "a-secret", "projects": ["*"]}]', "is not valid at 0.sha256"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_without_its_content(
    tmp_path: Path, text: str, said: str
) -> None:
    """It may hold a key in the wrong place."""
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as failed:
        keys(path)
    assert said in str(failed.value)
    assert "secret" not in str(failed.value)
    assert str(path) in str(failed.value)


def test_a_new_key_comes_alone_and_its_entry_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The key on standard output, what the file needs on standard error, without the key."""
    with pytest.raises(SystemExit) as ended:
        main(["http-key", "--name", "app", "--project", PROJECT, "--project", PROJECT])
    out, err = capsys.readouterr()
    key = out.removesuffix("\n")
    assert ended.value.code == 0
    assert is_issued(key, "gdk_")
    assert json.loads(err) == {
        "name": "app", "sha256": hashlib.sha256(key.encode()).hexdigest(), "projects": [PROJECT],
    }  # fmt: skip
