"""Take a picture of a terminal for the docs: commands as they were run, with what they printed, as SVG.

`make terminal-picture` calls it with those of the README.
"""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from dev.artefacts.cache import Cache
from dev.errors import CommandError
from dev.paths import ROOT

COLUMNS: Final = 112
ROWS: Final = 60
READ_BYTES: Final = 65_536
COMMAND_TIMEOUT_S: Final = 600
FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""rich's own are on another site; any font of the reader does, since each letter has its place."""


def output_on_a_terminal(command: str, environment: Mapping[str, str]) -> str:
    """Return what a shell's command prints on a terminal, with its colours; raises CommandError."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (ROWS, COLUMNS))
    process = subprocess.Popen(
        ["/bin/bash", "-c", command], cwd=ROOT, stdin=its, stdout=its, stderr=its, env=environment
    )
    os.close(its)
    try:
        text = b"".join(iter(lambda: _read(ours), b"")).decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
    if process.wait(COMMAND_TIMEOUT_S):
        raise CommandError(f"`{command}` failed ({process.returncode}):\n{text}")
    return text


def _read(terminal: int) -> bytes:
    """Return what comes next, nothing at the end, which Linux says by an error."""
    try:
        return os.read(terminal, READ_BYTES)
    except OSError:
        return b""


def picture(title: str, shown: Sequence[tuple[str, str]]) -> str:
    """Return an SVG of a terminal in which these commands printed these texts."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for command, printed in shown:
        console.print(Text(f"$ {command}", style="bold"), soft_wrap=True)
        console.print(Text.from_ansi(printed.rstrip("\n")), soft_wrap=True)
    return FONTS.sub("", console.export_svg(title=title))


def main() -> None:
    """Run the commands, and write the picture into the file."""
    if len(sys.argv) < 3:  # noqa: PLR2004 - a file, and a command at least
        sys.exit("Usage: python -m dev.package.terminal_picture FILE COMMAND...")
    file, *commands = sys.argv[1:]
    programs = f"{ROOT / '.venv' / 'bin'}:{os.environ.get('PATH', '')}"
    kubeconfig = str(Cache.from_environment().kubeconfig)
    environment = {**os.environ, "PATH": programs, "KUBECONFIG": kubeconfig, "TERM": "xterm-256color"}
    shown = [(command, output_on_a_terminal(command, environment)) for command in commands]
    Path(file).write_text(picture("Gather", shown) + "\n", "utf-8")


if __name__ == "__main__":
    main()
