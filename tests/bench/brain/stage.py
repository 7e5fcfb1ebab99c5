"""What is measured: a Neo4j with all nodes in it and a brain before it, each a process of its own.

Filling takes a minute or two, so the filled data folder is kept in the cache under a name that changes with
whatever the data depends on; a later run copies it.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import neo4j

from dev.artefacts.cache import Cache, default_root, require_space
from dev.artefacts.stamps import build_folder, fingerprint, is_complete
from dev.artefacts.store_binaries import StoreArtefacts
from dev.artefacts.versions import NEO4J
from dev.paths import ROOT
from dev.progress import Reporter
from dev.rooms import brain_service
from dev.service_process import ServiceProcess
from dev.stores import neo4j_store
from tests.bench.brain.bare_model import BareModel
from tests.bench.brain.seed import Seeder, Sizes

SOURCES: Final = (
    "tests/bench/brain/seed.py",
    "tests/bench/texts.py",
    "tests/bench/films.yaml",
    "demo/gather_demo/llm",
    "brain/gather_brain/store",
    "brain/gather_brain/words.py",
    "brain/gather_brain/themes/phrases.py",
)
"""What the seeded data depends on: a change in any file of them fills it again."""
NAME: Final = "neo4j"
SPACE_PER_NODE_BYTES: Final = 60_000
"""In the cache and in the copy, with transaction logs; measured 20,000 a node and copy."""
COPY_TIMEOUT_S: Final = 600
INDEXES_TIMEOUT_S: Final = 600
HEAP: Final = "1g"
"""Of Neo4j: with half of it Java looked for garbage 28 times in 10 s of contexts on 100,000 nodes, and their
p95 was 1.9 times the median in place of 1.5."""
STOP_TIMEOUT_S: Final = 300
"""Neo4j writes everything to disk; cut short, it would put that in order at every later start."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`neo4j` is None where `--neo4j` names one; `model` is the bench's own copy of the brain's model.

    `further_brain` runs one more on the same Neo4j while the block lasts, by a name of its own.
    """

    brain: ServiceProcess
    neo4j: ServiceProcess | None
    neo4j_uri: str
    model: BareModel
    sizes: Sizes
    further_brain: Callable[[str], AbstractContextManager[ServiceProcess]]


@contextmanager
def run_stage(sizes: Sizes, own_neo4j: str | None, reporter: Reporter) -> Iterator[Stage]:
    """Run a brain on a Neo4j that holds the nodes; on `own_neo4j` they are written and stay."""
    programs = StoreArtefacts.from_environment()
    model_dir = programs.embedding_model()
    builder = _Builder(programs, model_dir, BareModel(model_dir), sizes, reporter)
    with tempfile.TemporaryDirectory(prefix="gather-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if own_neo4j is not None:
            with builder.brain(folder, own_neo4j) as brain:
                builder.seed(brain, own_neo4j)
                further = partial(builder.brain, folder, own_neo4j)
                yield Stage(brain, None, own_neo4j, builder.model, sizes, further)
            return
        store = neo4j_store(programs, folder, heap=HEAP)
        builder.copy_data(folder / "data")
        with builder.running(store), builder.brain(folder, store.uri) as brain:
            yield Stage(
                brain, store, store.uri, builder.model, sizes, partial(builder.brain, folder, store.uri)
            )


@dataclass(frozen=True, slots=True)
class _Builder:
    """Starts the stage's processes and fills its database."""

    programs: StoreArtefacts
    model_dir: Path
    model: BareModel
    sizes: Sizes
    reporter: Reporter

    @contextmanager
    def running(self, service: ServiceProcess) -> Iterator[ServiceProcess]:
        """Run a service while the block lasts, and kill it then."""
        with self.reporter.step(f"Starting {service.name}"):
            service.start()
        try:
            yield service
        finally:
            service.kill()

    @contextmanager
    def brain(self, folder: Path, neo4j_uri: str, name: str = "brain") -> Iterator[ServiceProcess]:
        """Run a brain while the block lasts."""
        inside = folder / name
        inside.mkdir()
        with self.running(brain_service(inside, neo4j_uri, self.model_dir)) as brain:
            yield brain

    def copy_data(self, target: Path) -> None:
        """Copy a filled Neo4j's data from the cache, which is filled first if it has to be."""
        cache = Cache(default_root() / "bench")
        key = fingerprint([NEO4J, self.model.name, repr(self.sizes), *_source_digests()])
        kept = cache.program_folder(NAME, key)
        # The lock covers the copy too: another benchmark of other sources removes what it finds here.
        with cache.locked(self.reporter.say):
            if not is_complete(kept, key):
                for older in cache.root.glob(f"{NAME}-*"):
                    shutil.rmtree(older)
                space = (self.sizes.nodes + self.sizes.others) * SPACE_PER_NODE_BYTES
                require_space(cache.root, space, "The bench's database")
                build_folder(kept, key, self._fill)
            with self.reporter.step("Copying the filled database"):
                # cp shares the blocks where the file system can.
                command = ["cp", "-a", "--reflink=auto", str(kept / "data"), str(target)]
                subprocess.run(command, check=True, timeout=COPY_TIMEOUT_S)

    def _fill(self, folder: Path) -> None:
        store = neo4j_store(self.programs, folder)
        with self.running(store):
            with self.brain(folder, store.uri) as brain:
                self.seed(brain, store.uri)
            with self.reporter.step("Stopping Neo4j with its data"):
                store.stop(STOP_TIMEOUT_S)

    def seed(self, brain: ServiceProcess, neo4j_uri: str) -> None:
        """Write all nodes and wait for the indexes."""
        with (
            self.reporter.step(f"Writing {self.sizes.nodes + self.sizes.others:,} nodes") as step,
            neo4j.GraphDatabase.driver(neo4j_uri, auth=None) as driver,
        ):
            Seeder(self.model, self.sizes).write(brain.uri, driver, step)
            step.waits_for("indexes")
            driver.execute_query("CALL db.awaitIndexes($timeout_s)", timeout_s=INDEXES_TIMEOUT_S)


def _source_digests() -> Iterator[str]:
    for source in SOURCES:
        place = ROOT / source
        files = [place] if place.is_file() else sorted([*place.rglob("*.py"), *place.rglob("*.yaml")])
        yield from (hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
