"""`python -m dev`: the one-machine cluster, its images and what runs on it.

Every command is idempotent. Errors that a person can act on are shown without a traceback.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dev.artefacts import cache as cache_module
from dev.artefacts.cache import Cache
from dev.cli import deploy, images, stores
from dev.cluster import kubectl as bound
from dev.cluster.choose import choose_provider
from dev.cluster.provider import Status
from dev.errors import ContextError, DevError
from dev.progress import Reporter

MIB = 1024**2
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="dev", help="The one-machine cluster, its images and its demo.", no_args_is_help=True,
    add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip


class Options:
    """What stands before the command's name."""

    context: str | None = None


@app.callback()
def options(
    context: typer.Context,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for builds and the cluster's state.", envvar=cache_module.ENVIRONMENT_NAME),
    ] = None,
    kube_context: Annotated[
        str | None,
        typer.Option("--context", help="Work on this context of your own kubeconfig instead of our cluster."),
    ] = None,
) -> None:
    """Take the options that every command shares."""
    if cache:
        os.environ[cache_module.ENVIRONMENT_NAME] = str(cache.expanduser().resolve())
    if kube_context and context.invoked_subcommand not in bound.CONTEXT_FLAGS:
        raise ContextError(
            f"`{context.invoked_subcommand}` works on our own cluster only; "
            "--context goes with kubectl and helm."
        )
    chosen = Options()
    chosen.context = kube_context
    context.obj = chosen


@app.command()
def up() -> None:
    """Bring the cluster up; builds what is missing, takes seconds when it is up."""
    cache, reporter = Cache.from_environment(), Reporter()
    with cache.locked(reporter.say):
        choose_provider(cache, reporter).up()


@app.command()
def down() -> None:
    """End the cluster and remove all that it left on this machine, but for the builds."""
    cache, reporter = Cache.from_environment(), Reporter()
    with cache.locked(reporter.say):
        choose_provider(cache, reporter).down()


def status_table(status: Status, cache: Cache) -> Table:
    """Return the cluster's state as a table."""
    table = Table(show_header=False, box=None)
    running = "ready" if status.is_ready else "not ready" if status.is_running else "down"
    table.add_row("provider", status.provider)
    table.add_row("cluster", running)
    for name, version in status.versions.items():
        table.add_row(name, version)
    if status.memory_bytes:
        table.add_row("memory", f"{status.memory_bytes / MIB:.0f} MiB (programs and pods)")
    table.add_row("kubeconfig", str(cache.kubeconfig) if status.is_running else "-")
    table.add_row("cache", str(cache.root))
    return table


@app.command()
def status() -> None:
    """Show provider, versions, readiness and memory; exits with 1 unless the cluster is ready."""
    cache, reporter = Cache.from_environment(), Reporter()
    found = choose_provider(cache, reporter).status()
    Console().print(status_table(found, cache))
    if found.last_words:
        Console(highlight=False).print(
            f"It ended by itself: {found.last_words}", markup=False, soft_wrap=True
        )
    if not found.is_ready:
        raise typer.Exit(1)


@app.command(context_settings=PASS_THROUGH)
def kubectl(context: typer.Context) -> None:
    """Run the cluster's own kubectl against it."""
    bound.execute("kubectl", context.args, context.obj.context)


@app.command(context_settings=PASS_THROUGH)
def helm(context: typer.Context) -> None:
    """Run Helm against the cluster."""
    bound.execute("helm", context.args, context.obj.context)


for group in (images, stores, deploy):
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
