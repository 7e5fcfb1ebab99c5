"""`gather-brain keys create | list | revoke`: nothing of the server or the embedding model is imported."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from gather_brain.auth.api_keys import new_key
from gather_brain.errors import UnavailableError
from gather_brain.limits.policy import LimitName, read_limit
from gather_brain.opened_database import open_database
from gather_brain.settings import start_process
from gather_brain.store.database import refusal_of
from gather_brain.store.keys import KeyStore, StoredKey
from gather_clients.issued_secrets import ALL_PROJECTS, HOLDER_NAME, read_lifetime, secret_hash
from gather_clients.limits.gcra import Policy
from gather_contracts.names import OBJECT_ID_PATTERN

keys_cli = typer.Typer(no_args_is_help=True, help="API keys; only their hashes are stored.")

T = TypeVar("T")


@keys_cli.command("create")
def create_key(
    project: Annotated[list[str], typer.Option(help="A project id, or * for all; repeatable.")],
    name: Annotated[str, typer.Option(help="Who the key is for.")],
    limit: Annotated[
        list[str], typer.Option(help="A limit of its own, NAME=PER_MINUTE/BURST; repeatable.")
    ] = [],  # noqa: B006 - Typer copies defaults
    expires_in: Annotated[
        str, typer.Option(help="Such as 12h or 30d; without it the key does not expire.")
    ] = "",
) -> None:
    """Create a key and print it, alone, on standard output. It is never shown again."""
    projects = [_project(value) for value in dict.fromkeys(project)]
    if not HOLDER_NAME.fullmatch(name):
        raise typer.BadParameter("1 to 128 letters, digits, spaces, dots, dashes", param_hint="--name")
    key = new_key()
    created = StoredKey(
        id=secrets.token_hex(6),
        name=name,
        sha256=secret_hash(key),
        projects=tuple(projects),
        limits=dict(map(_limit, limit)),
        expires_at=_end_of(expires_in) if expires_in else None,
    )
    _with_store(lambda store: store.create(created))
    typer.echo(f"created key {created.id} for {', '.join(projects)}", err=True)
    typer.echo(key)


@keys_cli.command("list")
def list_keys() -> None:
    """List all keys, tab-separated: id, name, projects, created, revoked, expires, limits (- if none)."""
    for key in _with_store(lambda store: store.list()):
        optional = (key.revoked_at, key.expires_at, ",".join(key.limits))
        fields = (
            key.id,
            key.name,
            ",".join(key.projects),
            key.created_at,
            *(each or "-" for each in optional),
        )
        typer.echo("\t".join(fields))


@keys_cli.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="The id that `list` shows.")]) -> None:
    """Revoke a key; it takes effect within 5 seconds."""
    if not _with_store(lambda store: store.revoke(key_id)):
        typer.echo(f"there is no key {key_id}", err=True)
        raise typer.Exit(1)


def _project(value: str) -> str:
    if value == ALL_PROJECTS:
        return value
    if not re.fullmatch(OBJECT_ID_PATTERN, value):
        raise typer.BadParameter("a project id is 24 hexadecimal digits", param_hint="--project")
    return value.lower()


def _limit(value: str) -> tuple[LimitName, Policy]:
    try:
        return read_limit(value)
    except ValueError as failure:
        raise typer.BadParameter(str(failure), param_hint="--limit") from None


def _end_of(duration: str) -> datetime:
    try:
        return datetime.now(UTC) + read_lifetime(duration)
    except ValueError as failure:
        raise typer.BadParameter(str(failure), param_hint="--expires-in") from None


def _with_store(work: Callable[[KeyStore], Awaitable[T]]) -> T:
    """Run one piece of work on the key store; exit with 75 if Neo4j is unavailable, with 64 if it refuses."""
    settings = start_process("ERROR")

    async def run() -> T:
        async with open_database(settings) as database:
            return await work(KeyStore(database))

    try:
        return asyncio.run(run())
    except UnavailableError as error:
        refusal = refusal_of(error.__cause__)
        typer.echo(refusal or "Neo4j is unavailable; try again later", err=True)
        raise typer.Exit(64 if refusal else 75) from None
