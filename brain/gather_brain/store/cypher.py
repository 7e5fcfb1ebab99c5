"""All Cypher of the brain, as constants: nothing a caller sends is ever part of a query, only a parameter.

Every query on nodes names `$projectId`; a test holds that. There is one label for nodes of every type, and
the type is a property, so that no label is built from input.
"""

from typing import Final, LiteralString

# --- schema

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

SCHEMA: Final[tuple[LiteralString, ...]] = (
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

# --- nodes

PROJECT_IS_KNOWN: Final = (
    "CYPHER 25 MATCH (n:Node {projectId: $projectId}) WITH n LIMIT 1 RETURN count(n) > 0 AS known"
)

# Setting `writtenAt` takes the node's lock before its revision is read, so that of two writers at once the
# higher revision stays.
WRITE_NODES: Final = """
CYPHER 25
UNWIND $rows AS row
MERGE (n:Node {projectId: $projectId, id: row.id})
ON CREATE SET n.createdAt = $now, n.createdBy = $writeId
SET n.writtenAt = $now
FOREACH (_ IN CASE WHEN row.revision >= coalesce(n.revision, 0) THEN [1] ELSE [] END |
  SET n.type = row.type,
      n.content = row.content,
      n.contentHash = row.contentHash,
      n.department = row.department,
      n.qualityScore = row.qualityScore,
      n.properties = row.properties,
      n.revision = row.revision,
      n.terms = row.terms,
      n.embedding = row.embedding,
      n.embeddingModel = $model,
      n.embeddingDimensions = $dimensions,
      n.updatedAt = $now
)
RETURN n.id AS id, n.createdBy = $writeId AS created
"""

COUNT_CANDIDATES: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId})
WHERE n.type = $type AND n.embeddingModel = $model
WITH n LIMIT $enough
RETURN count(n) AS candidates
"""

COUNT_CANDIDATES_IN_DEPARTMENT: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId, department: $department})
WHERE n.type = $type AND n.embeddingModel = $model
WITH n LIMIT $enough
RETURN count(n) AS candidates
"""

_MATCH_COLUMNS: Final = """
RETURN q, n.id AS id, n.content AS content, n.contentHash AS contentHash, n.properties AS properties,
       n.createdAt AS createdAt, score
ORDER BY q, score DESC, id
"""

NEAREST_EXACT: Final = (
    """
CYPHER 25
UNWIND range(0, size($vectors) - 1) AS q
CALL (q) {
  MATCH (n:Node {projectId: $projectId})
  WHERE n.type = $type AND n.embeddingModel = $model AND NOT n.id IN $excluded
  WITH n, vector.similarity.cosine(n.embedding, $vectors[q]) AS score
  WHERE score >= $minScore
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

NEAREST_EXACT_IN_DEPARTMENT: Final = (
    """
CYPHER 25
UNWIND range(0, size($vectors) - 1) AS q
CALL (q) {
  MATCH (n:Node {projectId: $projectId, department: $department})
  WHERE n.type = $type AND n.embeddingModel = $model AND NOT n.id IN $excluded
  WITH n, vector.similarity.cosine(n.embedding, $vectors[q]) AS score
  WHERE score >= $minScore
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

NEAREST_INDEXED: Final = (
    """
CYPHER 25
UNWIND range(0, size($vectors) - 1) AS q
WITH q, $vectors[q] AS vector
CALL (q, vector) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding FOR vector
    WHERE n.projectId = $projectId AND n.type = $type AND n.embeddingModel = $model
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore AND NOT n.id IN $excluded
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

NEAREST_INDEXED_IN_DEPARTMENT: Final = (
    """
CYPHER 25
UNWIND range(0, size($vectors) - 1) AS q
WITH q, $vectors[q] AS vector
CALL (q, vector) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding FOR vector
    WHERE n.projectId = $projectId AND n.type = $type AND n.department = $department
      AND n.embeddingModel = $model
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore AND NOT n.id IN $excluded
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

# --- departments

DEPARTMENT_VECTORS: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId, department: $department})
WHERE n.embeddingModel = $model
RETURN n.embedding AS embedding
ORDER BY n.createdAt DESC, n.id LIMIT $limit
"""

DEPARTMENTS: Final = """
CYPHER 25
UNWIND $departments AS department
CALL (department) {
  MATCH (n:Node {projectId: $projectId, department: department})
  RETURN count(n) AS nodeCount, avg(n.qualityScore) AS qualityScore
}
CALL (department) {
  MATCH (n:Node {projectId: $projectId, department: department})
  WITH n ORDER BY n.createdAt DESC, n.id LIMIT $termNodes
  RETURN collect(n.terms) AS terms
}
RETURN department, nodeCount, qualityScore, terms
"""

_TOP_COLUMNS: Final = """
RETURN department, n.id AS id, n.content AS content, n.properties AS properties, score
ORDER BY department, score DESC, id
"""

TOP_EXACT: Final = (
    """
CYPHER 25
UNWIND $departments AS department
CALL (department) {
  MATCH (n:Node {projectId: $projectId, department: department})
  WHERE n.embeddingModel = $model
  WITH n, vector.similarity.cosine(n.embedding, $target) AS score
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _TOP_COLUMNS
)

TOP_INDEXED: Final = (
    """
CYPHER 25
UNWIND $departments AS department
CALL (department) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding FOR $target
    WHERE n.projectId = $projectId AND n.department = department AND n.embeddingModel = $model
    LIMIT $overfetch
  ) SCORE AS score
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _TOP_COLUMNS
)
"""For large departments; ranks by a distant target, where the index is only nearly right (it overfetches)."""

# --- keys

CREATE_KEY: Final = """
CYPHER 25
CREATE (k:ApiKey {id: $id, name: $name, sha256: $sha256, projects: $projects, createdAt: $now})
"""
FIND_KEY: Final = """
CYPHER 25
MATCH (k:ApiKey {sha256: $sha256}) WHERE k.revokedAt IS NULL
RETURN k.id AS id, k.name AS name, k.sha256 AS sha256, k.projects AS projects
"""
LIST_KEYS: Final = """
CYPHER 25
MATCH (k:ApiKey)
RETURN k.id AS id, k.name AS name, k.projects AS projects, k.createdAt AS createdAt, k.revokedAt AS revokedAt
ORDER BY k.createdAt, k.id
"""
REVOKE_KEY: Final = """
CYPHER 25
MATCH (k:ApiKey {id: $id})
SET k.revokedAt = coalesce(k.revokedAt, $now)
RETURN k.id AS id
"""
