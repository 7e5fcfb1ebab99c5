"""What the locks hold: every dependency of pyproject.toml, with hashes, and the same versions everywhere."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev.generate.lock import PARTS, PYPROJECT, REQUIREMENTS, compile_command

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)")
PROJECT = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))


def pins(path: Path) -> dict[str, set[str]]:
    """Return each package's pinned versions; one may have two, for two Pythons."""
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


def wanted(extra: str) -> list[Requirement]:
    return [Requirement(text) for text in (*PROJECT["project"]["dependencies"], *EXTRAS[extra])]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_s_lock_holds_what_pyproject_asks_for(part: str) -> None:
    locked = pins(REQUIREMENTS / f"{part}.txt")
    for requirement in wanted(part):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not locked: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_development_lock_holds_what_every_extra_asks_for() -> None:
    locked = pins(REQUIREMENTS / "dev.txt")
    missing = [r.name for extra in EXTRAS for r in wanted(extra) if canonicalize_name(r.name) not in locked]
    assert missing == []


@pytest.mark.parametrize("part", PARTS)
def test_a_part_runs_on_the_versions_that_the_tests_ran_on(part: str) -> None:
    development = pins(REQUIREMENTS / "dev.txt")
    other = {name: v for name, v in pins(REQUIREMENTS / f"{part}.txt").items() if development.get(name) != v}
    assert other == {}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_pin_has_a_hash_and_no_lock_names_a_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert all("--hash=sha256:" in block for block in blocks if PIN.match(block))
    assert not re.search(r"https?://|--index-url|--find-links|file:|^-e|^/", text, re.MULTILINE)


def test_the_compile_command_holds_a_room_to_the_development_lock(tmp_path: Path) -> None:
    command = compile_command(
        tmp_path / "o", ["pyproject.toml"], ["worker"], tmp_path / "dev.txt", upgrade=False
    )
    assert command[3:5] == ["pip", "compile"]
    assert {"--universal", "--generate-hashes", "--constraint"} <= set(command)
    assert "--upgrade" not in command
