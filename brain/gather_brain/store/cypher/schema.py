"""Constraints and indexes."""

from typing import Final, LiteralString

NODE_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT node_identity IF NOT EXISTS
FOR (n:Node) REQUIRE (n.projectId, n.id) IS UNIQUE
"""
"""Per project, so that one tenant can neither probe nor overwrite another's ids."""
NODE_PROJECT: Final = "CYPHER 25 CREATE INDEX node_project IF NOT EXISTS FOR (n:Node) ON (n.projectId)"
NODE_DEPARTMENT: Final = (
    "CYPHER 25 CREATE INDEX node_department IF NOT EXISTS FOR (n:Node) ON (n.projectId, n.department)"
)
KEY_HASH: Final = (
    "CYPHER 25 CREATE CONSTRAINT api_key_hash IF NOT EXISTS FOR (k:ApiKey) REQUIRE k.sha256 IS UNIQUE"
)
KEY_ID: Final = "CYPHER 25 CREATE CONSTRAINT api_key_id IF NOT EXISTS FOR (k:ApiKey) REQUIRE k.id IS UNIQUE"

NODE_EMBEDDING: Final = """
CYPHER 25
CREATE VECTOR INDEX node_embedding IF NOT EXISTS FOR (n:Node) ON n.embedding
WITH [n.projectId, n.type, n.department, n.embeddingModel]
OPTIONS {indexConfig: {
  `vector.dimensions`: $dimensions,
  `vector.similarity_function`: 'cosine',
  `vector.quantization.enabled`: false
}}
"""
"""Only properties named here are filtered inside the index; a filter after it would starve small projects.

Quantization is off: at this size it saves little, and it can change which neighbours are found.
"""

STATEMENTS: Final[tuple[LiteralString, ...]] = (
    NODE_IDENTITY,
    NODE_PROJECT,
    NODE_DEPARTMENT,
    KEY_HASH,
    KEY_ID,
    NODE_EMBEDDING,
)

INDEX_STATE: Final = """
CYPHER 25
SHOW VECTOR INDEXES YIELD name, state, options WHERE name = 'node_embedding'
RETURN state, options.indexConfig['vector.dimensions'] AS dimensions
"""
