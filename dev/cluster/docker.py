"""The Docker engine of this machine, if there is one that answers. Only the standard library."""

from collections.abc import Callable

from dev.artefacts.cache import Cache
from dev.commands import output_of
from dev.errors import CommandError

ANSWER_TIMEOUT_S = 20


def docker_answers(execute: Callable[..., str] = output_of) -> bool:
    """Return whether a Docker engine answers on this machine."""
    return not docker_refusal(execute)


def docker_refusal(execute: Callable[..., str] = output_of) -> str:
    """Return why no Docker engine answers, or nothing if one does."""
    try:
        execute(["docker", "version", "--format", "{{.Server.Version}}"], timeout_s=ANSWER_TIMEOUT_S)
    except CommandError as error:
        return str(error).splitlines()[-1]
    return ""


def has_buildx(execute: Callable[..., str] = output_of) -> bool:
    """Return whether Docker can build with named contexts, as our images need; Debian 12's cannot."""
    try:
        execute(["docker", "buildx", "version"], timeout_s=ANSWER_TIMEOUT_S)
    except CommandError:
        return False
    return True


def is_chosen(cache: Cache, answers: Callable[[], bool] = docker_answers) -> bool:
    """Return whether kind is this machine's provider; one that already has a node of ours keeps it."""
    return not cache.node.exists() and answers()
