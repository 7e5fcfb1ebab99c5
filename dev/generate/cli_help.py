"""Write the commands' help into docs/cli.md, below its last heading; `--check` fails if it differs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer.main

from dev.generate.files import write_or_check
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
    write_or_check(files, "the commands say", "cli-help")


if __name__ == "__main__":
    main()
