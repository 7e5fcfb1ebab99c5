"""The nodes nearest to vectors."""

from collections.abc import Mapping
from typing import Final, LiteralString

from gather_brain.embeddings.slots import SlotName
from gather_brain.store.cypher.answer_queries import UNLESS_TOO_LONG

_KNOWN: Final = """
WITH n LIMIT $enough
WITH count(n) AS candidates
RETURN candidates, candidates > 0 OR EXISTS { MATCH (n:Node {projectId: $projectId}) } AS known
"""

COUNT_CANDIDATES: Final = (
    """
CYPHER 25
MATCH (n:Node {projectId: $projectId})
WHERE n.type = $type AND n[$modelProperty] = $model
"""
    + _KNOWN
)

COUNT_CANDIDATES_IN_DEPARTMENT: Final = (
    """
CYPHER 25
MATCH (n:Node {projectId: $projectId, department: $department})
WHERE n.type = $type AND n[$modelProperty] = $model
"""
    + _KNOWN
)

_MATCH_COLUMNS: Final = (
    """
WITH collect({q: q, n: n, score: score}) AS found
"""
    + UNLESS_TOO_LONG
    + """
WITH each.q AS q, each.n AS n, each.score AS score
RETURN q, n.id AS id, n.content AS content, n.properties AS properties, n.createdAt AS createdAt, score
ORDER BY q, score DESC, id
"""
)

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

SAME_TEXT: Final = (
    """
CYPHER 25
UNWIND range(0, size($hashes) - 1) AS q
CALL (q) {
  MATCH (n:Node {projectId: $projectId, contentHash: $hashes[q]})
  WHERE n.type = $type AND n[$modelProperty] = $model AND NOT n.id IN $excluded
  RETURN n, 1.0 AS score ORDER BY n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

SAME_TEXT_IN_DEPARTMENT: Final = (
    """
CYPHER 25
UNWIND range(0, size($hashes) - 1) AS q
CALL (q) {
  MATCH (n:Node {projectId: $projectId, contentHash: $hashes[q]})
  WHERE n.department = $department AND n.type = $type AND n[$modelProperty] = $model
    AND NOT n.id IN $excluded
  RETURN n, 1.0 AS score ORDER BY n.id LIMIT $limit
}
"""
    + _MATCH_COLUMNS
)

EARLIER: Final = """
CYPHER 25
UNWIND $ids AS id
MATCH (o:Node {projectId: $projectId, id: id})
WHERE o.embeddingModel = $model
WITH id, o.type AS type, o.serial AS serial, o.embedding AS vector
CALL (type, serial, vector) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding FOR vector
    WHERE n.projectId = $projectId AND n.type = type AND n.embeddingModel = $model AND n.serial < serial
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore
  RETURN n.id AS earlier, score ORDER BY score DESC, n.serial LIMIT 1
}
RETURN id, earlier, score
"""

EARLIER_B: Final = """
CYPHER 25
UNWIND $ids AS id
MATCH (o:Node {projectId: $projectId, id: id})
WHERE o.embeddingModelB = $model
WITH id, o.type AS type, o.serial AS serial, o.embeddingB AS vector
CALL (type, serial, vector) {
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding_b FOR vector
    WHERE n.projectId = $projectId AND n.type = type AND n.embeddingModelB = $model AND n.serial < serial
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore
  RETURN n.id AS earlier, score ORDER BY score DESC, n.serial LIMIT 1
}
RETURN id, earlier, score
"""

EARLIER_SAME_TEXT: Final = """
CYPHER 25
UNWIND $ids AS id
MATCH (o:Node {projectId: $projectId, id: id})
CALL (o) {
  MATCH (n:Node {projectId: $projectId, contentHash: o.contentHash})
  WHERE n.type = o.type AND n.serial < o.serial
  RETURN n.id AS earlier ORDER BY n.serial LIMIT 1
}
RETURN id, earlier, 1.0 AS score
"""

COUNT_CANDIDATES_IN: Final[Mapping[bool, LiteralString]] = {
    False: COUNT_CANDIDATES,
    True: COUNT_CANDIDATES_IN_DEPARTMENT,
}
NEAREST_EXACT_IN: Final[Mapping[bool, LiteralString]] = {
    False: NEAREST_EXACT,
    True: NEAREST_EXACT_IN_DEPARTMENT,
}
SAME_TEXT_IN: Final[Mapping[bool, LiteralString]] = {False: SAME_TEXT, True: SAME_TEXT_IN_DEPARTMENT}
"""By whether only one department is searched."""
EARLIER_IN: Final[Mapping[SlotName, LiteralString]] = {"a": EARLIER, "b": EARLIER_B}
