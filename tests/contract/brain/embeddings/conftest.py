"""A Neo4j apart from the session's, for tests that change the plan by which all nodes have their vectors."""

from collections.abc import Iterator

import neo4j
import pytest

from dev.artefacts.store_binaries import StoreArtefacts
from dev.service_process import ServiceProcess
from dev.stores import running

CONSTRAINTS = "SHOW CONSTRAINTS YIELD name"
INDEXES = "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"


@pytest.fixture(scope="session")
def changing_neo4j(store_artefacts: StoreArtefacts) -> Iterator[ServiceProcess]:
    """One for all of them, since it takes a core 10 s to start."""
    with running("neo4j", store_artefacts, is_short_lived=True) as store:
        yield store


@pytest.fixture
def own_neo4j(changing_neo4j: ServiceProcess) -> ServiceProcess:
    """The same, as empty as a new one: without a node, a constraint or an index but Neo4j's own."""
    with neo4j.GraphDatabase.driver(changing_neo4j.uri, notifications_min_severity="OFF") as driver:
        driver.execute_query("MATCH (n) DETACH DELETE n")
        for kind, shown in (("CONSTRAINT", CONSTRAINTS), ("INDEX", INDEXES)):
            for record in driver.execute_query(shown).records:
                driver.execute_query(f"DROP {kind} `{record['name']}`")
        left = driver.execute_query("SHOW INDEXES YIELD type RETURN DISTINCT type").records
        assert [record["type"] for record in left] == ["LOOKUP"]
    return changing_neo4j
