"""The collection `gather` as the application makes it when it is first: validator and indexes."""

from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid

from gather_contracts.names import ITEMS_COLLECTION

TEXTS: Final = (
    "projectId", "content", "summary", "context", "createdBy", "imageUrl", "documentUrl", "extractedText",
)  # fmt: skip
METADATA_TEXTS: Final = ("taskId", "department", "departmentName", "model")
VALIDATOR: Final[dict[str, Any]] = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["projectId", "content", "summary", "context", "createdAt", "createdBy"],
        "properties": {
            **{name: {"bsonType": "string"} for name in TEXTS},
            **{name: {"bsonType": "date"} for name in ("createdAt", "lastUpdated")},
            **{name: {"bsonType": "number"} for name in ("duplicateCheckScore", "iterationCount")},
            "isAutomated": {"bsonType": "bool"},
            "automationMetadata": {
                "bsonType": "object",
                "properties": {
                    **{name: {"bsonType": "string"} for name in METADATA_TEXTS},
                    **{name: {"bsonType": "number"} for name in ("iteration", "qualityScore")},
                    "basedOnNodes": {"bsonType": "array", "items": {"bsonType": "string"}},
                },
            },
        },
    }
}
"""By the facts that are known of the application; docs/items.md says the same of our notes."""
INDEXES: Final = (
    *(IndexModel([(field, ASCENDING)]) for field in (
        "projectId", "isAutomated", "automationMetadata.department", "automationMetadata.taskId",
    )),
    *(IndexModel([(field, DESCENDING)]) for field in ("lastUpdated", "createdAt")),
    IndexModel([("summary", TEXT), ("context", TEXT), ("content", TEXT)]),
)  # fmt: skip


async def make_collection(database: AsyncDatabase[dict[str, Any]]) -> bool:
    """Make the collection and its indexes where there are none, and return whether anything was made.

    A collection that exists keeps its validator; one that has indexes keeps these, too.
    """
    items = database[ITEMS_COLLECTION]
    try:
        await database.create_collection(ITEMS_COLLECTION, validator=VALIDATOR)
    except CollectionInvalid:
        if len(await items.index_information()) > 1:
            return False
    await items.create_indexes(list(INDEXES))
    return True
