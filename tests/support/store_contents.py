"""All that stands in the stores, so that before and after can be compared."""

from typing import Any, Final

import neo4j
import redis
from pymongo import MongoClient

from gather_contracts.names import EVENT_LOG_PROBE
from tests.support.worker_harness import Services

MONGODB_S_OWN = frozenset({"admin", "config", "local"})


DERIVED: Final = frozenset({"Department"})
"""Nodes that the brain makes again out of a project's notes, also when it is only asked for context."""
DERIVED_AT: Final = "profiledAt"


def store_contents(services: Services, mongodb: MongoClient[dict[str, Any]]) -> dict[str, Any]:
    """Return every document and index, every node and relation, and every key with its value.

    Without what the brain derives from the notes by itself; that a project was written to shows in its
    `serial` and `writtenAt`. `mongodb` is opened by somebody who may read everything.
    """
    return {**_mongodb(mongodb), **_neo4j(services), **_redis(services)}


def _mongodb(client: MongoClient[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for database in sorted(set(client.list_database_names()) - MONGODB_S_OWN):
        for name in sorted(client[database].list_collection_names()):
            collection = client[database][name]
            found[f"{database}/{name} indexes"] = collection.index_information()
            found |= {f"{database}/{name}/{document['_id']}": document for document in collection.find()}
    return found


def _neo4j(services: Services) -> dict[str, Any]:
    nodes = "MATCH (n) RETURN elementId(n) AS id, labels(n) AS kind, properties(n) AS properties"
    relations = "MATCH ()-[r]->() RETURN elementId(r) AS id, [type(r)] AS kind, properties(r) AS properties"
    found: dict[str, Any] = {}
    with neo4j.GraphDatabase.driver(services.neo4j_uri, auth=None) as driver:
        for query in (nodes, relations):
            for record in driver.execute_query(query).records:
                kept = {name: value for name, value in record["properties"].items() if name != DERIVED_AT}
                if DERIVED.isdisjoint(record["kind"]):
                    found[f"neo4j/{record['id']}"] = (record["kind"], kept)
    return found


def _redis(services: Services) -> dict[str, Any]:
    with redis.Redis.from_url(services.redis_url) as client:
        keys: Any = client.keys("*")
        # A bridge's readiness writes the probe, which goes by itself.
        kept = [key for key in sorted(keys) if key.decode("utf-8", "replace") != EVENT_LOG_PROBE]
        return {f"redis/{key!r}": client.dump(key) for key in kept}
