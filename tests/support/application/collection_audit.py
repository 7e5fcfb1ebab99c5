"""What became of a project: each write to its collection by MongoDB's profile, and both stores compared."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from bson.codec_options import CodecOptions
from pymongo.collection import Collection
from pymongo.database import Database

from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainNotFound
from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_contracts import names
from gather_contracts.brain import StoredNode
from gather_contracts.text import content_hash
from gather_worker.documents.note_node import NODE_TYPE, node_of
from tests.support.application.film_notes import id_text_of
from tests.support.application.people import APPLICATION, Ledger
from tests.support.application_documents import Document

PROFILE_BYTES: Final = 64 * 1024 * 1024
VALIDATION_FAILED: Final = 121
PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the profile."""

    kind: str
    """insert, update or remove."""
    id: str
    """The document's, "" if the write names more than one."""
    inserted: int
    """How many documents it made."""
    is_ours: bool
    error: int


class WriteRecord:
    """Everything that is written to a collection while the block lasts, whoever writes it."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def __enter__(self) -> Self:
        self._database.command("profile", 0)
        self._database.drop_collection("system.profile")
        self._database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
        namespace = f"{self._database.name}.{names.ITEMS_COLLECTION}"
        writes = {"ns": namespace, "op": {"$in": ["insert", "update", "remove"]}}
        self._database.command("profile", 1, filter=writes)
        return self

    def __exit__(self, *_: object) -> None:
        self._database.command("profile", 0, filter="unset")

    def writes(self) -> list[Write]:
        """Return the writes in their order."""
        codec = CodecOptions[Document](unicode_decode_error_handler="replace")
        profile = self._database.get_collection("system.profile", codec)
        return [_write_of(entry) for entry in profile.find().sort("$natural", 1)]


def _write_of(entry: Mapping[str, Any]) -> Write:
    command = entry.get("command", {})
    named = command.get("q", {}).get("_id") if entry["op"] in {"update", "remove"} else None
    return Write(
        kind=entry["op"],
        id="" if named is None or isinstance(named, Mapping) else str(named),
        inserted=entry.get("nUpserted", 0) + entry.get("ninserted", 0),
        is_ours=entry.get("appName") != APPLICATION,
        error=int(entry.get("errCode", 0)),
    )


@dataclass(frozen=True)
class WriteCounts:
    """What the profile shows of Gather's writes."""

    inserted: int
    updated: int
    refused: int
    """By the validator."""
    failed: Counter[int] = field(default_factory=Counter)
    """By MongoDB's error code."""
    came_back: frozenset[str] = frozenset()
    """Ids that were written again after they had been deleted."""


def counts_of(writes: Iterable[Write]) -> WriteCounts:
    """Return what Gather wrote."""
    deleted: set[str] = set()
    came_back: set[str] = set()
    failed: Counter[int] = Counter()
    inserted = updated = 0
    for write in writes:
        if write.kind == "remove":
            deleted.add(write.id)
        if not write.is_ours:
            continue
        failed[write.error] += bool(write.error)
        inserted += write.inserted
        updated += write.kind == "update" and not write.inserted
        if write.inserted and write.id in deleted:
            came_back.add(write.id)
    return WriteCounts(inserted, updated, failed[VALIDATION_FAILED], +failed, frozenset(came_back))


# --- both stores


@dataclass(frozen=True)
class Comparison:
    """Where brain and MongoDB differ; all empty if they are equal."""

    nodes: int
    missing: frozenset[str]
    """Notes without a node."""
    orphans: frozenset[str]
    """Nodes without a note that counts."""
    outdated: frozenset[str]
    """Nodes that say what their note said before."""

    @property
    def differences(self) -> int:
        """Return how many ids differ."""
        return len(self.missing | self.orphans | self.outdated)


def notes_in(gather: Collection[Document], project_id: str) -> dict[str, Note]:
    """Return the readable canon notes that stand in MongoDB, by id; each document by itself."""
    found = (note_of(document, project_id) for document in gather.find())
    return {note.id: note for note in found if isinstance(note, Note)}


async def nodes_in(client: BrainClient, project_id: str) -> AsyncIterator[StoredNode]:
    """Yield the brain's nodes of notes; nothing for a project that it does not know."""
    try:
        async for node in client.list_nodes(project_id, type=NODE_TYPE, with_content=True):
            yield node
    except BrainNotFound:
        return


async def compare(gather: Collection[Document], client: BrainClient, project_id: str) -> Comparison:
    """Return where the stores differ."""
    wanted = {
        i: content_hash(node_of(note).content) for i, note in notes_in(gather, project_id).items()
    }  # fmt: skip
    found = {node.id: node.content_hash async for node in nodes_in(client, project_id)}
    return Comparison(
        nodes=len(found),
        missing=frozenset(wanted.keys() - found.keys()),
        orphans=frozenset(found.keys() - wanted.keys()),
        outdated=frozenset(i for i in wanted.keys() & found.keys() if wanted[i] != found[i]),
    )


async def words_missing(client: BrainClient, project_id: str, ledger: Ledger) -> list[tuple[str, str]]:
    """Return id and form of people's notes whose node does not say what they wrote."""
    texts = {node.id: node.content or "" async for node in nodes_in(client, project_id)}
    return [(i, n.form) for i, n in ledger.readable().items() if n.words not in texts.get(i, "")]


def changed_for_people(gather: Collection[Document], ledger: Ledger) -> list[str]:
    """Return the ids of people's documents that are not as they left them, or not there."""
    stored = {
        id_text_of(document["_id"]): document for document in gather.find({"isAutomated": {"$ne": True}})
    }
    return [i for i, note in ledger.notes.items() if stored.get(i) != note.document] + [
        i for i in stored if i not in ledger.notes
    ]


def edits_undone(gather: Collection[Document], ledger: Ledger) -> list[str]:
    """Return the ids of Gather's notes that do not say any more what a person made of them."""
    ours = {str(d["_id"]): d for d in gather.find({"isAutomated": True})}
    lost = [i for i, words in ledger.edited.items() if ours.get(i, {}).get("content") != words]
    return lost + [i for i in ledger.outcasts - ledger.deleted if ours.get(i, {}).get("canon") is not False]


# --- the application's pages


def pages_of(gather: Collection[Document], query: Mapping[str, Any]) -> list[Document]:
    """Return all that a page of the application shows, the last changed first, page by page."""
    found: list[Document] = []
    while page := list(gather.find(query).sort("lastUpdated", -1).skip(len(found)).limit(PAGE)):
        found += page
    return found


def is_found_by_index(gather: Collection[Document], query: Mapping[str, Any]) -> bool:
    """Return whether a page's query reads no more than it shows, as an index allows."""
    explained = gather.find(query).sort("lastUpdated", -1).limit(PAGE).explain()
    return "COLLSCAN" not in str(explained["queryPlanner"]["winningPlan"])
