"""The asynchronous MongoDB driver's side of the double: what the worker calls of `AsyncMongoClient`.

What the worker does not call is not there, and raises.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import UpdateMany, UpdateOne
from pymongo.errors import ConnectionFailure

from gather_clients.notes.note_reading import RAW, id_text
from gather_contracts import names
from gather_worker.services.note_pages import IDS_PAGE
from tests.support.simulation.mongodb.mongo_documents import Document, matches, projected
from tests.support.simulation.mongodb.mongo_in_memory import MongoInMemory, order
from tests.support.simulation.mongodb.mongo_sessions import SOCKET_S, TRANSIENT, Calls, Session
from tests.support.simulation.processes import CURRENT
from tests.support.simulation.wire import Wire

T = TypeVar("T")


class Cursor:
    """What a query finds, read with the first document that is asked for."""

    def __init__(self, collection: "Collection", query: Mapping[str, Any], projection: Any) -> None:
        self._collection, self._query, self._projection = collection, query, projection
        self._sort: list[tuple[str, int]] = []
        self._limit = 0

    def sort(self, name: str, direction: int = 1) -> Self:
        """Sort by a field."""
        self._sort.append((name, direction))
        return self

    def limit(self, count: int) -> Self:
        """Stop after so many; 0: never."""
        self._limit = count
        return self

    def collation(self, _: Any) -> Self:
        """Ids are compared by code points anyway."""
        return self

    def allow_disk_use(self, _: Any) -> Self:
        """Nothing is too large for the memory here."""
        return self

    async def to_list(self) -> list[Any]:
        """Return all."""
        c = self._collection
        found = await c.calls.send(
            f"find {c.name}",
            lambda: c.calls.server.find(c.name, self._query, self._projection, self._sort, self._limit),
        )
        return [RawBSONDocument(bson.encode(each), RAW) for each in found] if c.is_raw else found

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in await self.to_list():
            yield document

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


class Answered:
    """A cursor over what is there already."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    async def to_list(self) -> list[Document]:
        """Return all."""
        return list(self._documents)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


class Collection:
    """One collection of one database."""

    def __init__(self, calls: Calls, name: str, *, is_raw: bool = False) -> None:
        self.calls, self.name, self.is_raw = calls, name, is_raw

    def with_options(self, codec_options: CodecOptions[Any] | None = None, **_: Any) -> "Collection":
        """Return it, or one that finds raw documents: what is confirmed here is never lost."""
        return (
            self if codec_options is None else Collection(self.calls, self.name, is_raw=codec_options is RAW)
        )

    def find(self, query: Mapping[str, Any] | None = None, projection: Any = None, **_: Any) -> Cursor:
        """Return a cursor."""
        return Cursor(self, query or {}, projection)

    async def find_one(
        self, query: Mapping[str, Any], projection: Any = None, session: Session | None = None
    ) -> Document | None:
        """Return one document."""
        number = session.number if session is not None else 0

        def effect() -> Document | None:
            if session is not None:
                session.join(number)
            found = self.calls.server.find(
                self.name, query, projection, (), 1, session.key if session else None
            )
            return found[0] if found else None

        return await self._send(f"find_one {self.name}", effect, session)

    async def find_one_and_update(
        self,
        query: Mapping[str, Any],
        change: Mapping[str, Any],
        *,
        projection: Mapping[str, Any] | None = None,
        upsert: bool = False,
        return_document: bool = False,
        session: Session | None = None,
        maxTimeMS: int | None = None,  # noqa: N803 - the driver's name
    ) -> Document | None:
        """Change one document; return it as it was, or as it is."""
        process, number = CURRENT.get(), session.number if session is not None else 0

        def effect() -> Document | None:
            if session is not None:
                session.join(number)
            done = self.calls.server.update(
                self.name, query, change, process=process, is_upsert=upsert,
                session=session.key if session else None,
            )  # fmt: skip
            found = [after if return_document else before for before, after in done]
            return projected(found[0], projection) if found and found[0] is not None else None

        limit_s = maxTimeMS / 1000 if maxTimeMS else SOCKET_S
        return await self._send(f"find_one_and_update {self.name}", effect, session, limit_s)

    async def update_one(self, query: Mapping[str, Any], change: Mapping[str, Any]) -> Any:
        """Change one document."""
        process = CURRENT.get()

        def effect() -> int:
            return len(self.calls.server.update(self.name, query, change, process=process))

        return SimpleNamespace(matched_count=await self._send(f"update_one {self.name}", effect, None))

    async def bulk_write(self, writes: Sequence[Any], *, session: Session | None = None, **_: Any) -> None:
        """Carry out updates."""
        process, number = CURRENT.get(), session.number if session is not None else 0
        is_repeatable = all(isinstance(write, UpdateOne) for write in writes)

        def effect() -> None:
            if session is not None:
                session.join(number)
            for write in writes:
                if type(write) not in {UpdateOne, UpdateMany}:
                    raise NotImplementedError(type(write).__name__)
                self.calls.server.update(
                    self.name, write._filter, write._doc, process=process, is_upsert=bool(write._upsert),
                    is_many=isinstance(write, UpdateMany), session=session.key if session else None,
                )  # fmt: skip

        await self._send(
            f"bulk_write {self.name} {len(writes)}", effect, session, is_repeatable=is_repeatable
        )

    async def _send(
        self,
        what: str,
        effect: Callable[[], T],
        session: Session | None,
        limit_s: float = SOCKET_S,
        *,
        is_repeatable: bool = True,
    ) -> T:
        """Send it; within a transaction a broken connection makes the whole of it worth another try."""
        try:
            return await self.calls.send(
                what, effect, is_repeatable=is_repeatable and session is None, limit_s=limit_s
            )
        except ConnectionFailure as error:
            if session is not None:
                error._add_error_label(TRANSIENT)
            raise

    async def aggregate(self, stages: Sequence[Mapping[str, Any]], **_: Any) -> Answered:
        """Carry out one of the two pipelines that there are."""
        names_of = [next(iter(stage)) for stage in stages]
        if names_of == ["$match", "$replaceWith", "$merge"]:
            return await self._merge(stages)
        if names_of == ["$match", "$project", "$match", "$sort", "$limit"]:
            return await self._ids_page(stages)
        raise NotImplementedError(f"a pipeline of {names_of}")

    async def _merge(self, stages: Sequence[Mapping[str, Any]]) -> Answered:
        process, server = CURRENT.get(), self.calls.server
        wanted, document = stages[0]["$match"], stages[1]["$replaceWith"]["$literal"]
        into = stages[2]["$merge"]
        if into.get("whenMatched") != "keepExisting" or set(into) != {"into", "whenMatched"}:
            raise NotImplementedError(f"$merge {into}")

        def effect() -> None:
            if any(matches(each, wanted) for each in server.collections.get(self.name, {}).values()):
                server.put_new(into["into"], document, process)

        await self.calls.send("merge", effect, is_repeatable=False)
        return Answered([])

    async def _ids_page(self, stages: Sequence[Mapping[str, Any]]) -> Answered:
        after = stages[2]["$match"]["text"]["$gt"]
        if stages[4]["$limit"] != IDS_PAGE or stages[3]["$sort"] != {"text": 1, "_id": -1}:
            raise NotImplementedError("another page of ids")

        def effect() -> list[Document]:
            there = self.calls.server.collections.get(self.name, {})
            pairs = [
                (text, key)
                for key in sorted(there, key=order, reverse=True)
                if (text := id_text(key)) > after
            ]
            pairs.sort(key=lambda pair: pair[0])
            return [{"_id": key, "text": text} for text, key in pairs[:IDS_PAGE]]

        return Answered(await self.calls.send("ids", effect))

    async def index_information(self) -> dict[str, Any]:
        """Return the indexes."""
        has = self.name in self.calls.server.indexed
        return await self.calls.send("index_information", lambda: {"_id_": {}} | ({"x": {}} if has else {}))

    async def create_indexes(self, _: Sequence[Any]) -> None:
        """Make indexes."""
        await self.calls.send("create_indexes", lambda: self.calls.server.indexed.add(self.name))


class Database:
    """One database; all of a simulation's workers use the same."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls, self.name = calls, name

    def __getitem__(self, name: str) -> Collection:
        return Collection(self._calls, name)

    async def list_collection_names(self, filter: Mapping[str, Any]) -> list[str]:  # noqa: A002
        """Return the collections that exist."""
        there = self._calls.server.collections
        return await self._calls.send("list_collections", lambda: [n for n in there if n == filter["name"]])


class Admin:
    """The database of commands."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def command(self, name: str, argument: Any = None) -> dict[str, Any]:
        """Carry out one of two."""
        server = self._calls.server
        if name == "hello":
            return await self._calls.send(
                "hello", lambda: {"setName": "rs0"} if server.has_transactions else {}
            )
        if name == "killSessions":
            ids = [each["id"] for each in argument]
            await self._calls.send("killSessions", lambda: server.abort_all(ids))
            return {}
        raise NotImplementedError(name)


class Driver:
    """In the place of `AsyncMongoClient`."""

    def __init__(self, server: MongoInMemory, wire: Wire) -> None:
        self._calls = Calls(server, wire)
        self.admin = Admin(self._calls)

    def __getitem__(self, name: str) -> Database:
        if not name.startswith(names.gather_database("")):
            raise NotImplementedError(f"database {name}")
        return Database(self._calls, name)

    def start_session(self) -> Session:
        """Return a session."""
        return Session(self._calls)

    async def close(self) -> None:
        """Nothing is open."""
