"""The nodes nearest to vectors."""

from collections.abc import Mapping
from typing import Final, LiteralString

from gather_brain.store.slots import SlotName

COUNT_CANDIDATES: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId})
WHERE n.type = $type AND n[$modelProperty] = $model
WITH n LIMIT $enough
RETURN count(n) AS candidates
"""

COUNT_CANDIDATES_IN_DEPARTMENT: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId, department: $department})
WHERE n.type = $type AND n[$modelProperty] = $model
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
  WHERE n.type = $type AND n[$modelProperty] = $model AND NOT n.id IN $excluded
  WITH n, vector.similarity.cosine(n[$vectorProperty], $vectors[q]) AS score
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
  WHERE n.type = $type AND n[$modelProperty] = $model AND NOT n.id IN $excluded
  WITH n, vector.similarity.cosine(n[$vectorProperty], $vectors[q]) AS score
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

NEAREST_INDEXED_B: Final = (
    """
CYPHER 25
UNWIND range(0, size($vectors) - 1) AS q
WITH q, $vectors[q] AS vector
CALL (q, vector) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding_b FOR vector
    WHERE n.projectId = $projectId AND n.type = $type AND n.embeddingModelB = $model
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore AND NOT n.id IN $excluded
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

NEAREST_INDEXED_B_IN_DEPARTMENT: Final = (
    """
CYPHER 25
UNWIND range(0, size($vectors) - 1) AS q
WITH q, $vectors[q] AS vector
CALL (q, vector) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding_b FOR vector
    WHERE n.projectId = $projectId AND n.type = $type AND n.department = $department
      AND n.embeddingModelB = $model
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore AND NOT n.id IN $excluded
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

NEAREST_INDEXED_IN: Final[Mapping[tuple[SlotName, bool], LiteralString]] = {
    ("a", False): NEAREST_INDEXED,
    ("a", True): NEAREST_INDEXED_IN_DEPARTMENT,
    ("b", False): NEAREST_INDEXED_B,
    ("b", True): NEAREST_INDEXED_B_IN_DEPARTMENT,
}
"""By the slot and by whether only one department is searched: the name of an index cannot be a parameter."""
