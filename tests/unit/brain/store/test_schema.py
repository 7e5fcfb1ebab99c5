"""What the schema's statements promise without a Neo4j."""

import re
from typing import Any

import pytest

from gather_brain.store.cypher import schema_queries
from gather_brain.store.database import Database, Record

SOUND = {"state": "ONLINE", "dimensions": 384, "properties": ["embedding", *sorted(schema_queries.FILTERED)]}


class FoundIndex(Database):
    """A database whose vector index is in a state; remembers what is written."""

    def __init__(self, found: list[Record]) -> None:
        super().__init__("bolt://localhost:1", None, database="neo4j", timeout_s=1, pool_size=1)
        self.found = found
        self.written: list[str] = []

    async def read(self, *_: Any, **__: Any) -> list[Record]:
        """Return the index."""
        return self.found

    async def _write(self, _: str, query: Any, *__: Any) -> list[Record]:
        self.written.append(query)
        return []


def test_every_constraint_is_named_whose_index_may_be_left() -> None:
    """Else a brain never becomes ready after its making was broken off."""
    made = re.findall(r"CREATE CONSTRAINT (\w+)", " ".join(schema_queries.STATEMENTS))
    assert set(made) == set(schema_queries.CONSTRAINTS)


@pytest.mark.parametrize(
    ("found", "is_dropped"),
    [
        ([], False),
        ([SOUND], False),
        ([SOUND | {"state": "POPULATING"}], False),
        ([SOUND | {"state": "FAILED"}], True),
        ([SOUND | {"dimensions": 48}], True),
        ([SOUND | {"properties": ["embedding"]}], True),
    ],
)
async def test_a_vector_index_that_cannot_serve_is_replaced(found: list[Record], *, is_dropped: bool) -> None:
    """One that is being built is waited for; a failed one stays failed."""
    database = FoundIndex(found)
    await database.prepare_vectors("a", 384)
    await database.close()
    dropped = [schema_queries.DROP_INDEX["a"]] if is_dropped else []
    assert database.written == [*dropped, schema_queries.CREATE_INDEX["a"]]
