"""What a MongoDB that wants a password refuses: named at once, without a secret, not as one that is away."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

import pymongo
import pytest
from bson import ObjectId

from gather_contracts import names
from gather_worker.attempt import Attempt
from gather_worker.department.checkpoint import Checkpoint
from gather_worker.errors import InvalidInput, WorkerError, WriteRefused
from gather_worker.services.store import Store
from tests.support.application.check_world import PASSWORD
from tests.support.application_documents import gather_item, save_items
from tests.support.worker_harness import WorkerHarness

NewHarness = Callable[..., WorkerHarness]
Client = pymongo.MongoClient[dict[str, Any]]
WRONG: Final = "not-the-password-4711"
PATIENCE_S: Final = 300
"""A store that is taken for one that is away would be waited for so long."""
AT_ONCE_S: Final = 60
UNKNOWN: Final = "MongoDB does not know the user of MONGODB_URI, or the password or authSource is wrong"
NO_RIGHT: Final = "the user of MONGODB_URI may not do that: it needs the role readWrite on this database"
NO_USER: Final = "MongoDB wants a user and a password, and MONGODB_URI names none"
REFUSED: Final[dict[str, tuple[str, str]]] = {
    # who asks, and what is said
    "wrong password": (f"gather:{WRONG}@", UNKNOWN),
    "unknown user": (f"stranger:{WRONG}@", UNKNOWN),
    "a user of another database": (f"owner-elsewhere:{PASSWORD}@", NO_RIGHT),
    "no rights at all": (f"nobody:{PASSWORD}@", NO_RIGHT),
    "no user": ("", NO_USER),
}


def uri_of(client: Client, user: str) -> str:
    """Return the address with a user."""
    host, port = client.address or ("", 0)
    return f"mongodb://{user}{host}:{port}/?directConnection=true&authSource=admin"


@pytest.fixture
def project_id(mongodb_with_users: Client) -> str:
    """A project of its own, with a user who may write elsewhere only."""
    admin = mongodb_with_users.admin
    if not admin.command("usersInfo", "owner-elsewhere")["users"]:
        roles = [{"role": "readWrite", "db": "elsewhere"}]
        admin.command("createUser", "owner-elsewhere", pwd=PASSWORD, roles=roles)
    return uuid.uuid4().hex[:24]


@pytest.fixture
async def open_store(mongodb_with_users: Client, project_id: str) -> AsyncIterator[Callable[[str], Store]]:
    """Open a worker's store as a user; the database goes afterwards."""
    stores: list[Store] = []

    def make(user: str) -> Store:
        stores.append(Store(uri_of(mongodb_with_users, user), project_id, Attempt(600), PATIENCE_S))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()
    mongodb_with_users.drop_database(names.gather_database(project_id))


async def refusal(work: Any, kind: type[WorkerError] = WriteRefused) -> str:
    """Return what a refused call says; it must say it at once."""
    started = time.monotonic()
    with pytest.raises(kind) as refused:
        await work
    assert time.monotonic() - started < AT_ONCE_S
    text = str(refused.value)
    assert WRONG not in text
    assert PASSWORD not in text
    return text


@pytest.mark.parametrize("who", REFUSED)
async def test_reading_and_writing_name_what_is_wrong(
    open_store: Callable[[str], Store], project_id: str, who: str
) -> None:
    """The first thing that a worker does, its notes, and its first write."""
    user, said = REFUSED[who]
    store = open_store(user)
    database = names.gather_database(project_id)
    fresh = Checkpoint(id="u/story", run="r", run_uid="u", department="story")
    if said != NO_RIGHT:
        assert await refusal(store.take_epoch(fresh), InvalidInput) == f"settings: {said}"
        assert await refusal(store.read_notes(), InvalidInput) == f"settings: {said}"
        return
    assert await refusal(store.take_epoch(fresh)) == f"{database}.gather_checkpoints: {said}"
    assert await refusal(store.read_notes()) == f"{database}.gather: {said}"


async def test_who_may_only_read_is_refused_at_the_first_write(
    open_store: Callable[[str], Store], project_id: str
) -> None:
    """What stands there can be read; nothing is written, neither a note nor a checkpoint."""
    reader = open_store(f"reader:{PASSWORD}@")
    assert (await reader.read_notes()).notes == []
    note = gather_item(str(ObjectId()), project_id)
    fresh = Checkpoint(id="u/story", run="r", run_uid="u", department="story", pending=[note])
    assert NO_RIGHT in await refusal(reader.publish(fresh.saved({note.id}).revised(), [note]))
    assert NO_RIGHT in await refusal(reader.take_epoch(fresh))


async def test_who_may_write_is_at_home(open_store: Callable[[str], Store], project_id: str) -> None:
    """The role readWrite is enough, indexes included."""
    store = open_store(f"gather:{PASSWORD}@")
    await save_items(store, [gather_item(str(ObjectId()), project_id)])
    assert len((await store.read_notes()).notes) == 1
    assert len(await store.items.index_information()) > 1


def test_a_worker_with_a_wrong_password_ends_for_good_and_says_why(
    new_harness: NewHarness, mongodb_with_users: Client
) -> None:
    """Exit 64, so that no retry is paid; the result names the setting, and the log no secret."""
    harness = new_harness()
    harness.services = replace(harness.services, mongodb_uri=uri_of(mongodb_with_users, f"gather:{WRONG}@"))
    worker = harness.start(0, 1)
    ended = worker.wait()
    assert ended.exit_code == 64, ended.messages()
    assert ended.result is not None
    assert ended.result.reason == "InvalidInput"
    assert UNKNOWN in ended.result.message
    assert WRONG not in worker.log_text()
