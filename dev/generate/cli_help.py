"""Write the commands' help into docs/cli.md, below its last heading; `--check` fails if it differs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer.main

from dev.generate.files import differing_files, write_files
from dev.paths import ROOT
from gather_cli.main import COMMANDS, build_app, build_command

PAGE: Final = Path("docs") / "cli.md"
HEADING: Final = "## Every command"
NOTE: Final = "<!-- Below this line: `gather COMMAND --help`, written by `make cli-help`. -->"
WIDTH: Final = 100


def page(current: str) -> str:
    """Return the page with the help of this version at its end; raises ValueError without the heading."""
    own, heading, _ = current.partition(f"{HEADING}\n")
    if not heading:
        raise ValueError(f"{PAGE} has no heading {HEADING!r}")
    parts = [f"### gather {name}\n\n```\n{help_of(name)}\n```" for name in COMMANDS]
    return f"{own}{heading}\n{NOTE}\n\n" + "\n\n".join(parts) + "\n"


def help_of(name: str) -> str:
    """Return what `--help` prints."""
    app = typer.main.get_command(build_app())
    width: dict[str, Any] = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    with app.make_context("gather", [name], resilient_parsing=True, **width) as parent:
        command = build_command(name)
        context = command.context_class(command, info_name=name, parent=parent, **width)
        return str(command.get_help(context)).strip()


def files() -> Mapping[Path, str]:
    """Return the page's path below the repository, and its text."""
    return {PAGE: page((ROOT / PAGE).read_text("utf-8"))}


def main() -> None:
    """Write the page, or with `--check` fail if it differs."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: python -m dev.generate.cli_help [--check]")
    if not sys.argv[1:]:
        write_files(files(), ROOT)
    elif differing := differing_files(files(), ROOT):
        sys.exit(f"not what the commands say, run `make cli-help`: {', '.join(map(str, differing))}")


if __name__ == "__main__":
    main()
