"""Constraints and indexes."""

from collections.abc import Mapping
from typing import Final, LiteralString

from gather_brain.embeddings.slots import SlotName
from gather_brain.store.cypher.embedding_queries import LOCK_IDENTITY, STATE_IDENTITY

NODE_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT node_identity IF NOT EXISTS
FOR (n:Node) REQUIRE (n.projectId, n.id) IS UNIQUE
"""
"""Per project, so that one tenant can neither probe nor overwrite another's ids."""
NODE_PROJECT: Final = "CYPHER 25 CREATE INDEX node_project IF NOT EXISTS FOR (n:Node) ON (n.projectId)"
NODE_DEPARTMENT: Final = (
    "CYPHER 25 CREATE INDEX node_department IF NOT EXISTS FOR (n:Node) ON (n.projectId, n.department)"
)
NODE_TEXT: Final = (
    "CYPHER 25 CREATE INDEX node_text IF NOT EXISTS FOR (n:Node) ON (n.projectId, n.contentHash)"
)
PROJECT_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT project_identity IF NOT EXISTS FOR (p:Project) REQUIRE p.projectId IS UNIQUE
"""
DEPARTMENT_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT department_identity IF NOT EXISTS
FOR (d:Department) REQUIRE (d.projectId, d.department) IS UNIQUE
"""
KEY_HASH: Final = (
    "CYPHER 25 CREATE CONSTRAINT api_key_hash IF NOT EXISTS FOR (k:ApiKey) REQUIRE k.sha256 IS UNIQUE"
)
KEY_ID: Final = "CYPHER 25 CREATE CONSTRAINT api_key_id IF NOT EXISTS FOR (k:ApiKey) REQUIRE k.id IS UNIQUE"

NODE_EMBEDDING: Final = """
CYPHER 25
CREATE VECTOR INDEX node_embedding IF NOT EXISTS FOR (n:Node) ON n.embedding
WITH [n.projectId, n.type, n.department, n.embeddingModel, n.serial]
OPTIONS {indexConfig: {
  `vector.dimensions`: $dimensions,
  `vector.similarity_function`: 'cosine',
  `vector.quantization.enabled`: false
}}
"""
"""Only properties named here are filtered inside the index; a filter after it would starve small projects.

Quantization is off: at this size it saves little, and it can change which neighbours are found.
"""
NODE_EMBEDDING_B: Final = """
CYPHER 25
CREATE VECTOR INDEX node_embedding_b IF NOT EXISTS FOR (n:Node) ON n.embeddingB
WITH [n.projectId, n.type, n.department, n.embeddingModelB, n.serial]
OPTIONS {indexConfig: {
  `vector.dimensions`: $dimensions,
  `vector.similarity_function`: 'cosine',
  `vector.quantization.enabled`: false
}}
"""
FILTERED: Final = frozenset({"projectId", "type", "department", "serial"})
"""An index made before one of these was filtered is replaced."""
CREATE_INDEX: Final[Mapping[SlotName, LiteralString]] = {"a": NODE_EMBEDDING, "b": NODE_EMBEDDING_B}
DROP_INDEX: Final[Mapping[SlotName, LiteralString]] = {
    "a": "CYPHER 25 DROP INDEX node_embedding IF EXISTS",
    "b": "CYPHER 25 DROP INDEX node_embedding_b IF EXISTS",
}
INDEX_NAME: Final[Mapping[SlotName, str]] = {"a": "node_embedding", "b": "node_embedding_b"}

CONSTRAINTS: Final = (
    "node_identity",
    "project_identity",
    "department_identity",
    "api_key_hash",
    "api_key_id",
    "embeddings_identity",
    "embeddings_gate_identity",
)
LEFT_OF_CONSTRAINTS: Final = """
CYPHER 25
SHOW INDEXES YIELD name, state, owningConstraint
WHERE name IN $names AND owningConstraint IS NULL AND state <> 'POPULATING'
RETURN name
"""
"""Indexes of constraints that there are not; with one of these the constraint cannot be made. While another
replica makes it, its index is populating."""
DROP_NAMED_INDEX: Final = "CYPHER 25 DROP INDEX $name IF EXISTS"

STATEMENTS: Final[tuple[LiteralString, ...]] = (
    NODE_IDENTITY,
    NODE_PROJECT,
    NODE_DEPARTMENT,
    NODE_TEXT,
    PROJECT_IDENTITY,
    DEPARTMENT_IDENTITY,
    KEY_HASH,
    KEY_ID,
    STATE_IDENTITY,
    LOCK_IDENTITY,
)

INDEX_STATE: Final = """
CYPHER 25
SHOW VECTOR INDEXES YIELD name, state, populationPercent, properties, options WHERE name = $name
RETURN state, populationPercent, properties, options.indexConfig['vector.dimensions'] AS dimensions
"""
