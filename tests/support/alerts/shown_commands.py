"""The commands that a page shows, and whether each is one: kubectl's, Helm's, and our own programs'."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

import typer.main
import yaml

from dev.paths import ROOT
from gather_brain.main import cli as brain
from gather_cli.main import build_app, build_command

BLOCK: Final = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
INLINE: Final = re.compile(r"`((?:gather|kubectl|helm) [^`]+)`")
KINDS: Final = {"deploy", "pods", "lease", "crd", "events", "servicemonitor", "networkpolicy"}
ROOMS: Final = {"operator", "brain", "bridge", "http-door", "celery-door"}
LABELS: Final = {f"app.kubernetes.io/component={room}" for room in ROOMS} | {
    "app.kubernetes.io/name=gather-worker"
}
CRD: Final = "gatherruns.gather.ft.tc"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def commands_in(page: Path) -> list[str]:
    """Return the lines of its indented blocks, and what it shows between backticks."""
    text = page.read_text("utf-8")
    return BLOCK.findall(text) + INLINE.findall(text)


def check_command(line: str) -> None:
    """Raise ValueError, or what the program's own parser raises, if the command is none."""
    program, *arguments = shlex.split(line)
    checks = {
        "gather": _check_gather,
        "gather-brain": _check_brain,
        "kubectl": _check_kubectl,
        "helm": _check_helm,
    }
    if program not in checks:
        raise ValueError(f"no program of ours: {program}")
    checks[program](arguments)


def _check_gather(arguments: list[str]) -> None:
    with typer.main.get_command(build_app()).make_context(
        "gather", arguments[:1], resilient_parsing=True
    ) as parent:
        build_command(arguments[0]).make_context(arguments[0], arguments[1:], parent=parent).close()


def _check_brain(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(brain)
    while arguments and hasattr(command, "commands"):
        command = command.commands[arguments[0]]
        arguments = arguments[1:]
    command.make_context("gather-brain", arguments).close()


def _kubectl() -> argparse.ArgumentParser:
    parser = _Parser(prog="kubectl", add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--namespace")
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)

    def verb(name: str, *flags: str, names: str = "+") -> argparse.ArgumentParser:
        made = verbs.add_parser(name, add_help=False, allow_abbrev=False)
        made.add_argument("-n", "--namespace", default=argparse.SUPPRESS)
        if names:
            made.add_argument("names", nargs=names)
        for flag in flags:
            made.add_argument(flag)
        return made

    verb("get", "-l", "-o", "--field-selector", "--sort-by")
    verb("describe", "-l")
    verb("logs", "--tail", "--since", "-l")
    verb("top", "-l")
    verb("rollout")
    verb("exec")
    verb("auth", "--as")
    applied = verb("apply", "-f", names="")
    for flag in ("--server-side", "--force-conflicts"):
        applied.add_argument(flag, action="store_true")
    return parser


def _check_kubectl(arguments: list[str]) -> None:
    own, _, inner = (arguments, "", []) if "--" not in arguments else _split(arguments)
    asked = _kubectl().parse_args(own)
    names: list[str] = getattr(asked, "names", [])
    label = getattr(asked, "l", None)
    wrong = [name for name in _objects(asked.verb, names) if not _is_known(name)]
    if wrong or (label and label not in LABELS):
        raise ValueError(f"unknown: {wrong or label}")
    if asked.verb == "apply" and not (ROOT / asked.f).exists():
        raise ValueError(f"no such file: {asked.f}")
    if inner:
        check_command(shlex.join(inner))


def _split(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    place = arguments.index("--")
    return arguments[:place], "--", arguments[place + 1 :]


def _objects(verb: str, names: list[str]) -> Iterator[str]:
    """Yield kinds and objects among a verb's words."""
    words = names[1:] if verb == "rollout" else names[2:] if verb == "auth" else names
    for word in words:
        yield from word.split(",")


def _is_known(name: str) -> bool:
    kind, _, one = name.partition("/")
    rooms = {f"gather-{room}" for room in ROOMS}
    return name in KINDS | rooms | {CRD} or (kind in KINDS | {"leases"} and one in rooms)


def _check_helm(arguments: list[str]) -> None:
    parser = _Parser(prog="helm", add_help=False, allow_abbrev=False)
    parser.add_argument("verb", choices=["upgrade", "rollback", "test"])
    parser.add_argument("release", choices=["gather"])
    parser.add_argument("chart", nargs="?", choices=["charts/gather"])
    parser.add_argument("--namespace")
    parser.add_argument("--reuse-values", action="store_true")
    parser.add_argument("--set", action="append", default=[])
    for setting in parser.parse_args(arguments).set:
        value_named(setting.partition("=")[0])


def value_named(name: str) -> Any:
    """Return a value of the chart; raises ValueError if there is none of that name."""
    found: Any = yaml.safe_load((ROOT / "charts/gather/values.yaml").read_text("utf-8"))
    for part in name.split("."):
        if not isinstance(found, dict) or (found and part not in found):
            raise ValueError(f"no value of the chart: {name}")
        found = found.get(part, {})
    return found
