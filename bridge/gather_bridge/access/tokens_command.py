"""`gather-bridge tokens create | list | revoke`: tokens that every bridge of this Redis knows at once."""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gather_bridge.access.holder_arguments import add_holder
from gather_bridge.access.token_store import TOKENS_MAX, StoredToken, TokenStore, new_token
from gather_clients.configuration import read_settings
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import read_lifetime, secret_hash
from gather_clients.redis_place import RedisSettings
from gather_contracts.result import ExitCode

T = TypeVar("T")


def add_commands(commands: Any) -> None:
    """Add `tokens` to the program's commands."""
    tokens = commands.add_parser(
        "tokens",
        help="make, list and revoke tokens of those who listen",
        description="Tokens are stored as hashes in the Redis of REDIS_URL and live as long as its data; the "
        "list in the Secret, tokens.json, counts as well.",
    )
    each = tokens.add_subparsers(dest="action", metavar="create|list|revoke", required=True)
    create = each.add_parser(
        "create",
        help="make a token and print it, alone, on standard output",
        description="Make a token and print it, alone, on standard output. It is never shown again.",
    )
    add_holder(create, "token")
    create.add_argument("--cancel", action="store_true", help="may also cancel runs, on the run page")
    create.add_argument(
        "--expires-in", type=_duration, metavar="TIME", help="such as 12h or 30d; without it it never expires"
    )
    each.add_parser(
        "list",
        help="list all tokens, tab-separated",
        description="Tab-separated: id, name, projects, created, revoked, expires (- if none).",
    )
    revoke = each.add_parser(
        "revoke",
        help="revoke a token; its sockets and streams end within 5 seconds",
        description="Revoke a token; its sockets and streams end within 5 seconds. Twice is no error.",
    )
    revoke.add_argument("id", help="the id that `list` shows")


def run(chosen: argparse.Namespace) -> int:
    """Carry the command out; return the exit code. Raises ConfigurationError."""
    settings = read_settings(RedisSettings)
    works = {"create": _create, "list": _list, "revoke": _revoke}
    try:
        return asyncio.run(_with_store(settings, lambda store: works[chosen.action](store, chosen)))
    except EventLogUnavailable as error:
        # Of Redis' own words only the kind: they can name its address.
        sys.stderr.write(
            f"gather-bridge: Redis is unavailable ({type(error.__cause__).__name__}); try again\n"
        )
        return ExitCode.TRY_AGAIN


async def _with_store(settings: RedisSettings, work: Callable[[TokenStore], Awaitable[T]]) -> T:
    store = TokenStore(settings.redis, settings.redis_timeout_s)
    try:
        return await work(store)
    finally:
        await store.close()


async def _create(store: TokenStore, chosen: argparse.Namespace) -> int:
    if len(await store.all()) >= TOKENS_MAX:
        sys.stderr.write(f"gather-bridge: there are {TOKENS_MAX} tokens already\n")
        return 1
    token, now = new_token(), datetime.now(UTC)
    created = StoredToken(
        id=secrets.token_hex(6),
        name=chosen.name,
        sha256=secret_hash(token),
        projects=tuple(dict.fromkeys(chosen.project)),
        cancel=chosen.cancel,
        created_at=now,
        expires_at=now + chosen.expires_in if chosen.expires_in else None,
    )
    await store.put(created)
    sys.stderr.write(f"created token {created.id} for {', '.join(created.projects)}\n")
    sys.stdout.write(f"{token}\n")
    return 0


async def _list(store: TokenStore, _: argparse.Namespace) -> int:
    for token in await store.all():
        times = (token.created_at, token.revoked_at, token.expires_at)
        shown = [moment.isoformat(timespec="seconds") if moment else "-" for moment in times]
        sys.stdout.write("\t".join([token.id, token.name, ",".join(token.projects), *shown]) + "\n")
    return 0


async def _revoke(store: TokenStore, chosen: argparse.Namespace) -> int:
    if await store.revoke(chosen.id):
        return 0
    sys.stderr.write(
        f"gather-bridge: there is no token {chosen.id[:64]!r}; `gather-bridge tokens list` shows all\n"
    )
    return 1


def _duration(value: str) -> timedelta:
    try:
        return read_lifetime(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
