"""What a cluster provider can do."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dev.cluster.way_out import WayOut


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the cluster.

    Attributes:
        memory_bytes: of all its processes, shared pages counted once; 0 where it is not known.
        init_pid: the node's first process; 0 where there is none on this machine.
        failure: why it does not run, if that is known and `down` did not end it.
        nodes: how many it is to have.
    """

    provider: str
    is_running: bool
    is_ready: bool
    versions: dict[str, str] = field(default_factory=dict)
    memory_bytes: int = 0
    init_pid: int = 0
    failure: str = ""
    nodes: int = 1


class Provider(Protocol):
    """A way to have a cluster on this machine."""

    @property
    def name(self) -> str:
        """How the provider is called: `kind` or `node`."""
        ...

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that `up` writes, with the context `gather-dev`."""
        ...

    def up(self, nodes: int = 1) -> None:
        """Bring the cluster up with at least so many nodes; does nothing if it is up and ready."""
        ...

    def down(self) -> None:
        """End the cluster and remove all that belongs to it; does nothing if there is none."""
        ...

    def status(self) -> Status:
        """Return what is known of the cluster, without changing anything."""
        ...

    def load_image(self, archive: Path) -> None:
        """Give the node an image from a docker-archive."""
        ...

    def images(self) -> frozenset[str]:
        """Return the names of the images that the node has."""
        ...

    def way_out(self, url: str) -> AbstractContextManager[WayOut]:
        """Return how pods reach an address outside of the cluster, for as long as a block lasts."""
        ...
