"""Every way in which a worker can write, and why a worker that was replaced changes nothing by it.

A new method of the store, or a new writing call in it, fails here until it is listed with its reason.
"""

import ast
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient

from gather_contracts import names
from gather_contracts.items import GatherItem
from gather_contracts.result import StopReason
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import Fenced
from gather_worker.llm.answer_cache import AnswerCache
from gather_worker.llm.gateway import ModelGateway
from gather_worker.prompts import Prompt
from gather_worker.schemas import QualityVerdict
from gather_worker.services import checkpoint_store, mongodb, note_pages, notes, store
from gather_worker.services.brain import Brain
from gather_worker.services.brain_nodes import BrainNodes
from gather_worker.services.department_events import EventPublisher
from gather_worker.services.store import Store, document_of
from gather_worker.services.verdict_cache import VerdictCache
from gather_worker.steps.checkpointer import Checkpointer
from tests.support.application_documents import accept, gather_item, publish
from tests.support.scripted_model import client_of

READS: Final = {
    "batch_of",
    "leftovers",
    "unsent_evaluations",
    "read_notes",
    "notes_by_id",
    "counting_ids",
    "changed_since",
    "other_ledgers",
    "close",
}
PATIENCE: Final = {"persist", "persist_checkpoint"}
"""Repeat a call that a listed method makes."""
WRITES: Final = {
    "take_epoch": "is the fence: the worker that calls it is the newest",
    "write": "conditional on the epoch, and on no later write of the same worker",
    "clear_leftover": "conditional on the other's epoch and on the very write that was read",
    "note_evaluation_sent": "true whichever worker writes it, and only where it was due",
    "publish": "only what is pending in its epoch, as MongoDB itself finds when it writes",
    "write_lost_notes": "likewise: the same command again, after a failure",
    "set_scores": "only what a conditional write made the score, where there is none",
}
"""The store's writing methods; each but `take_epoch` is called below by a worker that was replaced."""
PARTS: Final = {
    "_commit": "of `publish`",
    "_write_both": "of `publish`",
    "_merge": "of `publish` and `write_lost_notes`",
    "store": "of `write`",
    "_prepare": "makes indexes where there are none, which change no note",
    "batch_of": "asks the server what it is",
    "_end_predecessor": "of `take_epoch`: ends the transaction of a worker that is replaced",
    "_ids_after": "aggregates without a stage that writes",
    "find": "of `_ids_after`",
}
WRITING_CALLS: Final = {
    "insert_one", "insert_many", "update_one", "update_many", "replace_one", "delete_one", "delete_many",
    "find_one_and_update", "find_one_and_replace", "find_one_and_delete", "bulk_write", "drop", "rename",
    "aggregate", "command", "create_index", "create_indexes", "drop_index", "with_transaction",
}  # fmt: skip
OTHERS: Final = {
    Brain: {
        "index": "a lower revision never replaces a higher one, and of equal ones both say the same",
    },
    BrainNodes: {
        "write": "only what MongoDB says now, so that whoever does it does the same",
        "delete": "only what MongoDB has not, asked for again right before",
    },
    EventPublisher: {
        "started": "one key an attempt; it may come late, and says by its attempt which one it was",
        "deduplicating": "one key an iteration",
        "iterated": "one key an iteration, and only after the conditional write of its score",
        "finished": "one key a department, and only after the conditional write of its end",
    },
    ModelGateway: {
        "ask": "each request only after the conditional write of what it may cost",
        "ask_signed": "likewise",
        "find_missing": "likewise, where the list of models lacks the name; nothing is kept of it",
    },
    AnswerCache: {
        "put": "one key a question; any answer that is kept is one to that question",
    },
    VerdictCache: {
        "put": "one key a pair of texts; any verdict that is kept is one on that pair",
    },
}
"""What else a worker writes; the tests of the brain's revisions and of the event log's keys show it."""
OTHERS_READ: Final = {
    Brain: {
        "neighbours",
        "nearest",
        "earlier_context",
        "coverage",
        "compare",
        "treating",
        "is_usable",
        "wait_for_way",
        "close",
    },
    BrainNodes: set(),
    EventPublisher: {"has_run_ended", "close"},
    ModelGateway: {"close", "is_budget_ample"},
    AnswerCache: {"get", "close"},
    VerdictCache: {"get", "close"},
}  # fmt: skip


def methods_of(owner: type) -> set[str]:
    """Return the public coroutine methods."""
    found = inspect.getmembers(owner, inspect.iscoroutinefunction)
    return {name for name, _ in found if not name.startswith("_")}


def test_every_method_that_writes_is_listed_with_its_reason() -> None:
    """What is neither a known read nor a known write is a new way past the fence."""
    assert methods_of(Store) - READS - PATIENCE == set(WRITES)
    for owner, writes in OTHERS.items():
        assert methods_of(owner) - OTHERS_READ[owner] == set(writes)


def test_no_other_function_of_the_store_writes() -> None:
    """By its source: each call that can change MongoDB stands in a listed method."""
    modules = (checkpoint_store, mongodb, note_pages, notes, store)
    writing = {
        function.name
        for module in modules
        for function in ast.walk(ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8")))
        if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Attribute) and call.attr in WRITING_CALLS
    }
    assert writing == (set(WRITES) - {"publish", "write_lost_notes"}) | set(PARTS)
    assert all(name in inspect.getsource(Store.publish) for name in ("_commit", "_merge", "self.write"))
    assert "_write_both" in inspect.getsource(Store._commit)


IDS: Final = {"a": "a" * 24, "b": "b" * 24}
"""Of notes in today's form."""


class Replaced:
    """A worker of epoch 1, its successor of epoch 2 that has gone on, and a department that left notes."""

    def __init__(self, uri: str) -> None:
        self.project_id = uuid.uuid4().hex[:24]
        self.client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri)
        self.database = self.client[names.gather_database(self.project_id)]
        self.store = Store(uri, self.project_id, Attempt(60), 5)

    def item(self, name: str) -> GatherItem:
        """Return a note."""
        return gather_item(IDS.get(name, name), self.project_id, f"The keeper counts lamp {name}.")

    async def prepare(self) -> None:
        """Let the old worker accept a note and leave, and the new one finish; another department likewise."""
        store = self.store
        self.old = (await store.take_epoch(Checkpoint(id="u/story"))).accepted([self.item("a")]).revised()
        await store.write(self.old)
        left = (await store.take_epoch(Checkpoint(id="u/sound"))).accepted([self.item("b")])
        self.other_old = left.ended(StopReason.THRESHOLD_REACHED, is_evaluated=True).revised()
        await store.write(self.other_old)
        for department in ("story", "sound"):
            new = await store.take_epoch(Checkpoint(id=f"u/{department}"))
            await store.batch_of(new.pending)
            saved = new.saved().revised()
            await store.publish(saved, new.pending)
            await store.set_scores([IDS["a"], IDS["b"]], 70)
            new = saved.scored(None, None, []).ended(StopReason.THRESHOLD_REACHED, is_evaluated=True)
            await store.write(new.evaluation_sent().revised())

    async def everything(self) -> list[Any]:
        """Return all that is stored."""
        collections = sorted(await self.database.list_collection_names())
        return [await self.database[name].find().sort("_id").to_list() for name in collections]


@pytest.fixture
async def replaced(either_mongodb_uri: str) -> AsyncIterator[Replaced]:
    """A worker that was replaced."""
    replaced = Replaced(either_mongodb_uri)
    await replaced.prepare()
    yield replaced
    await replaced.client.drop_database(replaced.database.name)
    await replaced.store.close()
    await replaced.client.close()


async def write_as_lost(late: Replaced) -> None:
    """Write again what a server that was killed has not confirmed."""
    late.store._unconfirmed = tuple(document_of(item) for item in late.old.pending)
    assert late.store._unconfirmed
    late.store.failures += 1
    await late.store.write_lost_notes(late.old.saved().revised())


LATE_CALLS: Final[dict[str, Callable[[Replaced], Awaitable[None]]]] = {
    "write": lambda late: late.store.write(late.old.saved().revised()),
    "clear_leftover": lambda late: late.store.clear_leftover(late.other_old),
    "note_evaluation_sent": lambda late: late.store.note_evaluation_sent(late.other_old),
    "publish": lambda late: late.store.publish(
        late.old.saved().revised(),
        [item.model_copy(update={"content": "Other words."}) for item in late.old.pending],
    ),
    "write_lost_notes": write_as_lost,
    "set_scores": lambda late: late.store.set_scores([IDS["a"]], 99),
}


CONDITIONAL: Final = {"write", "publish"}
"""What a replaced worker is told that it is replaced by; the others find nothing to do."""


@pytest.mark.parametrize("gone", IDS)
@pytest.mark.parametrize("method", sorted(set(WRITES) - {"take_epoch"}))
async def test_no_write_of_a_replaced_worker_changes_anything(
    replaced: Replaced, method: str, gone: str
) -> None:
    """Each writing method, called as the worker would have called it before it was replaced; not even what a
    person has deleted since comes back.
    """
    await replaced.database[names.ITEMS_COLLECTION].delete_one({"_id": ObjectId(IDS[gone])})
    before = await replaced.everything()
    try:
        await LATE_CALLS[method](replaced)
    except Fenced:
        assert method in CONDITIONAL
    else:
        assert method not in CONDITIONAL
    assert await replaced.everything() == before


async def test_a_replaced_worker_pays_for_nothing(replaced: Replaced) -> None:
    """What a request may cost is written first, and that write is refused."""
    asked: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    model = ModelGateway(client_of(answer), Attempt(60), timeout_s=5, max_tokens=1000)
    checkpointer = Checkpointer(replaced.store, Checkpoint(id="u/sea"))
    await checkpointer.take_epoch()
    model.save_ledger_in(checkpointer)
    await replaced.store.take_epoch(Checkpoint(id="u/sea"))
    with pytest.raises(Fenced):
        await model.ask("m/x", Prompt("judge.v1", "rules", "data"), QualityVerdict)
    await model.close()
    assert asked == []


async def test_a_write_that_was_held_up_cannot_undo_a_later_one_of_the_same_worker(
    replaced: Replaced,
) -> None:
    """A connection breaks, the write is repeated elsewhere, and then the first one arrives."""
    first = (await replaced.store.take_epoch(Checkpoint(id="u/sea"))).accepted([replaced.item("c")]).revised()
    await replaced.store.write(first)
    await replaced.store.write(first)
    await replaced.store.write(first.saved().revised())
    before = await replaced.everything()
    with pytest.raises(Fenced):
        await replaced.store.write(first)
    assert await replaced.everything() == before


async def test_publishing_what_another_left_twice_writes_and_counts_its_notes_once(
    replaced: Replaced,
) -> None:
    """The answer to the first try may have been lost, and a person may have deleted the note since."""
    left = await accept(replaced.store, [replaced.item("c")], "sea")
    saved = await publish(replaced.store, left)
    await replaced.database[names.ITEMS_COLLECTION].delete_one({"_id": "c"})
    before = await replaced.everything()
    await replaced.store.clear_leftover(saved)
    assert await publish(replaced.store, left) == saved
    after = await replaced.everything()
    await replaced.store.clear_leftover(saved)
    assert [len(documents) for documents in after] == [len(documents) for documents in before]
    assert (await replaced.store.take_epoch(Checkpoint(id="u/sea"))).items_created == 1
