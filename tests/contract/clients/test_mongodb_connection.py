"""What operator and bridge keep in MongoDB, while the password of its user is replaced."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from gather_clients.outbox.outbox_entries import OutboxUnavailable
from gather_clients.outbox.outbox_store import Outbox
from gather_clients.snapshots.mongodb_snapshots import MongoSnapshots
from gather_clients.snapshots.opening import SnapshotsUnavailable
from tests.support.application.check_world import PASSWORD
from tests.support.network.gate import Gate, gate

Client = pymongo.MongoClient[dict[str, Any]]

TIMEOUT_S = 2


class Secret:
    """A user of MongoDB, and the file by which processes know its password."""

    def __init__(self, server: Client, way: Gate, file: Path) -> None:
        self._admin = server.admin
        self._user = f"u{uuid.uuid4().hex[:8]}"
        self._place = way.uri.split("/")[2]
        self._way = way
        self.file = file
        self._admin.command("createUser", self._user, pwd=PASSWORD, roles=["readWriteAnyDatabase"])
        self.write(PASSWORD)

    def write(self, password: str) -> None:
        """Put the address with this password into the file."""
        user = f"{self._user}:{password}@"
        self.file.write_text(f"mongodb://{user}{self._place}/?directConnection=true&authSource=admin\n")

    def replace(self, password: str) -> None:
        """Have MongoDB take no other password, and cut every connection."""
        self._admin.command("updateUser", self._user, pwd=password)
        with self._way.absent():
            pass


@pytest.fixture
async def secret(
    mongodb_with_users: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Secret]:
    """A user whose password is in a file, as the kubelet mounts it."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    host, port = mongodb_with_users.address or ("", 0)
    with gate(f"mongodb://{host}:{port}/") as way:
        yield Secret(mongodb_with_users, way, tmp_path / "MONGODB_URI")


async def test_a_password_that_was_replaced_is_read_again(secret: Secret) -> None:
    """By operator and bridge alike, with the call after the one that was refused."""
    uri = secret.file.read_text().strip()
    outbox, snapshots = Outbox(uri, TIMEOUT_S), MongoSnapshots(uri, TIMEOUT_S)
    assert await outbox.hold("me", 1)
    assert await snapshots.newest("a" * 24, 1) == []
    secret.replace("another-one")
    with pytest.raises(OutboxUnavailable, match="MongoDB does not know the user of MONGODB_URI"):
        await outbox.waiting("uid", 1)
    secret.write("another-one")
    for call in (lambda: outbox.waiting("uid", 1), lambda: snapshots.newest("a" * 24, 1)):
        with pytest.raises((OutboxUnavailable, SnapshotsUnavailable)):
            await call()
        assert await call() == []
    await outbox.close()
    await snapshots.close()


async def test_an_address_that_is_none_leaves_the_former_one(secret: Secret) -> None:
    """As while somebody mends it; nothing of it is shown."""
    outbox = Outbox(secret.file.read_text().strip(), TIMEOUT_S)
    secret.file.write_text("mongodb://gather:hunter2@[::1:27017/")
    secret.replace("another-one")
    for _ in range(2):
        with pytest.raises(OutboxUnavailable) as refused:
            await outbox.waiting("uid", 1)
        assert "hunter2" not in str(refused.value)
    secret.write("another-one")
    with pytest.raises(OutboxUnavailable):
        await outbox.waiting("uid", 1)
    assert await outbox.waiting("uid", 1) == []
    await outbox.close()
