"""Arguments of commands that make a secret for somebody: for which projects, and who it is for."""

import argparse
import re

from gather_clients.issued_secrets import ALL_PROJECTS, HOLDER_NAME
from gather_contracts.names import OBJECT_ID_PATTERN


def add_holder(command: argparse.ArgumentParser, secret: str) -> None:
    """Add --project and --name; `secret` is what the command makes, as its help says it."""
    command.add_argument(
        "--project", action="append", required=True, type=_project, metavar="ID",
        help="a project id, or * for all; repeatable",
    )  # fmt: skip
    command.add_argument("--name", required=True, type=_name, help=f"who the {secret} is for")


def _project(value: str) -> str:
    if value != ALL_PROJECTS and not re.fullmatch(OBJECT_ID_PATTERN, value):
        raise argparse.ArgumentTypeError("a project id is 24 hexadecimal digits; * stands for all")
    return value.lower()


def _name(value: str) -> str:
    if not HOLDER_NAME.fullmatch(value):
        raise argparse.ArgumentTypeError("1 to 128 letters, digits, spaces, dots and dashes")
    return value
