"""What Neo4j refuses is tried again, since a password may be replaced, and said by the setting's name."""

import pytest
from neo4j.exceptions import Neo4jError, ServiceUnavailable

from gather_brain.store.database import is_temporary, refusal_of


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("Neo.ClientError.Security.Unauthorized", "NEO4J_PASSWORD"),
        ("Neo.ClientError.Security.AuthenticationRateLimit", "NEO4J_PASSWORD too often"),
        ("Neo.ClientError.Security.CredentialsExpired", "changed first"),
        ("Neo.ClientError.Security.Forbidden", "NEO4J_USER may not"),
        ("Neo.ClientError.Database.DatabaseNotFound", "GATHER_BRAIN_NEO4J_DATABASE"),
    ],
)
def test_a_refusal_names_its_setting(code: str, said: str) -> None:
    """None of the server's own words, which may hold an address."""
    failure = Neo4jError._hydrate_neo4j(code=code, message="host neo4j.internal says no")
    assert said in refusal_of(failure)
    assert "internal" not in refusal_of(failure)
    assert is_temporary(failure)


@pytest.mark.parametrize(
    "failure", [ServiceUnavailable("gone"), TimeoutError(), None], ids=["gone", "slow", "nothing"]
)
def test_an_absence_is_no_refusal(failure: Exception | None) -> None:
    """Nothing is to be changed."""
    assert refusal_of(failure) == ""
