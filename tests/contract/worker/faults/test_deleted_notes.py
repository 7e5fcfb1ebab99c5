"""A person deletes notes while they are being published, and workers are killed, held up and refused.

Notes are written with a single server of MongoDB and with a replica set. What was deleted must not come back;
what was not deleted must be there.
"""

import asyncio
import contextlib
import itertools
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo import AsyncMongoClient, MongoClient

from dev.service_process import ServiceProcess
from gather_contracts import names
from gather_contracts.items import GatherItem
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import Fenced, StoreUnavailable, WriteRefused
from gather_worker.services.store import Store
from gather_worker.steps.checkpointer import Checkpointer
from tests.support.application_documents import accept, gather_item, publish
from tests.support.crash_harness import CrashHarness
from tests.support.fault_proxies import FaultProxies, Phase
from tests.support.worker_harness import Services, WorkerHarness, run_document
from tests.support.workers.given_up_sockets import LEFT_BY_MONGODB, collect_given_up_sockets
from tests.support.workers.process_forks import ProcessForks

Document = dict[str, Any]
pytestmark = LEFT_BY_MONGODB

IDS: Final = [f"{number:024x}" for number in range(1, 6)]
NOWHERE: Final = "redis://127.0.0.1:1/0"

_LOGGER = logging.getLogger(__name__)


class Department:
    """A department that has accepted five notes, the workers that write them, and a person who deletes."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.project_id = uuid.uuid4().hex[:24]
        self.client: AsyncMongoClient[Document] = AsyncMongoClient(uri)
        self.database = self.client[names.gather_database(self.project_id)]
        self.gather = self.database[names.ITEMS_COLLECTION]
        self.stores: list[Store] = []

    def store(self, uri: str | None = None, patience_s: float = 10) -> Store:
        """Return another worker's store."""
        self.stores.append(Store(uri or self.uri, self.project_id, Attempt(60), patience_s))
        return self.stores[-1]

    def items(self) -> list[GatherItem]:
        """Return the notes."""
        return [gather_item(each, self.project_id, f"The keeper counts lamp {each}.") for each in IDS]

    async def ids(self) -> set[str]:
        """Return the ids of the notes that are there."""
        return {str(document["_id"]) async for document in self.gather.find({}, {"_id": 1})}

    async def delete_all(self) -> set[str]:
        """Delete what is there, as a person does, and return its ids."""
        gone = await self.ids()
        await self.gather.delete_many({})
        return gone

    async def resume(self) -> Checkpoint:
        """Let a successor take the department up and write what is pending."""
        store = self.store()
        return await publish(store, await store.take_epoch(Checkpoint(id="u/story", department="story")))

    async def close(self) -> None:
        """Remove all."""
        await self.client.drop_database(self.database.name)
        # At once: the driver looks for a dead server for seconds before it gives a client up.
        await asyncio.gather(*(store.close() for store in self.stores))
        await self.client.close()


@pytest.fixture
async def new_department(either_mongodb_uri: str) -> AsyncIterator[Callable[[], Department]]:
    """Make departments of projects of their own."""
    made: list[Department] = []

    def make() -> Department:
        made.append(Department(either_mongodb_uri))
        return made[-1]

    yield make
    async with asyncio.timeout(60):
        await asyncio.gather(*(department.close() for department in made))
    collect_given_up_sockets()


# --- killed


def proxies_to(uri: str) -> FaultProxies:
    """Return proxies of which only MongoDB's is used."""
    return FaultProxies(Services(uri, NOWHERE, NOWHERE, NOWHERE, NOWHERE))


async def writes_of(department: Department) -> list[str]:
    """Return the names of the writes that publishing takes, in order."""
    proxies = proxies_to(department.uri)
    store = department.store(proxies.services.mongodb_uri)
    accepted = await accept(store, department.items())
    await store.batch_of(accepted.pending)
    proxies.reset()
    await publish(store, accepted)
    proxies.close()
    return [request.name for request in proxies.writes]


async def kill_at(department: Department, number: int, phase: Phase) -> None:
    """Let a worker begin to publish, and be gone at its `number`-th write: nothing that it sends arrives."""
    proxies = proxies_to(department.uri)
    store = department.store(proxies.services.mongodb_uri, patience_s=0)
    accepted = await accept(store, department.items())
    await store.batch_of(accepted.pending)

    def gone() -> bool:
        proxies.close()
        return False

    trigger = proxies.set_trigger(number, phase, gone)
    with pytest.raises(StoreUnavailable):
        await publish(store, accepted)
    assert trigger.fired_by
    assert len(proxies.writes) == number


async def test_what_a_person_deletes_after_a_kill_is_not_written_again(
    new_department: Callable[[], Department], *, has_transactions: bool
) -> None:
    """At each write, before it arrives and after it had its effect; everything is deleted that is there.

    A single server cannot know of the one note in hand whether it was written and deleted, or never written.
    """
    writes = await writes_of(new_department())
    kills = list(itertools.product(range(1, len(writes) + 1), Phase))
    departments = [new_department() for _ in kills]
    await asyncio.gather(*(kill_at(each, *kill) for each, kill in zip(departments, kills, strict=True)))
    deleted = back = 0
    for department, (number, phase) in zip(departments, kills, strict=True):
        gone = await department.delete_all()
        async with asyncio.timeout(30):
            resumed = await department.resume()
        there = await department.ids()
        assert there | gone == set(IDS), (number, phase)
        assert (resumed.items_created, resumed.pending) == (5, [])
        in_hand = (writes[number - 1], phase) in {
            ("aggregate", Phase.RESPONSE), ("update", Phase.REQUEST)
        } and not has_transactions  # fmt: skip
        assert len(there & gone) == in_hand, (number, phase, writes)
        deleted += len(gone)
        back += len(there & gone)
    _LOGGER.info("killed at %d moments of %s: %d deleted, %d came back", len(kills), writes, deleted, back)
    assert deleted
    assert back == (0 if has_transactions else 2 * len(IDS))


# --- held up


class HeldUp:
    """A write of a worker that lives on and hears nothing until it is let go."""

    def __init__(self) -> None:
        self.is_held = threading.Event()
        self.is_over = threading.Event()

    def __call__(self) -> bool:
        """Hold the write up, or its response, and pass it on in the end."""
        self.is_held.set()
        self.is_over.wait(30)
        return True


async def late_at(department: Department, number: int, phase: Phase) -> int:
    """Hold a worker up at its `number`-th write, until a successor has published and a person has deleted
    all; return how many notes were deleted.
    """
    proxies, held = proxies_to(department.uri), HeldUp()
    store = department.store(proxies.services.mongodb_uri)
    accepted = await accept(store, department.items())
    await store.batch_of(accepted.pending)
    proxies.set_trigger(number, phase, held)
    late = asyncio.create_task(publish(store, accepted))
    assert await asyncio.to_thread(held.is_held.wait, 10)
    resumed = await department.resume()
    gone = await department.delete_all()
    assert (resumed.items_created, len(gone)) == (5, 5)
    held.is_over.set()
    with contextlib.suppress(Fenced):
        await late
    proxies.close()
    assert await department.ids() == set(), (number, phase)
    return len(gone)


async def test_a_late_worker_does_not_write_what_a_person_has_deleted(
    new_department: Callable[[], Department],
) -> None:
    """Whichever of its writes arrives late: with a single server, too, it is MongoDB that looks."""
    count = len(await writes_of(new_department()))
    moments = list(itertools.product(range(1, count + 1), Phase))
    gone = [await late_at(new_department(), *moment) for moment in moments]
    _LOGGER.info("held up at %d moments: %d notes deleted, 0 came back", len(moments), sum(gone))


async def test_workers_that_publish_the_same_notes_at_once_write_them_once(
    new_department: Callable[[], Department],
) -> None:
    """The department's own that lives, and others that take its notes for left behind."""
    department = new_department()
    accepted = await accept(department.store(), department.items())
    ends = await asyncio.gather(
        *(publish(department.store(), accepted) for _ in range(4)), return_exceptions=True
    )
    assert all(isinstance(end, Checkpoint | Fenced) for end in ends), ends
    assert (await department.resume()).items_created == 5
    assert await department.ids() == set(IDS)


async def test_a_note_that_is_no_longer_pending_is_not_written(
    new_department: Callable[[], Department],
) -> None:
    """By the worker of the same epoch, whatever its revision: others may have written its notes and gone."""
    department = new_department()
    store = department.store()
    accepted = await accept(store, department.items())
    await publish(department.store(), accepted)
    await department.delete_all()
    late = accepted.saved().revised(above=accepted.revision + 10)
    await store.batch_of(accepted.pending)
    await store.publish(late, department.items())
    assert await department.ids() == set()
    assert (await department.resume()).items_created == 5


# --- refused


async def test_notes_beside_a_refused_one_are_written_once(
    new_department: Callable[[], Department], *, has_transactions: bool
) -> None:
    """A transaction writes none of them; a single server those before it, which are struck off at once."""
    department = new_department()
    await department.gather.create_index("content", unique=True)
    await department.gather.insert_one({"content": department.items()[2].content})
    store = department.store()
    accepted = await accept(store, department.items())
    with pytest.raises(WriteRefused, match=r"a unique index \(content\) has the document's value already"):
        await publish(store, accepted)
    gone = await department.delete_all() & set(IDS)
    assert gone == (set() if has_transactions else set(IDS[:2]))
    resumed = await department.resume()
    assert await department.ids() == set(IDS) - gone
    assert (resumed.items_created, resumed.pending) == (5, [])


async def test_a_capped_collection_takes_notes_though_no_transaction_may_write_to_it(
    new_department: Callable[[], Department],
) -> None:
    """One after the other, as with a single server."""
    department = new_department()
    await department.database.create_collection(names.ITEMS_COLLECTION, capped=True, size=1_000_000)
    store = department.store()
    await publish(store, await accept(store, department.items()))
    assert await department.ids() == set(IDS)


# --- an answer that is lost

CommitsFail = Callable[[Document, int], Awaitable[None]]


@pytest.fixture
async def commits_fail(replica_set_store: ServiceProcess) -> AsyncIterator[CommitsFail]:
    """Make the next commits fail, so and so often."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(replica_set_store.uri)

    async def order(how: Document, times: int) -> None:
        data = {"failCommands": ["commitTransaction"], **how}
        await client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)

    yield order
    await client.admin.command("configureFailPoint", "failCommand", mode="off")
    await client.close()


@pytest.fixture
async def replicated(replica_set_store: ServiceProcess) -> AsyncIterator[Department]:
    """A department with transactions."""
    department = Department(replica_set_store.uri)
    yield department
    await department.close()


COMMITTED: Final[Document] = {"writeConcernError": {"code": 79, "errmsg": "not known by a majority"}}
"""The commit has its effect, and the worker hears of an error."""
LOST: Final[dict[str, Document]] = {
    "committed, and an error": COMMITTED,
    "committed, and not known": {"writeConcernError": {"code": 64, "errmsg": "timed out"}},
    "not committed, connection lost": {"closeConnection": True},
    "not committed, primary lost": {"errorCode": 11602},
    "not committed, conflict": {"errorCode": 112, "errorLabels": ["TransientTransactionError"]},
}


@pytest.mark.parametrize("how", LOST)
async def test_a_commit_whose_answer_is_lost_is_done_once(
    replicated: Department, commits_fail: CommitsFail, how: str
) -> None:
    """The worker is neither fenced by its own write nor does it write again."""
    store = replicated.store()
    accepted = await accept(store, replicated.items())
    await store.batch_of(accepted.pending)
    await commits_fail(LOST[how], 2)
    saved = await publish(store, accepted)
    await store.write(saved.revised())
    assert await replicated.ids() == set(IDS)
    assert (await replicated.resume()).items_created == 5


async def test_a_worker_that_does_not_know_whether_it_wrote_writes_no_more(
    replicated: Department, commits_fail: CommitsFail
) -> None:
    """What it knows has the notes pending; saved, that would have the successor write them again."""
    store = replicated.store(patience_s=0)
    checkpointer = Checkpointer(store, Checkpoint(id="u/story"))
    await checkpointer.take_epoch()
    await checkpointer.save(lambda checkpoint: checkpoint.accepted(replicated.items()))
    await store.batch_of(replicated.items())
    await commits_fail(COMMITTED, 1)
    with pytest.raises(StoreUnavailable):
        await checkpointer.publish(replicated.items())
    with pytest.raises(StoreUnavailable):
        await checkpointer.save_meters()
    gone = await replicated.delete_all()
    resumed = await replicated.resume()
    assert gone == set(IDS)
    assert await replicated.ids() == set()
    assert resumed.items_created == 5


# --- whole workers


def test_a_worker_goes_on_without_the_notes_that_a_person_deleted(
    services: Services,
    either_mongodb_uri: str,
    forks: ProcessForks,
    tmp_path: Path,
    *,
    has_transactions: bool,
) -> None:
    """Its predecessor was killed while it published; in the end the notes are in neither store."""
    reached = replace(services, mongodb_uri=either_mongodb_uri)
    document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()))
    harness = WorkerHarness(reached, tmp_path, document, forks=forks)
    harness.set_threshold(100)
    proxies = FaultProxies(reached)
    crash = CrashHarness(harness, proxies, 1)
    if has_transactions:
        assert crash.killed_at(1, Phase.RESPONSE, "commitTransaction")
    else:
        # The first note is written, and struck off.
        assert crash.killed_at(2, Phase.REQUEST, "aggregate")
    with MongoClient[Document](either_mongodb_uri) as client:
        gather = client[names.gather_database(harness.project_id)][names.ITEMS_COLLECTION]
        gone = {str(document["_id"]) for document in gather.find()}
        gather.delete_many({})
        ended = crash.run()
        assert ended.exit_code == 0, ended.messages()
        there = {document["_id"] for document in harness.items()}
        client.drop_database(gather.database.name)
    proxies.close()
    assert gone
    assert not gone & (there | harness.node_ids())
    assert there == harness.node_ids()
    assert ended.result is not None
    assert ended.result.items_created == len(gone | there)
