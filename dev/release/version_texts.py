"""Where the version stands, and the changelog's sections: pure functions of the files' texts.

pyproject.toml is the place of the version; a release writes it into the charts, and a test holds them equal.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PYPROJECT: Final = Path("pyproject.toml")
CHANGELOG: Final = Path("CHANGELOG.md")
CHARTS: Final = (Path("charts/gather/Chart.yaml"), Path("charts/gather-backing/Chart.yaml"))
FILES: Final = (PYPROJECT, CHANGELOG, *CHARTS)
"""All that a release changes."""
UNRELEASED: Final = "## Unreleased"
SECTION: Final = re.compile(r"^## (\d+\.\d+\.\d+)\b", re.MULTILINE)
IN_PYPROJECT: Final = re.compile(r'^version = "[^"]+"$', re.MULTILINE)
IN_CHART: Final = re.compile(r"^(version|appVersion): \S+$", re.MULTILINE)
IN_IMAGE: Final = re.compile(r'(image: "[^":]+:)[^"]+"')


def version_in(pyproject: str) -> str:
    """Return the distribution's version."""
    return str(tomllib.loads(pyproject)["project"]["version"])


def with_version(texts: Mapping[Path, str], version: str, day: str) -> dict[Path, str]:
    """Return the texts of `FILES` with another version, and "Unreleased" as its section of that day."""
    changed = {path: IN_IMAGE.sub(rf'\g<1>{version}"', _in_chart(texts[path], version)) for path in CHARTS}
    changed[PYPROJECT] = IN_PYPROJECT.sub(f'version = "{version}"', texts[PYPROJECT], count=1)
    changed[CHANGELOG] = texts[CHANGELOG].replace(
        f"{UNRELEASED}\n", f"{UNRELEASED}\n\n## {version} - {day}\n", 1
    )
    return changed


def _in_chart(text: str, version: str) -> str:
    return IN_CHART.sub(rf"\g<1>: {version}", text)


def unreleased(changelog: str) -> str:
    """Return what stands under "Unreleased", without headings of parts that are empty."""
    return _notes(changelog, re.escape(UNRELEASED))


def notes_of(changelog: str, version: str) -> str:
    """Return what stands in a version's section."""
    return _notes(changelog, rf"## {re.escape(version)}\b[^\n]*")


def _notes(changelog: str, heading: str) -> str:
    found = re.search(rf"^{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    text = found[1].strip() if found else ""
    return text if re.sub(r"^#+ .*$", "", text, flags=re.MULTILINE).strip() else ""


def sections(changelog: str) -> list[str]:
    """Return the versions that have a section, the newest first."""
    return SECTION.findall(changelog)
