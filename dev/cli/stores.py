"""`python -m dev stores`: MongoDB, Redis and Neo4j for trying out by hand, until Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Annotated

import typer

from dev.artefacts.store_binaries import StoreArtefacts
from dev.errors import MachineError
from dev.stores import KINDS, running

app = typer.Typer()
VARIABLES = {"mongodb": "MONGODB_URI", "redis": "REDIS_URL", "neo4j": "NEO4J_URI"}


@contextmanager
def until_interrupted() -> Iterator[ExitStack]:
    """Yield a stack that is unwound at Ctrl-C or SIGTERM, which then end the block quietly."""
    # A shell starts what it runs in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        yield stack


@app.command(epilog="Example: python -m dev stores neo4j redis")
def stores(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="mongodb, redis, neo4j; all if none is named.")
    ] = None,
) -> None:
    """Run empty stores until Ctrl-C, to try a room or a script on them; downloads them at first use.

    It prints where they listen, as variables for a shell. Their data goes with them.
    """
    wanted = kinds or list(KINDS)
    if unknown := sorted(set(wanted) - set(KINDS)):
        raise MachineError(f"No store is called {', '.join(unknown)}; there are {', '.join(KINDS)}.")
    programs = StoreArtefacts.from_environment()
    with until_interrupted() as stack:
        for kind in wanted:
            store = stack.enter_context(running(kind, programs))
            typer.echo(f"export {VARIABLES[kind]}={store.uri}")
        typer.echo("Running until Ctrl-C; the data goes with them.", err=True)
        signal.pause()
