"""What Neo4j refuses is tried again, since a password may be replaced, and said by the setting's name."""

from typing import Any

import neo4j
import pytest
from neo4j.exceptions import Neo4jError, ServiceUnavailable

from gather_brain.errors import UnavailableError
from gather_brain.store.database import Database, is_temporary, refusal_of


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("Neo.ClientError.Security.Unauthorized", "NEO4J_PASSWORD"),
        ("Neo.ClientError.Security.AuthenticationRateLimit", "NEO4J_PASSWORD too often"),
        ("Neo.ClientError.Security.CredentialsExpired", "changed first"),
        ("Neo.ClientError.Security.Forbidden", "NEO4J_USER may not"),
        ("Neo.ClientError.Database.DatabaseNotFound", "GATHER_BRAIN_NEO4J_DATABASE"),
        ("Neo.DatabaseError.Transaction.TransactionStartFailed", "has to be started again"),
    ],
)
def test_a_refusal_names_its_setting(code: str, said: str) -> None:
    """None of the server's own words, which may hold an address."""
    failure = Neo4jError._hydrate_neo4j(code=code, message="host neo4j.internal says no")
    assert said in refusal_of(failure)
    assert "internal" not in refusal_of(failure)
    assert is_temporary(failure)


@pytest.mark.parametrize(
    ("code", "is_the_store_s"),
    [
        ("Neo.DatabaseError.Transaction.TransactionCommitFailed", True),
        ("Neo.DatabaseError.Transaction.TransactionLogError", True),
        ("Neo.DatabaseError.Statement.ExecutionFailed", False),
        ("Neo.ClientError.Statement.SyntaxError", False),
    ],
)
def test_a_full_disk_is_no_fault_of_the_brain(code: str, *, is_the_store_s: bool) -> None:
    """Callers get 503 and come again; a query that fails for itself stays a fault of ours."""
    assert is_temporary(Neo4jError._hydrate_neo4j(code=code, message="")) is is_the_store_s


@pytest.mark.parametrize(
    "failure", [ServiceUnavailable("gone"), TimeoutError(), None], ids=["gone", "slow", "nothing"]
)
def test_an_absence_is_no_refusal(failure: Exception | None) -> None:
    """Nothing is to be changed."""
    assert refusal_of(failure) == ""


class NewConnections:
    """A driver that opens a connection for each query, which says to nobody that it was refused."""

    accepted = "first"

    def __init__(self, _: str, auth: Any, **__: Any) -> None:
        self._auth = auth

    async def execute_query(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """Log in as the driver does."""
        if (await self._auth.get_auth())[1] != self.accepted:
            raise Neo4jError._hydrate_neo4j(code="Neo.ClientError.Security.Unauthorized", message="no")
        return []


async def test_a_password_that_is_replaced_is_read_again_by_a_brain_without_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first query is refused, the next one is not; one that was not replaced is refused again."""
    monkeypatch.setattr(neo4j.AsyncGraphDatabase, "driver", NewConnections)
    monkeypatch.setattr(NewConnections, "accepted", "first")
    kept = ["first"]
    database = Database("bolt://none", lambda: ("neo4j", kept[0]), database="neo4j", timeout_s=5, pool_size=1)
    assert await database.write("test", "RETURN 1") == []
    NewConnections.accepted = "second"
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await database.write("test", "RETURN 1")
    kept[0] = "second"
    with pytest.raises(UnavailableError):
        await database.write("test", "RETURN 1")
    assert await database.write("test", "RETURN 1") == []
