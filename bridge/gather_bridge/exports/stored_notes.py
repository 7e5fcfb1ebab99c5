"""Reads notes and checkpoints of projects out of MongoDB, in an order that stays while people edit.

Two steps: what places a note is read of all of them, the documents themselves some at a time. So memory is
bounded however much a project holds. Importing this module costs memory for the driver.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.collation import Collation
from pymongo.errors import PyMongoError

from gather_bridge.exports.note_records import SHOWN_FIELDS
from gather_clients.mongodb.opened_client import MongoConnection
from gather_clients.mongodb.refusals import trouble_of
from gather_clients.notes.note_reading import ID_MAX, ID_TEXT, RAW
from gather_contracts import names

T = TypeVar("T")
Document = dict[str, Any]

NOTES_MAX: Final = 100_000
"""Of one export; what places so many takes 60 MiB."""
CHUNK_NOTES: Final = 100
CHUNK_BYTES: Final = 2 * 1024 * 1024
"""Of documents that are held at once; a single one may be larger, 16 MiB at most."""
CHECKPOINTS_MAX: Final = 1000
SCAN_TIMEOUT_S: Final = 60.0
"""For what places a large project's notes: it is computed of every document."""
SIMPLE: Final = Collation("simple")
LENIENT: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True, unicode_decode_error_handler="replace")
"""Some drivers store texts that were cut within a character."""

_MADE_BY_PERSON: Final = {
    "$cond": [
        {"$and": [{"$eq": [{"$type": "$_id"}, "objectId"]}, {"$ne": ["$isAutomated", True]}]}, "$_id", None
    ]
}  # fmt: skip
"""An ObjectId of ours says nothing about when it was made."""
_MADE_AT: Final = {"$ifNull": ["$createdAt", "$automation.createdAt", _MADE_BY_PERSON]}
AT_MS: Final = {
    "$convert": {
        "input": {"$convert": {"input": _MADE_AT, "to": "date", "onError": None, "onNull": None}},
        "to": "long", "onError": 0, "onNull": 0,
    }
}  # fmt: skip
KEY: Final = {
    "at": AT_MS,
    "text": {"$substrCP": [{"$ifNull": [ID_TEXT, ""]}, 0, ID_MAX + 1]},
    "size": {"$bsonSize": "$$ROOT"},
    "department": {"$ifNull": ["$automationMetadata.department", "$department"]},
    "name": {"$ifNull": ["$automationMetadata.departmentName", "$departmentName"]},
}
CHECKPOINT_FIELDS: Final = (
    "department", "departmentNumber", "run", "runUid", "threshold", "iterations", "scores", "quality", "gaps",
    "findings", "itemsCreated", "finished",
)  # fmt: skip


class NotesUnavailable(Exception):  # noqa: N818 - named for what the caller does
    """MongoDB did not answer in time, or refused: try again later."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which notes."""

    project_id: str
    run_uid: str = ""
    """Empty: of every run, and people's."""
    department: str = ""
    """Empty: of all."""


@dataclass(frozen=True, slots=True)
class Key:
    """What places a note."""

    id: Any
    """As it is stored."""
    text: str
    """As notes are named."""
    at_ms: int
    """When it was made, as Unix time; 0 where nobody knows."""
    size: int
    """Of its document, in bytes."""
    department: str
    department_name: str


class StoredNotes:
    """Reads; each call raises NotesUnavailable."""

    def __init__(self, uri: str, timeout_s: float) -> None:
        """`timeout_s` is for each call. Raises ValueError if `uri` is no address, without any part of it."""
        self._connection = MongoConnection(
            uri,
            timeout_s,
            "gather-notes",
            answer_s=SCAN_TIMEOUT_S,
            waitQueueTimeoutMS=int(timeout_s * 1000),
        )
        self._timeout_s = timeout_s
        self.opening = asyncio.Lock()
        """Held while a large document is opened: one at a time."""

    async def page(self, scope: Scope, after: tuple[int, str] | None, limit: int) -> list[Key]:
        """Return the next keys, the newest first, after that of a time and an id."""
        stages: list[Document] = [{"$match": _match(scope)}, {"$project": KEY}]
        if after is not None:
            at_ms, text = after
            later = [{"at": {"$lt": at_ms}}, {"at": at_ms, "text": {"$lt": text}}]
            stages.append({"$match": {"$or": later}})
        stages += [{"$sort": {"at": -1, "text": -1}}, {"$limit": limit}]
        return await self._keys(scope, stages)

    async def all_keys(self, scope: Scope) -> list[Key]:
        """Return the keys of all notes, at most one more than `NOTES_MAX`, in no order."""
        return await self._keys(
            scope, [{"$match": _match(scope)}, {"$limit": NOTES_MAX + 1}, {"$project": KEY}]
        )

    async def documents(
        self, scope: Scope, keys: Sequence[Key], fields: Sequence[str] | None = SHOWN_FIELDS
    ) -> AsyncIterator[tuple[Key, RawBSONDocument]]:
        """Yield the documents in the order of their keys; one that is gone meanwhile is left out."""
        for chunk in chunks(keys):
            found = await self._chunk(scope, chunk, fields)
            for key in chunk:
                document = found.pop(_encoded(key.id), None)
                if document is not None:
                    yield key, document

    async def checkpoints(self, project_id: str, run_uid: str) -> list[Document]:
        """Return a run's checkpoints, or without a run all of the project's; the last written first."""
        # By the id's beginning, which has an index.
        wanted = {"_id": {"$gte": f"{run_uid}/", "$lt": f"{run_uid}0"}} if run_uid else {}
        found = self._checkpoints(project_id).find(wanted, dict.fromkeys(CHECKPOINT_FIELDS, 1))
        cursor = found.sort("updatedAt", -1).limit(CHECKPOINTS_MAX).allow_disk_use(True)
        return await self._call(cursor.to_list(CHECKPOINTS_MAX), SCAN_TIMEOUT_S)

    async def run_uid(self, project_id: str, run: str) -> str:
        """Return the UID of the newest run of that name that has worked, "" if there is none."""
        kept = await self._call(
            self._checkpoints(project_id).find_one({"run": run}, {"runUid": 1}, sort=[("beganAt", -1)])
        )
        if kept is not None and isinstance(kept.get("runUid"), str):
            return str(kept["runUid"])
        noted = await self._call(
            self._notes(project_id).find_one(
                {"automationMetadata.run": run},
                {"automationMetadata.runUid": 1},
                sort=[("createdAt", -1)],
            )
        )
        uid = (noted or {}).get("automationMetadata", {}).get("runUid")
        return uid if isinstance(uid, str) else ""

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _keys(self, scope: Scope, stages: Sequence[Document]) -> list[Key]:
        async def read() -> list[Key]:
            cursor = await self._notes(scope.project_id).aggregate(
                stages, allowDiskUse=True, collation=SIMPLE, maxTimeMS=int(SCAN_TIMEOUT_S * 1000)
            )
            async with cursor:
                return [_key(each) async for each in cursor]

        return await self._call(read(), SCAN_TIMEOUT_S)

    async def _chunk(
        self, scope: Scope, chunk: Sequence[Key], fields: Sequence[str] | None
    ) -> dict[bytes, RawBSONDocument]:
        raw: Any = self._connection.client[names.gather_database(scope.project_id)].get_collection(
            names.ITEMS_COLLECTION, codec_options=RAW
        )
        projection = None if fields is None else dict.fromkeys(fields, 1)
        cursor = raw.find({"_id": {"$in": [key.id for key in chunk]}}, projection).collation(SIMPLE)
        found = await self._call(cursor.to_list(len(chunk)), SCAN_TIMEOUT_S)
        readable: dict[bytes, RawBSONDocument] = {}
        for each in found:
            with contextlib.suppress(BSONError):  # damaged: none of it can be read
                readable[_encoded(each["_id"])] = each
        return readable

    def _notes(self, project_id: str) -> Any:
        return self._database(project_id)[names.ITEMS_COLLECTION]

    def _checkpoints(self, project_id: str) -> Any:
        return self._database(project_id)[names.CHECKPOINTS_COLLECTION]

    def _database(self, project_id: str) -> Any:
        database = names.gather_database(project_id)
        return self._connection.client.get_database(database, codec_options=LENIENT)

    async def _call(self, work: Awaitable[T], timeout_s: float = 0) -> T:
        try:
            return await self._connection.call(work, timeout_s + 2 * self._timeout_s)
        except (PyMongoError, TimeoutError) as error:
            # Not the driver's own words: they can name the address.
            raise NotesUnavailable(trouble_of(error)) from error


def chunks(keys: Sequence[Key]) -> list[Sequence[Key]]:
    """Return the keys in pieces whose documents can be held at once."""
    found: list[Sequence[Key]] = []
    start = size = 0
    for place, key in enumerate(keys):
        if place > start and (place - start == CHUNK_NOTES or size + key.size > CHUNK_BYTES):
            found.append(keys[start:place])
            start, size = place, 0
        size += key.size
    return [*found, keys[start:]] if keys else []


def _match(scope: Scope) -> Document:
    conditions: list[Document] = []
    if scope.run_uid:
        wanted = {"$eq": scope.run_uid}
        conditions.append({"$or": [{"automationMetadata.runUid": wanted}, {"automation.runUid": wanted}]})
    if scope.department:
        slug = {"$eq": scope.department}
        named = {"department": slug, "automationMetadata.department": None}
        conditions.append({"$or": [{"automationMetadata.department": slug}, named]})
    return {"$and": conditions} if conditions else {}


def _key(found: Mapping[str, Any]) -> Key:
    slug, name = found.get("department"), found.get("name")
    return Key(
        id=found["_id"],
        text=found["text"],
        at_ms=found["at"],
        size=found["size"],
        department=slug if isinstance(slug, str) and len(slug) <= ID_MAX else "",
        department_name=name[:128] if isinstance(name, str) else "",
    )


def _encoded(value: Any) -> bytes:
    """Return an id of any type as something that a dict takes."""
    return bson.encode({"": value})
