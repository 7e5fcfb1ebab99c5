"""The command line: `gather-brain serve`, `keys create | list | revoke` and `reembed`.

What needs the server or the embedding model is imported when its command runs: `keys` starts without them.
"""

from typing import Annotated

import typer

from gather_brain.embeddings.reembedding_plan import GRACE_MIN_S
from gather_brain.keys_command import keys_cli
from gather_clients.configuration import exits_if_misconfigured

cli = typer.Typer(add_completion=False)
cli.add_typer(keys_cli, name="keys")


@cli.callback(invoke_without_command=True)
def serve_by_default(context: typer.Context) -> None:
    """The brain API over Neo4j. Without a command it serves."""
    if context.invoked_subcommand is None:
        serve()


@cli.command()
def serve() -> None:
    """Serve the API until SIGTERM, then finish the requests under way."""
    from gather_brain.serving import serve_until_stopped  # noqa: PLC0415

    serve_until_stopped()


@cli.command()
def reembed(
    status: Annotated[bool, typer.Option("--status", help="Only print the state of the change.")] = False,
    abort_change: Annotated[bool, typer.Option("--abort", help="Give up the change under way.")] = False,
    grace_s: Annotated[
        float,
        typer.Option("--grace", min=GRACE_MIN_S, max=3600, help="Seconds to keep the old vectors in the end"),
    ] = 60.0,
    patience_s: Annotated[
        float,
        typer.Option("--patience", min=0, help="Seconds to wait for an unavailable Neo4j or model."),
    ] = 600.0,
) -> None:
    """Embed all nodes with the next model, then search by it; if stopped, run it again to continue."""
    from gather_brain.reembed_command import change_model  # noqa: PLC0415

    change_model(status=status, abort_change=abort_change, grace_s=grace_s, patience_s=patience_s)


def main() -> None:
    """Run the command line."""
    with exits_if_misconfigured("gather-brain"):
        cli()
