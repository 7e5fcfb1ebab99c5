"""What MongoDB refuses ends the attempt at once, and what may pass is waited for."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, DocumentTooLarge, OperationFailure

from gather_worker.attempt import Attempt
from gather_worker.errors import InvalidInput, StoreUnavailable, WriteRefused
from gather_worker.services.mongodb import ProjectDatabase

PROJECT = "a" * 24
WRONG_PASSWORD = OperationFailure("Authentication failed.", 18, {"code": 18, "errmsg": "a note"})


@pytest.fixture
async def database() -> AsyncIterator[ProjectDatabase]:
    """A database that is not connected: what it is asked for fails as the test says."""
    made = ProjectDatabase("mongodb://127.0.0.1:1", PROJECT, Attempt(60), patience_s=0.3)
    yield made
    await made.close()


def failing(*failures: Exception | None) -> Any:
    """Return an operation that fails so, and then answers."""
    left = list(failures)

    async def operation() -> str:
        if left and (failure := left.pop(0)) is not None:
            raise failure
        return "done"

    return operation


async def test_a_refused_document_is_not_waited_for(database: ProjectDatabase) -> None:
    """Also one that the driver finds too large itself, by an error that is none of its own family."""
    with pytest.raises(WriteRefused, match=r"gather: a document is larger than MongoDB takes"):
        await database.persist(failing(DocumentTooLarge("a note's text")))


async def test_a_password_that_was_never_accepted_is_a_wrong_setting(database: ProjectDatabase) -> None:
    """A person must change it, so no further attempt is made."""
    with pytest.raises(InvalidInput, match=r"settings: .*MONGODB_URI, or the password") as caught:
        await database.persist(failing(WRONG_PASSWORD))
    assert "a note" not in str(caught.value)


async def test_a_password_that_was_accepted_is_being_replaced(database: ProjectDatabase) -> None:
    """The next attempt's pod has the new one."""
    assert await database.persist(failing()) == "done"
    with pytest.raises(StoreUnavailable, match="the next attempt reads it again"):
        await database.persist(failing(WRONG_PASSWORD))


async def test_a_password_that_its_file_no_longer_has_was_replaced(
    database: ProjectDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod read it a moment before: the next attempt is to come, and the department does not fail."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    (tmp_path / "MONGODB_URI").write_text("mongodb://gather:new@127.0.0.1:1\n", encoding="utf-8")
    with pytest.raises(StoreUnavailable, match="replaced meanwhile"):
        await database.persist(failing(WRONG_PASSWORD))
    (tmp_path / "MONGODB_URI").write_text("mongodb://127.0.0.1:1\n", encoding="utf-8")
    with pytest.raises(InvalidInput):
        await database.persist(failing(WRONG_PASSWORD))


async def test_an_absence_is_waited_for_and_said(
    database: ProjectDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """For as long as the patience lasts."""
    assert await database.persist(failing(AutoReconnect("gone"))) == "done"
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.ERROR, "MongoDB is unavailable: AutoReconnect; retrying")
    ]
    with pytest.raises(StoreUnavailable, match="MongoDB is unavailable: AutoReconnect"):
        await database.persist(failing(*[AutoReconnect("gone")] * 100))


@pytest.mark.parametrize(
    "uri",
    ["mongodb://", "mongodb://u:hunter2@h:port/", "http://hunter2", "mongodb://u:a/b@h"],
    ids=["nothing", "port", "scheme", "slash in the password"],
)
def test_an_address_that_is_none_is_a_wrong_setting(uri: str) -> None:
    """It was an unexpected error, which is tried again; no part of it is shown."""
    with pytest.raises(InvalidInput, match="settings: MONGODB_URI: it is malformed") as caught:
        ProjectDatabase(uri, PROJECT, Attempt(60), patience_s=1)
    assert "hunter2" not in str(caught.value)
