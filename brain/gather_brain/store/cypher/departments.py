"""What a project holds of its departments."""

from collections.abc import Mapping
from typing import Final, LiteralString

from gather_brain.store.slots import SlotName

DEPARTMENT_VECTORS: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId, department: $department})
WHERE n[$modelProperty] = $model
RETURN n[$vectorProperty] AS embedding
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
  WHERE n[$modelProperty] = $model
  WITH n, vector.similarity.cosine(n[$vectorProperty], $target) AS score
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

TOP_INDEXED_B: Final = (
    """
CYPHER 25
UNWIND $departments AS department
CALL (department) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding_b FOR $target
    WHERE n.projectId = $projectId AND n.department = department AND n.embeddingModelB = $model
    LIMIT $overfetch
  ) SCORE AS score
  RETURN n, score ORDER BY score DESC, n.id LIMIT $limit
}
"""
    + _TOP_COLUMNS
)

TOP_INDEXED_IN: Final[Mapping[SlotName, LiteralString]] = {"a": TOP_INDEXED, "b": TOP_INDEXED_B}
