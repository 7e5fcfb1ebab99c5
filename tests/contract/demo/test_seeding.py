"""Seeding the example project into a real MongoDB: as the application makes it, and once however often."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import WriteError

from gather_contracts import names
from gather_demo.seed.__main__ import seed_mongodb
from gather_demo.seed.application_collection import VALIDATOR
from gather_demo.seed.project import Project, read_project
from tests.support.application_documents import gather_item, person_note

INDEXED = {
    "_id", "projectId", "lastUpdated", "createdAt", "isAutomated", "automationMetadata.department",
    "automationMetadata.taskId", "_fts",
}  # fmt: skip


@pytest.fixture
def project() -> Project:
    """The example project under an id of this test's own."""
    return read_project().model_copy(update={"project_id": secrets.token_hex(12)})


@pytest.fixture
def database(mongodb_uri: str, project: Project) -> Iterator[Database[dict[str, Any]]]:
    """The project's database."""
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        name = names.gather_database(project.project_id)
        yield client[name]
        client.drop_database(name)


async def test_the_collection_is_as_the_application_makes_it(
    mongodb_uri: str, project: Project, database: Database[dict[str, Any]]
) -> None:
    """Its validator refuses what is no note, takes all that are, Gather's too; its indexes are there."""
    assert await seed_mongodb(mongodb_uri, project) == len(project.notes)
    items = database[names.ITEMS_COLLECTION]
    assert {next(iter(index["key"])) for index in items.list_indexes()} == INDEXED
    with pytest.raises(WriteError, match="failed validation"):
        items.insert_one({"projectId": project.project_id, "content": "no author"})
    items.insert_one(person_note(project.project_id))
    ours = gather_item(str(ObjectId()), project.project_id).model_dump(by_alias=True, exclude_none=True)
    items.insert_one(ours | {"_id": ObjectId()})
    assert items.count_documents({"$nor": [VALIDATOR]}) == 0


async def test_a_second_time_writes_the_same(
    mongodb_uri: str, project: Project, database: Database[dict[str, Any]]
) -> None:
    """The Job may be killed between any two steps."""
    database.create_collection(names.ITEMS_COLLECTION, validator=VALIDATOR)  # and killed before the indexes
    await seed_mongodb(mongodb_uri, project)
    assert await seed_mongodb(mongodb_uri, project) == 0
    items = database[names.ITEMS_COLLECTION]
    assert items.count_documents({}) == len(project.notes)
    assert len(items.index_information()) == len(INDEXED)


async def test_a_collection_of_somebody_else_s_is_left_alone(
    mongodb_uri: str, project: Project, database: Database[dict[str, Any]]
) -> None:
    """Neither a validator nor indexes are put on it."""
    items = database[names.ITEMS_COLLECTION]
    items.create_index("canon")
    await seed_mongodb(mongodb_uri, project)
    assert len(items.index_information()) == 2
    (found,) = database.list_collections(filter={"name": names.ITEMS_COLLECTION})
    assert "validator" not in found["options"]


async def test_the_project_has_a_note_of_each_kind(
    mongodb_uri: str, project: Project, database: Database[dict[str, Any]]
) -> None:
    """Notes without a department, one that is settled, and one that is not canon."""
    await seed_mongodb(mongodb_uri, project)
    items = database[names.ITEMS_COLLECTION]
    assert items.count_documents({"department": {"$exists": False}}) == 6
    assert items.count_documents({"locked": True}) == 1
    assert items.count_documents({"canon": False}) == 1
