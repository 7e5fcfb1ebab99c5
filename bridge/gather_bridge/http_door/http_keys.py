"""`gather-bridge http` serves the door; `gather-bridge http-key` makes a key for it."""

import argparse
import json
import sys
from typing import Any, Final

from gather_bridge.access.holder_arguments import add_holder
from gather_clients.issued_secrets import new_secret, secret_hash

PREFIX: Final = "gdk_"
"""Secret scanners find keys of the door by it."""
COMMANDS: Final = ("http", "http-key")


def run(chosen: argparse.Namespace) -> int:
    """Carry a command out; return the exit code. Raises ConfigurationError."""
    if chosen.command == "http-key":
        return make_key(chosen)
    # Only here: a command about keys needs none of it.
    from gather_bridge.http_door.http_server import serve  # noqa: PLC0415

    return serve()


def add_commands(commands: Any) -> None:
    """Add `http` and `http-key` to the program's commands."""
    commands.add_parser(
        "http",
        help="serve tasks over HTTP, each a GatherRun",
        description="Serve tasks over HTTP until SIGTERM. Settings are environment variables and files "
        "(docs/doors.md).",
    )
    make = commands.add_parser(
        "http-key",
        help="make a key for the HTTP door",
        description="Make a key and print it, alone, on standard output; it is never shown again. Its entry "
        "for the file keys.json, which holds its hash alone, goes to standard error.",
    )
    add_holder(make, "key")


def make_key(chosen: argparse.Namespace) -> int:
    """Print a new key and its entry."""
    key = new_secret(PREFIX)
    entry = {"name": chosen.name, "sha256": secret_hash(key), "projects": list(dict.fromkeys(chosen.project))}
    sys.stderr.write(f"{json.dumps(entry)}\n")
    sys.stdout.write(f"{key}\n")
    return 0
