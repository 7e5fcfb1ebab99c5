"""Pick the provider for this machine: kind where a Docker engine answers, else our own node."""

from collections.abc import Callable

from dev.cache import Cache
from dev.kind import KindProvider, docker_answers
from dev.node.provider import NodeProvider
from dev.progress import Reporter
from dev.providers import Provider


def choose_provider(
    cache: Cache, reporter: Reporter, has_docker: Callable[[], bool] = docker_answers
) -> Provider:
    """Return the provider that this machine gets; one that already has a node keeps it."""
    if cache.node.exists() or not has_docker():
        return NodeProvider(cache, reporter)
    return KindProvider(cache, reporter)
