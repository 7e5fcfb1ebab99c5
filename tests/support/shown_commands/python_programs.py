"""Whether a program of ours, or `python -m`, takes the options that a page shows: by its own parser."""

import argparse
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NoReturn
from unittest.mock import patch

import typer
import typer.main

from dev.cli.main import app as dev
from gather_brain.main import cli as brain
from gather_bridge.main import _parser as bridge_parser
from gather_cli.main import COMMANDS, build_app, build_command
from gather_operator.main import _parser as operator_parser
from gather_worker.cli.arguments import parse_arguments
from gather_worker.errors import InvalidInput

OURS: Final = ("dev", "demo", "gather_", "tests")
PART: Final = re.compile(
    r"(are|is) required|[Mm]issing (argument|option|parameter)|'[A-Z]+'( does not exist|$)"
)
"""What parsers say of a command of which a part is shown, or capitals for what a reader puts there."""
HELP: Final = "--help"


class _Parsed(BaseException):
    """The options were taken; nothing else shall happen."""


def check_gather(arguments: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise what the command line's parser raises; without a command, or with a name for one, nothing."""
    if not arguments or arguments[0].isupper():
        return
    if arguments[0] not in COMMANDS:
        raise ValueError(f"no command of gather: {arguments[0]}")
    with _gather().make_context("gather", [arguments[0]], resilient_parsing=True) as parent:
        _parse(_gather_command(arguments[0]), arguments[1:], parent, is_whole=is_whole)


@cache
def _gather() -> Any:
    return typer.main.get_command(build_app())


@cache
def _gather_command(name: str) -> Any:
    return build_command(name)


def check_typer(app: typer.Typer, arguments: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise what the application's parser raises."""
    command = _typer_command(app)
    parent = None
    rest = list(arguments)
    while hasattr(command, "commands") and rest and rest != [HELP]:
        parent = command.make_context("shown", rest, parent=parent)
        asked = [*getattr(parent, "_protected_args", []), *parent.args]
        if not asked and not is_whole:
            return
        name, *rest = asked
        if name not in command.commands:
            raise ValueError(f"no command: {name}")
        command = command.commands[name]
    if not hasattr(command, "commands"):
        _parse(command, rest, parent, is_whole=is_whole)


@cache
def _typer_command(app: typer.Typer) -> Any:
    return typer.main.get_command(app)


def _parse(command: Any, arguments: Sequence[str], parent: Any, *, is_whole: bool) -> None:
    given = [word for word in arguments if word != HELP]
    try:
        command.make_context("shown", given, parent=parent).close()
    except Exception as error:
        is_part = not is_whole or HELP in arguments
        # The class of an error has its own words; its text may have only the option's name.
        if not (is_part and (PART.search(str(error)) or type(error).__name__ == "MissingParameter")):
            raise


def check_argparse(parse: Any, arguments: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise ValueError if the parser, a function of arguments, refuses them."""
    given = [word for word in arguments if word != HELP]
    with _errors_raised():
        try:
            parse(given)
        except (ValueError, InvalidInput) as error:
            is_part = not is_whole or HELP in arguments
            if not (is_part and PART.search(str(error))):
                raise ValueError(str(error)) from error


@contextmanager
def _errors_raised() -> Iterator[None]:
    def error(_: argparse.ArgumentParser, message: str) -> NoReturn:
        raise ValueError(message)

    with patch.object(argparse.ArgumentParser, "error", error):
        yield


def check_module(arguments: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise an error if `python -m` with these words runs nothing, or what it runs refuses its options."""
    name, *rest = arguments
    if name == "dev":
        check_typer(dev, rest, is_whole=is_whole)
        return
    found = importlib.util.find_spec(name)
    if found is None:
        raise ValueError(f"no module: {name}")
    if not name.startswith(OURS) or not rest:
        return
    module = importlib.import_module(f"{name}.__main__" if found.submodule_search_locations else name)
    if hasattr(module, "command"):
        check_typer(module.command, rest, is_whole=is_whole)
    elif hasattr(module, "argparse"):
        check_argparse(lambda given: _parse_only(module, given), rest, is_whole=is_whole)
    else:
        source = str(module.__loader__.get_source(module.__name__))  # type: ignore[union-attr]
        if unknown := [word for word in rest if word.startswith("-") and f'"{word}"' not in source]:
            raise ValueError(f"{name} knows no {unknown}")


def _parse_only(module: Any, arguments: Sequence[str]) -> None:
    """Call the module's main function until its options are taken."""
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        parse(parser, list(arguments))
        raise _Parsed

    with (
        patch.object(argparse.ArgumentParser, "parse_args", parse_only),
        patch.object(sys, "argv", [module.__name__, *arguments]),
    ):
        try:
            module.main()
        except _Parsed:
            return
    raise ValueError(f"{module.__name__} takes no options")


def check_program(program: str, arguments: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise an error if one of the rooms' programs refuses these words."""
    if program == "gather":
        check_gather(arguments, is_whole=is_whole)
    elif program == "gather-brain":
        check_typer(brain, arguments, is_whole=is_whole)
    else:
        parse = {
            "gather-worker": parse_arguments,
            "gather-bridge": bridge_parser().parse_args,
            "gather-operator": operator_parser().parse_args,
        }[program]
        check_argparse(parse, arguments, is_whole=is_whole)
