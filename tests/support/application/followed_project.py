"""A project whose notes change in MongoDB, and whose nodes are to be the same: with real stores."""

import os
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import neo4j
from pymongo import MongoClient
from pymongo.collection import Collection

from dev.rooms import BRAIN_KEY
from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainNotFound
from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_contracts import names
from gather_contracts.brain import NodeIn, StoredNode
from gather_contracts.text import content_hash
from gather_worker.attempt import Attempt
from gather_worker.documents.note_node import NODE_TYPE, node_of
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.services.mongodb import ProjectDatabase
from gather_worker.services.note_pages import NotePages
from gather_worker.sync.synchronizer import Progress, Synchronizer
from tests.support.application_documents import Document, person_note
from tests.support.worker_harness import Services
from tests.support.workers.process_forks import ForkedProcess, ProcessForks

TIMEOUT_S: Final = 120


@dataclass
class FollowedProject:
    """One project of its own; `close` it."""

    services: Services
    folder: Path
    forks: ProcessForks
    project_id: str = field(default_factory=lambda: uuid.uuid4().hex[:24])

    def __post_init__(self) -> None:
        """Connect to MongoDB."""
        self.mongodb: MongoClient[Document] = MongoClient(self.services.mongodb_uri, tz_aware=True)

    def close(self) -> None:
        """Drop the project's database."""
        self.mongodb.drop_database(names.gather_database(self.project_id))
        self.mongodb.close()

    @property
    def items(self) -> Collection[Document]:
        """Return the collection of notes."""
        return self.mongodb[names.gather_database(self.project_id)][names.ITEMS_COLLECTION]

    def add(self, **fields: Any) -> Document:
        """Insert a person's note and return it."""
        note = person_note(self.project_id, **fields)
        self.items.insert_one(note)
        return note

    def expected(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return what the brain has to have: content hash and properties, by id; an independent reading."""
        notes = [note_of(document, self.project_id) for document in self.items.find()]
        nodes = [node_of(note) for note in notes if isinstance(note, Note)]
        return {str(n.id): (content_hash(n.content), dict(n.properties)) for n in nodes}

    async def nodes(self) -> list[StoredNode]:
        """Return what the brain has, of all types."""
        async with self.brain() as brain:
            try:
                return [node async for node in brain.list_nodes(self.project_id)]
            except BrainNotFound:
                return []

    async def seen(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return what the brain has of notes, in the form of `expected`."""
        return {
            n.id: (n.content_hash, n.properties) for n in await self.nodes() if n.type == NODE_TYPE
        }  # fmt: skip

    async def is_equal(self) -> bool:
        """Return whether the brain has what MongoDB has."""
        return await self.seen() == self.expected()

    def count_nodes(self) -> int:
        """Return how many nodes there are by now, as Neo4j has them: that disturbs nobody."""
        query = "MATCH (n:Node {projectId: $project}) RETURN count(n) AS count"
        with neo4j.GraphDatabase.driver(self.services.neo4j_uri, auth=None) as driver:
            (record,) = driver.execute_query(query, project=self.project_id).records
        return int(record["count"])

    def brain(self) -> BrainClient:
        """Return a client that no limit holds up."""
        return BrainClient(self.services.brain_uri, BRAIN_KEY)

    async def write_nodes(self, *nodes: NodeIn) -> None:
        """Write nodes past MongoDB."""
        async with self.brain() as brain:
            await brain.create_nodes(nodes)

    async def sync(self, *, is_dry: bool = False) -> Progress:
        """Synchronise in this process."""
        attempt = Attempt(TIMEOUT_S)
        store = ProjectDatabase(self.services.mongodb_uri, self.project_id, attempt, 5)
        try:
            async with self.brain() as brain:
                notes, nodes = NotePages(store), BrainNodes(brain, attempt, self.project_id)
                synchronizer = Synchronizer(notes, nodes, is_dry=is_dry)
                await synchronizer.run()
                return synchronizer.progress
        finally:
            await store.close()

    def environment(self, **more: str) -> dict[str, str]:
        """Return all settings that the command needs."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "MONGODB_URI": self.services.mongodb_uri,
            "BRAIN_SERVICE_BASE_URL": self.services.brain_uri,
            "BRAIN_SERVICE_API_KEY": BRAIN_KEY,
            "GATHER_SECRETS_DIR": str(self.folder / "none"),
            **more,
        }

    def start(self, *arguments: str, **environment: str) -> ForkedProcess:
        """Start the command."""
        command = ["sync", "--project", self.project_id, *arguments]
        out, err = self.folder / f"{uuid.uuid4()}.out", self.folder / f"{uuid.uuid4()}.err"
        return self.forks.start(command, self.environment(**environment), out, err, self.folder)

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        command = ["sync", "--project", self.project_id, *arguments]
        return self.forks.run(command, self.environment(**environment), TIMEOUT_S, self.folder)
