"""The exports' benchmark in a small size: it measures every format, and each file is whole."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.bench.events.export_load import FORMATS, command


@pytest.mark.long
def test_it_measures_every_format(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["--notes", "300", "--json", str(tmp_path / "f.json")])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "f.json").read_text("utf-8"))["rows"]
    assert [row["title"] for row in rows] == ["nothing", "all pages of 200", *FORMATS]
    assert all(row["mib"] and row["delays_ms"] for row in rows[1:])
