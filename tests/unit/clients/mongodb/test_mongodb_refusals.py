"""What MongoDB says no to is not taken for its absence, in words that name what to change."""

from typing import Any

import pytest
from bson.errors import InvalidBSON, InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DocumentTooLarge,
    InvalidName,
    NetworkTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteError,
    WTimeoutError,
)

from gather_clients.mongodb.refusals import BAD_USER, NO_RIGHT, NO_USER, TOO_OLD, refusal_of, trouble_of

WORDS = "mongodb://gather:hunter2@db.example/ a note's own words"


def failed(code: int, said: str = "", kind: type[OperationFailure] = OperationFailure) -> OperationFailure:
    """Return MongoDB's answer with a code and a text."""
    return kind(f"{said}{WORDS}", code, {"code": code, "errmsg": f"{said}{WORDS}"})


def bulk(*codes: int) -> BulkWriteError:
    """Return the answer to several writes."""
    errors = [{"code": code, "errmsg": WORDS, "keyPattern": {"context": 1}} for code in codes]
    return BulkWriteError({"writeErrors": errors})


CREDENTIALS: dict[str, tuple[Exception, str]] = {
    "password": (failed(18, "Authentication failed."), BAD_USER),
    "password, Atlas": (failed(8000, "bad auth : Authentication failed."), BAD_USER),
    "password, Atlas in lower case": (failed(8000, "bad auth : authentication failed"), BAD_USER),
    "no user": (failed(13, "Command find requires authentication"), NO_USER),
    "mechanism": (failed(334), "authMechanism of MONGODB_URI"),
}
REFUSED: dict[str, tuple[Exception, str]] = {
    "right": (failed(13, "not authorized on x to execute"), NO_RIGHT),
    "right, Atlas": (failed(8000, "user is not allowed to do action [insert] on [x]"), NO_RIGHT),
    "quota": (failed(8000, "you are over your space quota, using 513 MB of 512 MB"), "the space quota"),
    "validator": (failed(121, kind=WriteError), "validator refuses the document"),
    "unique index": (bulk(11000), "a unique index (context) has the document's value"),
    "too large, the server": (failed(10334), "larger than MongoDB takes"),
    "too large, the driver": (DocumentTooLarge(WORDS), "larger than MongoDB takes"),
    "no BSON": (InvalidDocument(WORDS), "cannot be written as BSON"),
    "name": (InvalidName(WORDS), "no database of this name"),
    "case of the name": (failed(13297), "in other upper and lower case"),
    "capped": (
        failed(20, "Cannot change the size of a document in a capped collection"),
        "capped collection",
    ),
    "view": (failed(166), "it is a view"),
    "old server": (failed(59, "no such command: hello"), TOO_OLD),
    "imitation": (failed(304, "Aggregation stage not supported: $merge"), TOO_OLD),
    "old server, the driver": (ConfigurationError("Server at x:1 reports wire version 5, but"), TOO_OLD),
}
AWAY: dict[str, tuple[Exception, str]] = {
    "broken": (AutoReconnect(WORDS), "AutoReconnect"),
    "slow": (NetworkTimeout(WORDS), "NetworkTimeout"),
    "too slow": (TimeoutError(), "TimeoutError"),
    "shutting down": (failed(91), "OperationFailure (code 91)"),
    "disk": (failed(14031), "OperationFailure (its disk is full)"),
    "Atlas, otherwise": (failed(8000, "something new"), "OperationFailure (code 8000)"),
    "no transactions": (failed(20, "Transaction numbers are only allowed"), "OperationFailure (code 20)"),
    "no majority": (failed(64, kind=WTimeoutError), "WTimeoutError (code 64)"),
    "damaged": (InvalidBSON(WORDS), "InvalidBSON"),
    "several": (bulk(91), "BulkWriteError (code 65)"),
    "certificate": (
        ServerSelectionTimeoutError(f"db:1: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed, {WORDS}"),
        "ServerSelectionTimeoutError (its certificate is not trusted: see tlsCAFile in MONGODB_URI)",
    ),
    "replica set": (
        ServerSelectionTimeoutError(f'No members available for replica set name "rs1", {WORDS}'),
        "ServerSelectionTimeoutError (no member of the replica set that MONGODB_URI names (replicaSet))",
    ),
    "srv": (
        ConfigurationError(f"The DNS query name does not exist: {WORDS}"),
        "ConfigurationError (the host in MONGODB_URI has no address of type SRV (mongodb+srv))",
    ),
}


@pytest.mark.parametrize("case", [*CREDENTIALS, *REFUSED])
def test_a_refusal_is_no_absence(case: str) -> None:
    """It would be refused every time; the text names the setting or the rule, and nothing of its content."""
    error, said = {**CREDENTIALS, **REFUSED}[case]
    refusal = refusal_of(error)
    assert refusal is not None
    assert said in str(refusal)
    assert refusal.is_of_credentials == (case in CREDENTIALS)
    assert trouble_of(error) == str(refusal)
    assert "hunter2" not in str(refusal)
    assert "own words" not in str(refusal)


@pytest.mark.parametrize("case", AWAY)
def test_what_may_pass_is_an_absence_and_says_why(case: str) -> None:
    """So it is tried again; the driver's own words, which hold addresses, are not shown."""
    error, said = AWAY[case]
    assert refusal_of(error) is None
    assert trouble_of(error) == f"MongoDB is unavailable: {said}"


def test_a_note_that_is_there_is_no_refusal() -> None:
    """Its own `_id` was taken: an earlier try wrote it."""
    answer: dict[str, Any] = {"code": 11000, "errmsg": "E11000 index: _id_ dup key", "keyPattern": {"_id": 1}}
    assert refusal_of(BulkWriteError({"writeErrors": [answer]})) is None
