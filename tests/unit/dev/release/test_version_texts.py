"""A release changes the version wherever it stands, and the changelog, and nothing else."""

import re
import tomllib
from pathlib import Path

import yaml

from dev.paths import ROOT
from dev.release.repository import read_texts
from dev.release.version_texts import (
    CHANGELOG,
    CHARTS,
    FILES,
    PYPROJECT,
    notes_of,
    sections,
    unreleased,
    version_in,
    with_version,
)

LOG = """\
# Changelog

## Unreleased

### Added
- new thing

## 0.2.0 - 2026-01-01

### Fixed
- old thing

## 0.1.0 - 2025-01-01
- first
"""


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that differ."""
    return [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]


def test_every_place_of_the_version_gets_the_new_one() -> None:
    """In the repository's own files."""
    texts = read_texts()
    new = with_version(texts, "7.8.9", "2026-12-01")
    assert set(new) == set(FILES)
    assert version_in(new[PYPROJECT]) == "7.8.9"
    for chart in CHARTS:
        found = yaml.safe_load(new[chart])
        assert (found["version"], found["appVersion"]) == ("7.8.9", "7.8.9")
    images = yaml.safe_load(yaml.safe_load(new[CHARTS[0]])["annotations"]["artifacthub.io/images"])
    assert {image["image"].rpartition(":")[2] for image in images} == {"7.8.9"}
    assert len(images) == 4


def test_nothing_else_changes() -> None:
    """A dependency's version, an API's or Kubernetes' stays."""
    texts = read_texts()
    new = with_version(texts, "7.8.9", "2026-12-01")
    assert changed_lines(texts[PYPROJECT], new[PYPROJECT]) == ['version = "7.8.9"']
    assert len(changed_lines(texts[CHARTS[0]], new[CHARTS[0]])) == 6
    assert len(changed_lines(texts[CHARTS[1]], new[CHARTS[1]])) == 2
    assert tomllib.loads(new[PYPROJECT])["build-system"] == tomllib.loads(texts[PYPROJECT])["build-system"]


def test_no_other_file_of_charts_or_product_names_the_version() -> None:
    """Else a release would leave it behind; the brain's `__version__` is its API's."""
    version = re.compile(rf"(?<![\d.]){re.escape(version_in(read_texts()[PYPROJECT]))}(?![\d.])")
    named = [
        str(path.relative_to(ROOT))
        for folder in ("charts", "cli", "dev", "operator", "worker", "bridge", "crds")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".yaml", ".tpl", ".txt", ".json", ".toml"}
        and path.relative_to(ROOT) not in FILES
        and version.search(path.read_text("utf-8"))
    ]
    assert [name for name in named if not name.startswith(("dev/release", "dev/cli/release"))] == []


def test_unreleased_becomes_the_version_s_section() -> None:
    """And an empty one stays for what comes next."""
    texts = {**read_texts(), CHANGELOG: LOG}
    log = with_version(texts, "0.3.0", "2026-12-01")[CHANGELOG]
    assert unreleased(log) == ""
    assert notes_of(log, "0.3.0") == unreleased(LOG) == "### Added\n- new thing"
    assert sections(log) == ["0.3.0", "0.2.0", "0.1.0"]
    assert "## Unreleased\n\n## 0.3.0 - 2026-12-01\n\n### Added\n- new thing\n\n## 0.2.0" in log
    assert notes_of(log, "0.2.0") == "### Fixed\n- old thing"
    assert notes_of(log, "0.1.0") == "- first"


def test_headings_alone_are_nothing_to_release() -> None:
    """As a template leaves them."""
    assert unreleased("# Changelog\n\n## Unreleased\n\n### Added\n\n### Fixed\n\n## 0.1.0\n- x\n") == ""
    assert unreleased("# Changelog\n\n## Unreleased\n") == ""
    assert unreleased("# Changelog\n") == ""


def test_the_repository_s_own_changelog_can_be_released() -> None:
    """It has the heading that a release looks for."""
    log = read_texts()[Path("CHANGELOG.md")]
    assert log.count("\n## Unreleased\n") == 1
