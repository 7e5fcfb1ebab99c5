"""The command line's composition root."""

from typing import Annotated

import typer

app = typer.Typer(help="Start, watch and stop runs of Gather.", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def gather(*, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Start, watch and stop runs of Gather."""
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415 - takes 20 ms

        typer.echo(f"gather {installed('gather')}")


def main() -> None:
    """Do what the command line says."""
    app()
