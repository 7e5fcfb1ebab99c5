"""Pick the provider for this machine: kind where a Docker engine answers, else our own node."""

from collections.abc import Callable

from dev.artefacts.cache import Cache
from dev.cluster.docker import docker_answers, is_chosen
from dev.cluster.kind import KindProvider
from dev.cluster.node.provider import NodeProvider
from dev.cluster.provider import Provider
from dev.progress import Reporter


def choose_provider(
    cache: Cache, reporter: Reporter, has_docker: Callable[[], bool] = docker_answers
) -> Provider:
    """Return the provider that this machine gets; one that already has a node keeps it."""
    return (KindProvider if is_chosen(cache, has_docker) else NodeProvider)(cache, reporter)
