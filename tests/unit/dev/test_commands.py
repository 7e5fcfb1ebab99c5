"""Other programs: what is kept of their words, and what an error says."""

import sys
from pathlib import Path

import pytest

from dev.commands import last_lines, output_of, run_logged
from dev.errors import CommandError


def test_the_last_lines_are_kept() -> None:
    assert last_lines("a\nb\nc\n", 2) == "b\nc"


def test_a_failing_command_is_quoted() -> None:
    with pytest.raises(CommandError, match=r"failed \(3\):\nno room"):
        output_of([sys.executable, "-c", "import sys; print('no room', file=sys.stderr); sys.exit(3)"])


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandError, match="no-such-program is not installed"):
        output_of(["no-such-program"])


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(CommandError, match="did not end within 0 s"):
        output_of([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.2)


def test_a_long_command_leaves_its_words_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "build.log"
    run_logged([sys.executable, "-c", "print('built')"], log, timeout_s=30, env={"X": "1"})
    assert log.read_text(encoding="utf-8").endswith("built\n")
    with pytest.raises(CommandError, match=rf"out of disk\n\(all: {log}\)"):
        run_logged([sys.executable, "-c", "print('out of disk'); raise SystemExit(1)"], log, timeout_s=30)
