"""What `make soak` reads again and again: of each service's process, and of what the stores hold."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import redis

from gather_contracts import names
from tests.chaos.world import MONGODB, NEO4J, REDIS, World

MIB: Final = 1024**2
BLOCK_BYTES: Final = 512
"""stat(2): what `st_blocks` counts in."""
MEMORY, DESCRIPTORS, SOCKETS = "memory, MiB", "file descriptors", "sockets"
NOTES: Final = "notes in MongoDB"
DATA = MONGODB_FILES, NODES, OTHER_NODES, NEO4J_FILES, REDIS_MEMORY, KEYS = (
    "MongoDB's files, MiB", "nodes of notes in Neo4j", "other nodes in Neo4j", "Neo4j's files, MiB",
    "Redis's memory, MiB", "keys in Redis",
)  # fmt: skip
"""They grow with the notes."""
BEYOND, UNEXPIRING, OBJECTS = BESIDE_DATA = (
    "nodes beyond notes", "keys in Redis that never expire", "runs, Jobs, pods and ConfigMaps",
)  # fmt: skip
"""They may not grow with anything."""
COUNTS: Final = "MATCH (n) RETURN count(n) AS nodes, count(CASE WHEN n:Node THEN 1 END) AS notes"


@dataclass(frozen=True, slots=True)
class Sample:
    """All values at one moment, in seconds since the start."""

    at_s: float
    values: dict[str, float]


def sample(world: World, objects: int, at_s: float) -> Sample:
    """Read everything now; `objects` is how many there are at the API server."""
    values = {OBJECTS: float(objects), **dict(_of_stores(world))}
    for name, service in world.services.items():
        values |= {f"{name}: {gauge}": value for gauge, value in of_process(service.pid).items()}
    return Sample(at_s, values)


def of_process(pid: int) -> dict[str, float]:
    """Return a process's resident memory, file descriptors, and how many of these are sockets."""
    links = [_link(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return {
        MEMORY: psutil.Process(pid).memory_info().rss / MIB,
        DESCRIPTORS: len(links),
        SOCKETS: sum(link.startswith("socket:") for link in links),
    }


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # closed since it was listed
        return ""


def _of_stores(world: World) -> Iterator[tuple[str, float]]:
    with world.mongodb() as client:
        found = [n for n in client.list_database_names() if n.startswith(names.gather_database(""))]
        notes = sum(client[name][names.ITEMS_COLLECTION].estimated_document_count() for name in found)
    yield NOTES, notes
    yield MONGODB_FILES, files_mib(world.services[MONGODB].folder / "data")
    with world.neo4j() as driver:
        (counts,) = driver.execute_query(COUNTS).records
    yield NODES, counts["notes"]
    yield OTHER_NODES, counts["nodes"] - counts["notes"]
    yield BEYOND, counts["notes"] - notes
    yield NEO4J_FILES, files_mib(world.services[NEO4J].folder / "data" / "databases")
    with redis.Redis.from_url(world.services[REDIS].uri) as redis_client:
        said: Any = redis_client.info()
    keys = said.get("db0", {"keys": 0, "expires": 0})
    yield REDIS_MEMORY, said["used_memory"] / MIB
    yield KEYS, keys["keys"]
    yield UNEXPIRING, keys["keys"] - keys["expires"]


def files_mib(folder: Path) -> float:
    """Return what a folder's files take of the disk."""
    blocks = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                blocks += Path(place, name).stat().st_blocks
            except OSError:  # gone since it was listed
                continue
    return blocks * BLOCK_BYTES / MIB
