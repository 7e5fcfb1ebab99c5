"""The simulation's MongoDB answers as the real one does: the same operations on both, the same answers."""

import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient, ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import OperationFailure, PyMongoError

from gather_clients.notes.note_reading import ID_TEXT
from gather_contracts import names
from gather_worker.services.note_pages import ID_TYPES, IDS_PAGE, IS_SHORT
from tests.support.simulation.fault_plan import draw_plan
from tests.support.simulation.mongodb.mongo_driver import Driver
from tests.support.simulation.mongodb.mongo_in_memory import MongoInMemory
from tests.support.simulation.virtual_time import monotonic
from tests.support.simulation.wire import Wire

PROJECT: Final = uuid.uuid4().hex[:24]
DATE: Final = datetime(2026, 5, 1, tzinfo=UTC)
ID: Final = ObjectId("66f1a2b3c4d5e6f708192a3b")
STEPS: Final = 150
QUERIES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"_id": "a"},
    {"_id": {"$in": ["a", "c", ID]}},
    {"_id": {"$ne": "a"}, "$or": [{"pending.0": {"$exists": True}}, {"unindexed.0": {"$exists": True}}]},
    {"_id": "a", "epoch": 1, "revision": {"$lt": 3}},
    {"_id": "a", "epoch": 1, "revision": {"$lte": 3}, "pending._id": "n1"},
    {"evaluation": "sending"},
    {"canon": {"$ne": False}, "isAutomated": True},
    {"isAutomated": {"$ne": True}},
    {"canon": False},
    {"at": {"$gte": DATE}},
    {"metadata": {"$type": "object"}, "metadata.score": None},
    {"metadata.score": 3},
)
VALUES: Final[tuple[dict[str, Any], ...]] = (
    {"epoch": 1, "revision": 2, "pending": [{"_id": "n1", "text": "x"}], "unindexed": ["n1"]},
    {"epoch": 1, "pending": [], "unindexed": []},
    {"evaluation": "sending", "at": DATE + timedelta(microseconds=1_234)},
    {"canon": False, "isAutomated": True, "metadata": {"score": None}},
    {"canon": True, "at": DATE - timedelta(days=1), "metadata": {"score": 3}},
    {"metadata": 5, "isAutomated": False},
    {"revision": 7.5, "at": "a text"},
)
KEYS: Final = ("a", "b", "c", ID)
Answer = Callable[[Any], Awaitable[Any]]


@pytest.fixture
async def both(either_mongodb_uri: str, has_transactions: bool) -> AsyncIterator[tuple[Any, Any]]:
    """The real one, and the double of its kind."""
    plan = draw_plan(random.Random(1), is_calm=True)  # noqa: S311 - repeatable, not secret
    server = MongoInMemory(monotonic, lambda: datetime.now(UTC), has_transactions=has_transactions)
    async with AsyncMongoClient[dict[str, Any]](either_mongodb_uri, tz_aware=True) as real:
        yield real, Driver(server, Wire(plan))
        await real.drop_database(names.gather_database(PROJECT))


async def told(client: Any, answer: Answer) -> Any:
    """Return an answer, or the kind of its error."""
    try:
        return await answer(client[names.gather_database(PROJECT)])
    except OperationFailure as error:
        codes = {each.get("code") for each in (error.details or {}).get("writeErrors", ())}
        return type(error).__name__, codes or error.code
    except PyMongoError as error:
        return type(error).__name__


async def same(both: tuple[Any, Any], answer: Answer) -> Any:
    """Assert that both give the same answer, and return it."""
    real, double = [await told(client, answer) for client in both]
    assert double == real
    return real


def drawn(rng: random.Random) -> Answer:
    """Return an operation."""
    query, value, key = rng.choice(QUERIES), rng.choice(VALUES), rng.choice(KEYS)
    kind = rng.choice(("find", "update", "inc", "upsert", "bulk", "before", "score"))

    async def act(database: Any) -> Any:
        things = database["things"]
        match kind:
            case "find":
                found = things.find(query, {"pending._id": 1, "metadata": 1, "at": 1})
                return await found.sort("_id", 1).to_list() if key == "a" else await _all(things)
            case "update":
                return (await things.update_one({"_id": key, **_plain(query)}, {"$set": value})).matched_count
            case "inc":
                change = {
                    "$inc": {"epoch": 1},
                    "$set": {"evaluation": "sent"},
                    "$setOnInsert": {"canon": True},
                }
                return await things.find_one_and_update(
                    {"_id": key}, change, upsert=True, return_document=ReturnDocument.AFTER
                )
            case "upsert":
                await things.bulk_write([UpdateOne({"_id": key}, {"$setOnInsert": value}, upsert=True)])
            case "bulk":
                await things.bulk_write([UpdateMany(_plain(query), {"$set": {"touched": key == "a"}})])
            case "before":
                return await things.find_one_and_update(
                    {"_id": key}, {"$set": {"epoch": 1}}, projection={"pending._id": 1}
                )
            case _:
                before_last = {"$subtract": [1, {"$indexOfArray": [{"$literal": [key, "b"]}, "$_id"]}]}
                later = {"$max": [{"$subtract": ["$$NOW", before_last]}, "$ahead"]}
                ahead = datetime(2999, 1, 1, tzinfo=UTC)
                await things.bulk_write([UpdateMany({"_id": key}, {"$set": {"ahead": ahead}})])
                stages = [{"$set": {"metadata.score": 4, "ahead": later}}]
                query_ = {"_id": {"$in": [key]}, "metadata": {"$type": "object"}, "metadata.score": None}
                await things.bulk_write([UpdateMany(query_, stages)], ordered=False)
        return await _all(things)

    return act


def _plain(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if name != "_id"}


async def _all(collection: Any) -> list[Any]:
    """Return all documents, in an order that does not depend on when they were written."""
    return sorted(await collection.find().to_list(), key=lambda document: str(document["_id"]))


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_operations_get_the_same_answers(both: tuple[Any, Any], seed: int) -> None:
    """Those that the worker uses, with values of all kinds, drawn in any order."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(STEPS):
        await same(both, drawn(rng))


async def test_a_note_is_merged_only_while_it_is_pending(both: tuple[Any, Any]) -> None:
    """With the pipeline by which a single server writes notes; what is there stays as it is."""

    async def put(database: Any) -> None:
        value = {"epoch": 2, "revision": 3, "pending": [{"_id": "n1"}, {"_id": "n2"}]}
        await database["points"].bulk_write([UpdateOne({"_id": "p"}, {"$set": value}, upsert=True)])

    def merge(note: str, epoch: int, revision: int, text: str) -> Answer:
        async def act(database: Any) -> Any:
            wanted = {"_id": "p", "epoch": epoch, "revision": {"$lt": revision}, "pending._id": note}
            stages = [
                {"$match": wanted},
                {"$replaceWith": {"$literal": {"_id": note, "text": text}}},
                {"$merge": {"into": "notes", "whenMatched": "keepExisting"}},
            ]
            async with await database["points"].aggregate(stages) as cursor:
                await cursor.to_list()
            return await _all(database["notes"])

        return act

    await same(both, put)
    assert await same(both, merge("n1", 1, 4, "an old epoch")) == []
    assert await same(both, merge("n1", 2, 3, "an old revision")) == []
    assert await same(both, merge("n3", 2, 4, "not pending")) == []
    assert len(await same(both, merge("n1", 2, 4, "right"))) == 1
    assert (await same(both, merge("n1", 2, 4, "again")))[0]["text"] == "right"


async def test_ids_come_page_by_page(both: tuple[Any, Any]) -> None:
    """As texts in their order."""

    async def put(database: Any) -> None:
        ids = ["b", "a", ID, 41, str(ID), "x" * 80]
        await database["notes"].bulk_write(
            [UpdateOne({"_id": each}, {"$set": {"v": 1}}, upsert=True) for each in ids]
        )

    async def page(database: Any, after: str = "") -> Any:
        stages: list[dict[str, Any]] = [
            {"$match": {"_id": {"$type": ID_TYPES}}},
            {"$project": {"text": ID_TEXT}},
            {"$match": {"text": {"$gt": after}, "$expr": IS_SHORT}},
            {"$sort": {"text": 1, "_id": -1}},
            {"$limit": IDS_PAGE},
        ]
        async with await database["notes"].aggregate(stages) as cursor:
            return [each["text"] for each in await cursor.to_list()]

    await same(both, put)
    assert len(await same(both, page)) == 5


async def test_transactions_end_the_same_way(both: tuple[Any, Any]) -> None:
    """Committed, given up, not to be had on a single server, and in conflict with another."""
    for client in both:
        database = client[names.gather_database(PROJECT)]
        await database["things"].bulk_write([UpdateOne({"_id": "t"}, {"$set": {"n": 0}}, upsert=True)])

    def transaction(*, fails: bool) -> Answer:
        async def act(database: Any) -> Any:
            session = _client_of(both, database).start_session()

            async def work(session: Any) -> None:
                await database["things"].find_one_and_update(
                    {"_id": "t"}, {"$inc": {"n": 1}}, session=session
                )
                await database["things"].bulk_write(
                    [UpdateOne({"_id": "u"}, {"$setOnInsert": {"v": 1}}, upsert=True)], session=session
                )
                if fails:
                    raise OperationFailure("ours", 7)

            try:
                await session.with_transaction(work)
            finally:
                await session.end_session()

        return act

    await same(both, transaction(fails=True))
    await same(both, lambda database: _all(database["things"]))
    await same(both, transaction(fails=False))
    await same(both, lambda database: _all(database["things"]))


@pytest.mark.parametrize("either_mongodb_store", ["replica_set_store"], ids=["replica set"], indirect=True)
async def test_a_write_waits_for_a_transaction_that_its_successor_ends(both: tuple[Any, Any]) -> None:
    """As after a worker was killed: nothing of it is there, and nobody waits for a minute.

    A single server has no transactions.
    """
    for client in both:
        things = client[names.gather_database(PROJECT)]["things"]
        await things.bulk_write([UpdateOne({"_id": "t"}, {"$set": {"n": 0}}, upsert=True)])
        session = client.start_session()

        async def die(session: Any, things: Any = things, client: Any = client) -> None:
            await things.find_one_and_update({"_id": "t"}, {"$inc": {"n": 1}}, session=session)
            # On a busy machine it may be written after all, and only its confirmation be late.
            held = await _error_of(
                things.find_one_and_update({"_id": "t"}, {"$set": {"late": 1}}, maxTimeMS=300)
            )
            assert held is not None
            await client.admin.command("killSessions", [{"id": session.session_id["id"]}])
            after = await things.find_one_and_update(
                {"_id": "t"}, {"$inc": {"n": 10}}, return_document=ReturnDocument.AFTER
            )
            assert after["n"] == 10
            raise KeyError

        with pytest.raises(KeyError):
            await session.with_transaction(die)
        await session.end_session()
        await things.bulk_write([UpdateOne({"_id": "t"}, {"$set": {"late": 1}})])
    await same(both, lambda database: _all(database["things"]))


async def _error_of(work: Awaitable[Any]) -> Exception | None:
    try:
        await work
    except PyMongoError as error:
        return error
    return None


def _client_of(both: tuple[Any, Any], database: Any) -> Any:
    return next(c for c in both if type(c[database.name]) is type(database))
