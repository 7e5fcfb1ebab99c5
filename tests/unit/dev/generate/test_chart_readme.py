"""The charts' READMEs have a row for each value, with its default and its comment."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dev.generate.chart_readme import CHARTS, WHOLE, readme, tables
from dev.paths import ROOT


def leaves(values: dict[str, Any], *path: str) -> Iterator[str]:
    """Yield each value's name."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from leaves(value, *path, key)
        else:
            yield ".".join((*path, key))


@pytest.mark.parametrize("chart", CHARTS, ids=str)
def test_every_value_has_a_row(chart: Any) -> None:
    """And no row is of a value that there is not."""
    values = yaml.safe_load((ROOT / chart / "values.yaml").read_text("utf-8"))
    rows = re.findall(r"^\| `([\w.]+)` \|", readme(chart), re.MULTILINE)
    assert len(rows) == len(set(rows))
    for row in rows:
        place: Any = values
        for part in row.split("."):
            place = place[part]
    covered = set(rows)
    missing = [
        name
        for name in leaves(values)
        if not any(name == row or name.startswith(f"{row}.") for row in covered)
    ]
    assert missing == []


def test_a_comment_is_what_stands_right_above() -> None:
    """Lines are joined; a blank line ends one; a bar would end a cell."""
    head = "# Of the file.\n\n# First\n# line | other.\na: 1\n"
    text = f"{head}room:\n  # Inner.\n  b: {{}}\n  resources:\n    limits: {{c: 1}}\n"
    made = tables(text)
    assert "| `a` | `1` | First line \\| other. |" in made
    assert "| `room.b` | `{}` | Inner. |" in made
    assert "| `room.resources` | `limits: {c: 1}` |" in made
    assert "Of the file" not in made
