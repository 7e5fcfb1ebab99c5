"""What the events' benchmark runs on: a Redis and bridges as processes of their own."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.rooms import bridge_service
from dev.service_process import ServiceProcess
from dev.stores import running


@dataclass
class Stage:
    """A Redis, and bridges in front of it."""

    redis: ServiceProcess
    bridges: list[ServiceProcess] = field(default_factory=list)

    @property
    def bridge(self) -> ServiceProcess:
        """The first one."""
        return self.bridges[0]


def port_of(bridge: ServiceProcess) -> int:
    """Return where a bridge listens."""
    return int(bridge.uri.rpartition(":")[2])


@contextmanager
def staged(drain_s: float, bridges: int = 2) -> Iterator[Stage]:
    """Run an empty Redis and bridges while the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="gather-bench-events-"))
    try:
        with ExitStack() as stack:
            stage = Stage(stack.enter_context(running("redis")))
            for number in range(bridges):
                place = folder / f"bridge-{number}"
                place.mkdir()
                bridge = bridge_service(place, stage.redis.uri, {"GATHER_BRIDGE_DRAIN_S": str(drain_s)})
                bridge.start()
                stack.callback(bridge.kill)
                stage.bridges.append(bridge)
            yield stage
    finally:
        shutil.rmtree(folder, ignore_errors=True)
