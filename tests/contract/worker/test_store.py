"""Checkpoints and notes on a real MongoDB: epochs fence, notes are written once, absence is waited out."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from dev.service_process import ServiceProcess
from gather_contracts import names
from gather_contracts.items import GatherItem
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.documents.note_node import revision_of
from gather_worker.errors import Fenced, StoreUnavailable
from gather_worker.schemas import Draft
from gather_worker.services.checkpoint_store import IDLE
from gather_worker.services.store import Store
from tests.support.application_documents import accept, gather_item, publish, save_items

Document = dict[str, Any]


class Project:
    """One project's database, and stores on it as different workers would have them."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.id = uuid.uuid4().hex[:24]
        self.client: AsyncMongoClient[Document] = AsyncMongoClient(uri)
        self.database = self.client[names.gather_database(self.id)]
        self.stores: list[Store] = []

    def store(self, attempt: Attempt | None = None, patience_s: float = 5) -> Store:
        """Return another worker's store."""
        self.stores.append(Store(self.uri, self.id, attempt or Attempt(60), patience_s))
        return self.stores[-1]

    def item(self, name: str, content: str = "The keeper counts every lamp.") -> GatherItem:
        """Return a note."""
        return gather_item(name, self.id, content)

    async def items(self) -> list[Document]:
        """Return what is in `gather`."""
        return await self.database[names.ITEMS_COLLECTION].find().sort("_id").to_list()


@pytest.fixture
async def project(either_mongodb_uri: str) -> AsyncIterator[Project]:
    """A project of its own."""
    project = Project(either_mongodb_uri)
    yield project
    await project.client.drop_database(project.database.name)
    for store in project.stores:
        await store.close()
    await project.client.close()


FRESH = Checkpoint(id="u/story", run="r", run_uid="u", department="story")


async def test_each_worker_takes_the_next_epoch(project: Project) -> None:
    """And finds what its predecessor left."""
    first = await project.store().take_epoch(FRESH)
    await project.store().write(first.accepted([project.item("a")]))
    second = await project.store().take_epoch(FRESH)
    assert (first.epoch, second.epoch) == (1, 2)
    assert (second.iterations, [item.id for item in second.pending]) == (1, ["a"])
    assert second.run_uid == "u"


async def test_twenty_workers_at_once_take_twenty_epochs(project: Project) -> None:
    """No two share one, whichever creates the document."""
    store = project.store()
    taken = await asyncio.gather(*(store.take_epoch(FRESH) for _ in range(20)))
    assert sorted(checkpoint.epoch for checkpoint in taken) == list(range(1, 21))


async def test_an_old_epoch_is_refused_and_changes_nothing(project: Project) -> None:
    """The pod that wakes up late."""
    old_store, new_store = project.store(), project.store()
    old = await old_store.take_epoch(FRESH)
    new = await new_store.take_epoch(FRESH)
    await new_store.write(new.accepted([]))
    with pytest.raises(Fenced):
        await old_store.write(old.accepted([project.item("late")]))
    assert (await project.store().take_epoch(FRESH)).iterations == 1
    assert (await project.store().take_epoch(FRESH)).pending == []


async def test_a_late_writer_cannot_change_a_note(project: Project) -> None:
    """The `_id` follows from the place, and only what is not there is written."""
    await save_items(project.store(), [project.item("a", "the words that were accepted first")])
    await project.store().set_scores(["a"], 70)
    await save_items(
        project.store(), [project.item("a", "other words of a pod that woke up"), project.item("b")]
    )
    items = await project.items()
    assert [item["_id"] for item in items] == ["a", "b"]
    assert items[0]["content"] == "the words that were accepted first"
    assert items[0]["automationMetadata"]["qualityScore"] == 70
    assert items[0]["lastUpdated"] > items[0]["createdAt"]


async def test_many_writers_of_the_same_notes_write_each_once(project: Project) -> None:
    """Concurrent upserts may collide on the key; the second one has nothing to do."""
    notes = [project.item(f"i{n}") for n in range(10)]
    await asyncio.gather(*(save_items(project.store(), notes, f"d{n}") for n in range(8)))
    assert len(await project.items()) == 10


async def test_a_score_is_set_once(project: Project) -> None:
    """The first one stands, and notes that do not exist are not made up."""
    store = project.store()
    await save_items(store, [project.item("a")])
    await store.set_scores(["a", "ghost"], 60)
    await store.set_scores(["a", "ghost"], 99)
    found = [(i["_id"], i["automationMetadata"]["qualityScore"]) for i in await project.items()]
    assert found == [("a", 60)]


async def test_scored_notes_keep_their_order_and_stand_on_one_page_each(project: Project) -> None:
    """What is equal comes in any order: a note would be on two pages, another on none."""
    store, ids = project.store(), [f"n{number:02}" for number in range(10)]
    await save_items(store, [project.item(each) for each in ids])
    await store.set_scores(ids, 60)
    times = {item["_id"]: item["lastUpdated"] for item in await project.items()}
    assert sorted(times, key=lambda each: times[each]) == ids
    assert len(set(times.values())) == len(ids)
    assert max(times.values()) - min(times.values()) == timedelta(milliseconds=9)


async def test_a_score_comes_after_its_note_whatever_the_clocks_say(project: Project) -> None:
    """The worker's clock may be ahead of MongoDB's; the brain keeps the node with the higher revision."""
    store, ahead = project.store(), timedelta(hours=1)
    made_at = datetime.now(UTC).replace(microsecond=0) + ahead
    notes = [project.item("a"), project.item("b").model_copy(update={"last_updated": made_at})]
    await save_items(store, notes)
    before = {note.id: revision_of(note) for note in await store.notes_by_id(["a", "b"])}
    await store.set_scores(["a", "b"], 60)
    after = await store.notes_by_id(["a", "b"])
    assert all(revision_of(note) > before[note.id] for note in after)
    changed = {note.id: note.changed_at for note in after}
    assert changed["b"] == made_at
    assert changed["a"] is not None
    assert changed["a"] < made_at


async def test_projects_do_not_see_each_other(project: Project) -> None:
    """Another project is another database."""
    other = Project(project.uri)
    await save_items(project.store(), [project.item("a")])
    store = other.store()
    assert (await store.read_notes()).notes == []
    await store.close()
    await other.client.close()


async def test_every_state_of_a_checkpoint_survives_the_store(project: Project) -> None:
    """Drafts, pending notes, scores, the ledger."""
    store = project.store()
    taken = await store.take_epoch(FRESH)
    draft = Draft(content="The keeper counts every lamp.", summary="Lamps.", context="Why")
    await store.write(taken.generated([draft], "m/writer"))
    assert (await project.store().take_epoch(FRESH)).drafts == [draft]


async def test_leftovers_are_those_of_other_departments(project: Project) -> None:
    """Cleared only if their worker has not gone on in between."""
    store = project.store()
    mine = await store.take_epoch(FRESH)
    await store.write(mine.accepted([project.item("mine")]))
    other = await store.take_epoch(Checkpoint(id="u/sound", department="sound"))
    left = other.accepted([project.item("a")]).saved().accepted([project.item("b")])
    await store.write(left)
    found = await store.leftovers(mine)
    assert [(c.id, c.unindexed, [i.id for i in c.pending]) for c in found] == [("u/sound", ["a"], ["b"])]
    await store.take_epoch(Checkpoint(id="u/sound"))
    await store.clear_leftover(found[0])
    assert len(await store.leftovers(mine)) == 1
    await store.clear_leftover(await publish(store, (await store.leftovers(mine))[0]))
    assert await store.leftovers(mine) == []
    assert (await store.take_epoch(Checkpoint(id="u/sound"))).items_created == 2


async def test_a_department_that_may_be_at_work_is_left_alone(project: Project) -> None:
    """Beside others of its run; one that has finished, or belongs to another run, is not at work."""
    store = project.store()
    mine = await store.take_epoch(Checkpoint(id="u/story", department="story", run_uid="u"))
    for run, slug, reason in (("u", "sound", None), ("u", "art", "QualityFlat"), ("v", "cast", None)):
        other = Checkpoint(id=f"{run}/{slug}", department=slug, run_uid=run)
        taken = await store.take_epoch(other)
        left = taken.accepted([project.item(slug)])
        await store.write(left.model_copy(update={"finished": StopReason(reason) if reason else None}))
    found = await store.leftovers(mine, is_beside_others=True)
    assert sorted(c.id for c in found) == ["u/art", "v/cast"]
    assert len(await store.leftovers(mine)) == 3
    long_ago = {"$set": {"updatedAt": datetime.now(UTC) - IDLE - timedelta(seconds=1)}}
    await store.checkpoints.update_one({"_id": "u/sound"}, long_ago)
    assert len(await store.leftovers(mine, is_beside_others=True)) == 3


class Noticed(logging.Handler):
    """Notes that the store has noticed that MongoDB is unavailable."""

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the message."""
        if "MongoDB is unavailable" in record.getMessage():
            self.event.set()


async def test_a_short_outage_is_waited_out(project: Project, either_mongodb_store: ServiceProcess) -> None:
    """The write happens, and happens once."""
    store = project.store(patience_s=60)
    accepted = await accept(store, [project.item("a")])
    noticed = Noticed()
    logging.getLogger("gather_worker.services.mongodb").addHandler(noticed)
    with either_mongodb_store.absent():
        saving = asyncio.create_task(publish(store, accepted))
        async with asyncio.timeout(30):
            await noticed.event.wait()
        assert not saving.done()
    logging.getLogger("gather_worker.services.mongodb").removeHandler(noticed)
    await store.write((await saving).revised())
    assert len(await project.items()) == 1


async def test_a_long_outage_ends_the_attempt(project: Project, either_mongodb_store: ServiceProcess) -> None:
    """Within its patience, and sooner after SIGTERM."""
    attempt = Attempt(60)
    store = project.store(attempt, patience_s=3)
    with either_mongodb_store.absent():
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable):
                await store.take_epoch(FRESH)
        patient = project.store(attempt, patience_s=600)
        asyncio.get_running_loop().call_later(0.5, attempt.terminate)
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable):
                await patient.take_epoch(FRESH)
