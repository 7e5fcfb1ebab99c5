"""Whether a command that a page shows is one: each word, by the parser, file or list that decides it."""

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Final
from urllib.parse import urlsplit

from dev.paths import ROOT
from tests.support.shown_commands.cluster_tools import check_docker_build, check_helm, check_kubectl
from tests.support.shown_commands.make_targets import called_by
from tests.support.shown_commands.python_programs import check_module, check_program
from tests.support.shown_commands.shown_lines import simple_commands

SHELL: Final = {
    "cd", "chmod", "echo", "exec", "export", "git", "head", "jq", "ln", "mkdir", "printf", "sha256sum",
    "source", "tar", "xargs",
}  # fmt: skip
"""The shell's own, of which the words are a reader's; `bash -n` reads the line."""
PACKAGES: Final = {"git", "make", "python3", "python3-venv"}
"""All that a Debian machine is given before `make`."""
ALIASES: Final = {
    "dev/kubectl": "kubectl", "dev/helm": "helm", ".venv/bin/python": "python", ".venv/bin/pytest": "pytest",
}  # fmt: skip
CURL_FLAGS: Final = {"-s", "-S", "-sS", "-g", "-N", "-OJ", "--fail-with-body"}
CURL_GIVEN: Final = {"-H", "-d", "-X", "-o"}
ROUTE: Final = re.compile(r'"(/[a-zA-Z][\w/{}.-]*)"')
HTTP_SOURCES: Final = ("docs/*.json", "bridge/gather_bridge/**/*.py", "demo/gather_demo/**/*.py")


def check_line(line: str, *, is_whole: bool = True) -> None:
    """Raise ValueError, or what a program's own parser raises, for a line that cannot be run as it stands.

    Args:
        line: as a page shows it, without comments.
        is_whole: False for what stands in a sentence, where what a command requires may be left out.
    """
    for words in simple_commands(line):
        check_words(words, is_whole=is_whole)


def check_words(words: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise an error if the program does not take its arguments."""
    program, *arguments = words
    program = ALIASES.get(program, program)
    if program == "kubectl" and arguments[:1] == ["gather"]:
        program, *arguments = arguments
    if program.startswith("gather"):
        check_program(program, arguments, is_whole=is_whole)
    elif program in CHECKS:
        CHECKS[program](arguments, is_whole)
    elif program not in SHELL:
        raise ValueError(f"nobody knows the program {program}: say in its comment why no test tries it")


def _check_make(arguments: Sequence[str], _: bool) -> None:
    for called in called_by(arguments):
        check_module(called, is_whole=False)


def _check_kubectl(arguments: Sequence[str], is_whole: bool) -> None:
    check_kubectl(arguments, partial(check_words, is_whole=is_whole), is_whole=is_whole)


def _check_helm(arguments: Sequence[str], is_whole: bool) -> None:
    check_helm(arguments, is_whole=is_whole)


def _check_python(arguments: Sequence[str], is_whole: bool) -> None:
    flag, *rest = arguments
    if flag != "-m":
        raise ValueError(f"not a module: {arguments}")
    check_module(rest, is_whole=is_whole)


def _check_docker(arguments: Sequence[str], _: bool) -> None:
    check_docker_build(arguments)


def _check_apt(arguments: Sequence[str], _: bool) -> None:
    if arguments[0] != "install" or set(arguments[1:]) - PACKAGES:
        raise ValueError(f"not what a machine is given: {arguments}")


def _check_pytest(arguments: Sequence[str], _: bool) -> None:
    missing = [word for word in arguments if word.startswith("tests/") and not (ROOT / word).exists()]
    if missing:
        raise ValueError(f"no such tests: {missing}")


@cache
def _routes() -> list[re.Pattern[str]]:
    """Return the paths that our services serve, as sources and OpenAPI documents write them."""
    found = set()
    for pattern in HTTP_SOURCES:
        for file in ROOT.glob(pattern):
            found |= set(ROUTE.findall(file.read_text("utf-8")))
    return [re.compile(r"(?:.*)?" + re.sub(r"\{\w+\}", "[^/]+", route)) for route in sorted(found)]


def _check_curl(arguments: Sequence[str], _: bool) -> None:
    """Raise ValueError for an option that no page needs, or a path that no service of ours serves."""
    rest = list(arguments)
    addresses = []
    while rest:
        word = rest.pop(0)
        if word in CURL_GIVEN:
            rest.pop(0)
        elif word.startswith("-") and word not in CURL_FLAGS:
            raise ValueError(f"curl {word}")
        elif not word.startswith("-"):
            addresses.append(word)
    (address,) = addresses
    path = urlsplit(re.sub(r"^\$\w+", "http://service", address)).path
    if not any(route.fullmatch(path) for route in _routes()):
        raise ValueError(f"no service serves {path}")


CHECKS: Final[dict[str, Callable[[Sequence[str], bool], None]]] = {
    "apt-get": _check_apt, "curl": _check_curl, "docker": _check_docker, "helm": _check_helm,
    "kubectl": _check_kubectl, "make": _check_make, "pytest": _check_pytest, "python": _check_python,
}  # fmt: skip
"""By program: what its arguments must be, and whether the command is whole."""
