"""Write each chart's values into its README, below the last heading; `--check` fails if it differs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.generate.files import write_or_check
from dev.paths import ROOT

CHARTS: Final = (Path("charts/gather"), Path("charts/gather-backing"))
HEADING: Final = "## Values"
NOTE: Final = "<!-- Below this line: values.yaml, written by `make chart-readmes`. -->"
WHOLE: Final = {"resources", "podSecurityContext"}
"""Groups that are one row."""
KEY: Final = re.compile(r"^( *)([A-Za-z]\w*):(?: (.+))?$")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, or a group of them, as values.yaml has it."""

    path: tuple[str, ...]
    default: str
    """Empty for a group."""
    comment: str


def entries(text: str) -> Iterator[Entry]:
    """Yield groups and values of a values.yaml, in its order; a comment is what stands right above."""
    lines = text.splitlines()
    path: list[str] = []
    comment: list[str] = []
    for place, line in enumerate(lines):
        if not line.strip():
            comment = []
        elif line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
        elif (found := KEY.match(line)) and not WHOLE & set(path[: len(found[1]) // 2]):
            depth = len(found[1]) // 2
            path[depth:] = [found[2]]
            whole = " ".join(_below(lines[place + 1 :], len(found[1]))) if found[2] in WHOLE else ""
            yield Entry(tuple(path), found[3] or whole, " ".join(comment))
            comment = []


def _below(lines: list[str], indent: int) -> Iterator[str]:
    """Yield the lines that are further to the right than `indent`, without that."""
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return
        yield line.strip()


def tables(text: str) -> str:
    """Return a section for each group of the first level, and one for the values of that level."""
    listed = list(entries(text))
    sections = {"": ["### Shared by all rooms", ""]}
    for entry in listed:
        name = entry.path[0] if len(entry.path) > 1 or not entry.default else ""
        if name and name not in sections:
            sections[name] = [f"### {name}", ""]
        section = sections[name]
        if entry.default:
            if not section[-1].startswith("| "):
                section += [
                    *([""] if section[-1] else []),
                    "| value | default | what |",
                    "| --- | --- | --- |",
                ]
            section.append(
                f"| `{'.'.join(entry.path)}` | `{_cell(entry.default)}` | {_cell(entry.comment)} |"
            )
        elif len(entry.path) == 1 and entry.comment:
            section += [entry.comment]
    return "\n\n".join("\n".join(lines) for lines in sections.values())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def readme(chart: Path) -> str:
    """Return the README with the values of this version at its end; raises ValueError without the heading."""
    own, heading, _ = (ROOT / chart / "README.md").read_text("utf-8").partition(f"{HEADING}\n")
    if not heading:
        raise ValueError(f"{chart}/README.md has no heading {HEADING!r}")
    return f"{own}{heading}\n{NOTE}\n\n{tables((ROOT / chart / 'values.yaml').read_text('utf-8'))}\n"


def files() -> Mapping[Path, str]:
    """Return the READMEs' paths below the repository, and their texts."""
    return {chart / "README.md": readme(chart) for chart in CHARTS}


def main() -> None:
    """Write the READMEs, or with `--check` fail if one differs."""
    write_or_check(files, "values.yaml says", "chart-readmes")


if __name__ == "__main__":
    main()
