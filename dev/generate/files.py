"""Generated files, as a mapping of their paths below the repository to their texts."""

from collections.abc import Mapping
from pathlib import Path


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
