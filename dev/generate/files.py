"""Generated files, as a mapping of their paths below the repository to their texts."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dev.paths import ROOT


def differing_files(made: Mapping[Path, str], root: Path) -> list[Path]:
    """Return the paths whose files below `root` are missing or hold another text."""
    return [
        path for path in made if not (root / path).is_file() or (root / path).read_text("utf-8") != made[path]
    ]


def write_files(made: Mapping[Path, str], root: Path) -> None:
    """Write all files below `root`."""
    for path, text in made.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def write_or_check(files: Callable[[], Mapping[Path, str]], complaint: str, target: str) -> None:
    """Be a generator's command: write the files, or with `--check` exit if one differs.

    `complaint` says what the files do not hold then, and `make` with `target` mends it.
    """
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"usage: python -m dev.generate.{Path(sys.argv[0]).stem} [--check]")
    if not sys.argv[1:]:
        write_files(files(), ROOT)
    elif differing := differing_files(files(), ROOT):
        sys.exit(f"not what {complaint}, run `make {target}`: {', '.join(map(str, differing))}")
