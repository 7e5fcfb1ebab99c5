"""`python -m dev stores`: MongoDB, Redis and Neo4j for trying out by hand, until Ctrl-C."""

import signal
from contextlib import ExitStack, suppress
from typing import Annotated

import typer

from dev.artefacts.store_binaries import StoreArtefacts
from dev.errors import MachineError
from dev.stores import KINDS, running

app = typer.Typer()
VARIABLES = {"mongodb": "MONGODB_URI", "redis": "REDIS_URL", "neo4j": "NEO4J_URI"}


@app.command()
def stores(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="mongodb, redis, neo4j; all if none is named.")
    ] = None,
) -> None:
    """Run throw-away stores on free ports until interrupted; prints where, as variables for a shell."""
    wanted = kinds or list(KINDS)
    if unknown := sorted(set(wanted) - set(KINDS)):
        raise MachineError(f"No store is called {', '.join(unknown)}; there are {', '.join(KINDS)}.")
    programs = StoreArtefacts.from_environment()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        for kind in wanted:
            store = stack.enter_context(running(kind, programs))
            typer.echo(f"export {VARIABLES[kind]}={store.uri}")
        typer.echo("Running until Ctrl-C; the data goes with them.", err=True)
        signal.pause()
