"""Backups of MongoDB and Neo4j by the commands of docs/charts.md, restored while a run is at work."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.artefacts.store_binaries import StoreArtefacts
from dev.rooms import brain_service
from dev.service_process import ServiceProcess
from dev.stores import NEO4J_OPENS, SHORT_LIVED_JAVA, mongodb_store, neo4j_store
from dev.waiting import wait_for
from tests.support.application.followed_project import FollowedProject
from tests.support.crash_harness import read_charged
from tests.support.worker_harness import Services, WorkerHarness, run_document
from tests.support.workers.process_forks import ProcessForks

pytestmark = pytest.mark.long
TIMEOUT_S = 300


@dataclass
class Stores:
    """MongoDB and Neo4j with their programs, and a brain."""

    artefacts: StoreArtefacts
    mongodb: ServiceProcess
    neo4j: ServiceProcess
    brain: ServiceProcess
    backup: Path

    def neo4j_admin(self, *arguments: str) -> None:
        """Run `neo4j-admin` on the stopped Neo4j."""
        java, jars = self.artefacts.java(), self.artefacts.neo4j_jars()
        program = [str(java), *SHORT_LIVED_JAVA, *NEO4J_OPENS, "-cp", f"{jars}/*", "org.neo4j.cli.AdminTool"]
        home = str(self.neo4j.folder)
        done = subprocess.run(
            [*program, *arguments], check=False, capture_output=True, text=True, timeout=TIMEOUT_S,
            env={"NEO4J_HOME": home, "NEO4J_CONF": f"{home}/conf", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def wait_for_brain(self) -> None:
        """Wait until the brain has found Neo4j again."""
        wait_for("the brain", lambda: self.brain.answers(self.brain.uri), TIMEOUT_S)

    def back_up(self) -> None:
        """Back both up, one after the other, while nothing is at work."""
        with self.mongodb.absent():
            shutil.copytree(self.mongodb.folder / "data", self.backup / "mongodb")
        with self.neo4j.absent():
            for name in ("neo4j", "system"):
                self.neo4j_admin("database", "dump", name, f"--to-path={self.backup}")

    def restore_mongodb(self) -> None:
        """Put MongoDB's files back over what is there."""
        with self.mongodb.absent():
            shutil.rmtree(self.mongodb.folder / "data")
            shutil.copytree(self.backup / "mongodb", self.mongodb.folder / "data")

    def restore_neo4j(self) -> None:
        """Load the dumps."""
        with self.neo4j.absent():
            for name in ("neo4j", "system"):
                self.neo4j_admin(
                    "database", "load", name, f"--from-path={self.backup}", "--overwrite-destination=true"
                )


@pytest.fixture
def stores(store_artefacts: StoreArtefacts, tmp_path: Path) -> Iterator[Stores]:
    """Stores of the test's own."""
    folders = {name: tmp_path / name for name in ("mongodb", "neo4j", "brain", "backup")}
    for folder in folders.values():
        folder.mkdir()
    mongodb = mongodb_store(store_artefacts, folders["mongodb"], is_replicated=True)
    neo4j = neo4j_store(store_artefacts, folders["neo4j"], is_short_lived=True)
    brain = brain_service(folders["brain"], neo4j.uri, store_artefacts.embedding_model())
    with mongodb.running(), neo4j.running(), brain.running():
        yield Stores(store_artefacts, mongodb, neo4j, brain, folders["backup"])


@pytest.fixture
def harness(
    stores: Stores, redis_url: str, model_store: ServiceProcess, forks: ProcessForks, tmp_path: Path
) -> Iterator[WorkerHarness]:
    """A run of two departments on them."""
    services = Services(stores.mongodb.uri, redis_url, stores.neo4j.uri, stores.brain.uri, model_store.uri)
    folder = tmp_path / "run"
    folder.mkdir()
    made = WorkerHarness(
        services, folder, run_document(uuid.uuid4().hex[:24], str(uuid.uuid4())), forks=forks
    )
    made.set_threshold(100)
    yield made
    made.stop()


def assert_whole(harness: WorkerHarness, iterations: int) -> None:
    """Every note is once in both stores, with its score if the brain was fast enough to measure one."""
    checkpoints = harness.checkpoints()
    assert sum(c["iterations"] for c in checkpoints) == iterations
    items = harness.items()
    assert sum(c["itemsCreated"] for c in checkpoints) == len(items) == len({i["content"] for i in items})
    assert {i["_id"]: i["automationMetadata"].get("qualityScore") for i in items} == {
        name: node.get("qualityScore") for name, node in harness.node_properties().items()
    }


@pytest.mark.parametrize("restores_neo4j", [True, False], ids=["both restored", "MongoDB alone"])
async def test_a_run_goes_on_from_a_backup(
    stores: Stores, harness: WorkerHarness, forks: ProcessForks, tmp_path: Path, *, restores_neo4j: bool
) -> None:
    """What came after the backup is lost and made again; the brain is brought to what MongoDB has by then.

    Redis still has the answers that were paid for since, so that the same prompts cost nothing again.
    """
    assert harness.run(0, 2).exit_code == 0
    stores.back_up()
    stores.wait_for_brain()
    assert harness.run(1, 2).exit_code == 0
    assert_whole(harness, 4)
    before, charged = harness.items(), read_charged(harness.services.model_uri)
    stores.restore_mongodb()
    if restores_neo4j:
        stores.restore_neo4j()
    stores.wait_for_brain()
    assert sum(c["iterations"] for c in harness.checkpoints()) == 2
    ended = harness.run(1, 2)
    assert ended.exit_code == 0, ended.messages()
    assert_whole(harness, 4)
    assert {i["content"] for i in harness.items()} == {i["content"] for i in before}
    assert read_charged(harness.services.model_uri).since(charged).requests == 0
    followed = FollowedProject(harness.services, tmp_path, forks, harness.project_id)
    assert await followed.is_equal()
    followed.close()


async def test_a_brain_that_lost_everything_is_made_again(
    stores: Stores, harness: WorkerHarness, forks: ProcessForks, tmp_path: Path
) -> None:
    """Without any backup of Neo4j: MongoDB has all but the keys that were made by command."""
    assert harness.run(0, 2).exit_code == 0
    with stores.brain.absent(), stores.neo4j.absent():
        shutil.rmtree(stores.neo4j.folder / "data")
    followed = FollowedProject(harness.services, tmp_path, forks, harness.project_id)
    assert harness.node_ids() == set()
    done = followed.command()
    assert done.returncode == 0, done.stderr
    assert_whole(harness, 2)
    assert harness.run(1, 2).exit_code == 0
    assert_whole(harness, 4)
    followed.close()
