"""`python -m dev`: the one-machine cluster, its images and what runs on it.

Every command is idempotent. Errors that a user can act on are shown without a traceback.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dev.artefacts.cache import ENVIRONMENT_NAME
from dev.cli import cluster, deploy, images, release, serve, stores
from dev.cluster.kubectl import CONTEXT_FLAGS
from dev.errors import ContextError, DevError

app = typer.Typer(
    name="dev", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="The one-machine cluster, its images and stores: for trying Gather out, developing and testing it.",
    epilog="Start with `python -m dev demo`, or `python -m dev serve brain` to work on the brain. "
    "`python -m dev COMMAND --help` shows a command's options and an example.",
)  # fmt: skip


class Options:
    """What stands before the command's name."""

    context: str | None = None


@app.callback()
def options(
    context: typer.Context,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for builds and the cluster's state.", envvar=ENVIRONMENT_NAME),
    ] = None,
    kube_context: Annotated[
        str | None,
        typer.Option(
            "--context", help="A context of your own kubeconfig instead of our cluster; for kubectl and helm."
        ),
    ] = None,
) -> None:
    """Take the options that every command shares."""
    if cache:
        os.environ[ENVIRONMENT_NAME] = str(cache.expanduser().resolve())
    if kube_context and context.invoked_subcommand not in CONTEXT_FLAGS:
        raise ContextError(
            f"`{context.invoked_subcommand}` works on our own cluster only; leave out --context, "
            "which goes with kubectl and helm."
        )
    chosen = Options()
    chosen.context = kube_context
    context.obj = chosen


for group in (cluster, images, stores, serve, deploy, release):
    app.add_typer(group.app)


def main() -> None:
    """Run the command line; a DevError becomes its message and exit code 1."""
    try:
        app()
    except DevError as error:
        Console(stderr=True, highlight=False).print("[red]Error:[/red] ", end="")
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("Interrupted; run the same command again to go on.")
