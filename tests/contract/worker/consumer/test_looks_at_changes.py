"""A worker looks at what people have changed, on a real MongoDB, and opens each change once."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient

from gather_clients.notes.note_reading import note_of
from gather_contracts import names
from gather_worker.attempt import Attempt
from gather_worker.services import notes as reading
from gather_worker.services.store import Store
from tests.support.application_documents import Document, person_note

SINCE = timedelta(minutes=1)


class World:
    """A project's store, and its collection as people's programs see it."""

    def __init__(self, uri: str, client: AsyncMongoClient[Document]) -> None:
        self.id = uuid.uuid4().hex[:24]
        self.store = Store(uri, self.id, Attempt(60), 5)
        self.gather = client[names.gather_database(self.id)][names.ITEMS_COLLECTION]
        self.opened = 0

    async def write(self, *contents: str) -> list[Any]:
        """Insert people's notes of this moment; return their ids."""
        notes = [person_note(self.id, content=each, lastUpdated=datetime.now(UTC)) for each in contents]
        await self.gather.insert_many(notes)
        return [note["_id"] for note in notes]

    async def look(self) -> tuple[list[str], frozenset[str], int]:
        """Return the contents, the ids that are no notes, and how many documents were opened for it."""
        before = self.opened
        found, gone = await self.store.changed_since(datetime.now(UTC) - SINCE)
        return sorted(note.content for note in found), gone, self.opened - before


@pytest.fixture
async def world(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """An empty project."""
    async with AsyncMongoClient[Document](mongodb_uri, tz_aware=True) as client:
        made = World(mongodb_uri, client)

        def counting(*given: Any) -> Any:
            made.opened += 1
            return note_of(*given)

        monkeypatch.setattr(f"{reading.__name__}.note_of", counting)
        yield made
        await made.store.close()
        await client.drop_database(made.gather.database.name)


async def test_a_change_is_opened_once(world: World) -> None:
    """Each of the looks of a minute finds it."""
    await world.write("a lamp", "the sea")
    assert await world.look() == (["a lamp", "the sea"], frozenset(), 2)
    assert await world.look() == (["a lamp", "the sea"], frozenset(), 0)
    await world.write("a wall")
    assert await world.look() == (["a lamp", "a wall", "the sea"], frozenset(), 1)


async def test_what_was_read_at_the_start_is_not_opened_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what was too long to be kept whole."""
    await world.write("a lamp", "the sea")
    await world.store.read_notes()
    await world.write("a wall")
    assert await world.look() == (["a lamp", "a wall", "the sea"], frozenset(), 1)
    monkeypatch.setattr(reading, "PEOPLE_WHOLE_CHARS", 0)
    await world.store.read_notes()
    assert (await world.look())[2] == 3


async def test_a_second_change_is_seen_though_its_time_is_the_same(world: World) -> None:
    """Programs that write whole seconds change a note twice in one."""
    note_id, _ = await world.write("a lamp", "the sea")
    await world.look()
    await world.gather.update_one({"_id": note_id}, {"$set": {"content": "a lantern"}})
    assert await world.look() == (["a lantern", "the sea"], frozenset(), 1)


async def test_what_is_no_note_any_more_is_named(world: World) -> None:
    """Emptied, not canon, or of another project since; so again in the next look."""
    ids = await world.write("a lamp", "the sea", "a wall", "a boat")
    await world.look()
    changes = ({"content": " "}, {"canon": False}, {"projectId": "f" * 24})
    for note_id, change in zip(ids, changes, strict=False):
        await world.gather.update_one({"_id": note_id}, {"$set": change})
    gone = frozenset(str(note_id) for note_id in ids[:3])
    assert (await world.look())[:2] == (["a boat"], gone)
    assert (await world.look())[:2] == (["a boat"], gone)


async def test_a_long_note_is_not_kept_whole_between_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded; it is opened again."""
    monkeypatch.setattr(reading, "CHANGED_CHARS", 1000)
    await world.write("x" * 2000)
    contents, _, opened = await world.look()
    assert (len(contents[0]), opened) == (reading.PEOPLE_BRIEF_CHARS, 1)
    assert (await world.look())[2] == 1


async def test_of_known_notes_those_count_that_are_there(world: World) -> None:
    """Under whatever form of id, and as canon."""
    ids = [*(await world.write("a lamp", "the sea", "a wall")), "by-hand", 7]
    await world.gather.insert_many([person_note(world.id, _id=each) for each in ids[3:]])
    await world.gather.update_one({"_id": ids[0]}, {"$set": {"canon": False}})
    await world.gather.delete_one({"_id": ids[1]})
    texts = [*(str(each) for each in ids), str(ObjectId())]
    assert await world.store.counting_ids(texts) == {texts[2], "by-hand", "7"}
    assert await world.store.counting_ids([]) == frozenset()
