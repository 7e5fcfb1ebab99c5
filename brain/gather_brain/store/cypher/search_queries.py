"""The nodes nearest to vectors."""

from collections.abc import Mapping
from typing import Final, LiteralString

from gather_brain.embeddings.slots import SlotName
from gather_brain.store.cypher.answer_queries import LENGTH, UNLESS_TOO_LONG

_MATCH_COLUMNS: Final = (
    """
WITH collect({q: q, n: n, score: score}) AS found
"""
    + UNLESS_TOO_LONG
    + """
WITH each.q AS q, each.n AS n, each.score AS score
WITH q, n.id AS id, n.content AS content, n.properties AS properties, n.createdAt AS createdAt, score
ORDER BY q, score DESC, id
RETURN collect({
  q: q, id: id, content: content, properties: properties, createdAt: createdAt, score: score
}) AS rows
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

_WITH_CANDIDATES: Final = (
    """
  WITH n LIMIT $enough
  RETURN count(n) AS candidates
}
WITH candidates, candidates > 0 OR EXISTS { MATCH (n:Node {projectId: $projectId}) } AS known, found,
"""
    + LENGTH
    + """
WITH candidates, known, length > $lengthMax AS isTooLong, found
RETURN candidates, known, isTooLong, CASE WHEN isTooLong THEN [] ELSE
  [each IN found | {
    q: each.q, id: each.n.id, content: each.n.content, properties: each.n.properties,
    createdAt: each.n.createdAt, score: 1.0
  }] END AS same
"""
)

LOOK_UP: Final = (
    """
CYPHER 25
CALL () {
  UNWIND range(0, size($hashes) - 1) AS q
  CALL (q) {
    MATCH (n:Node {projectId: $projectId, contentHash: $hashes[q]})
    WHERE n.type = $type AND n[$modelProperty] = $model AND NOT n.id IN $excluded
    RETURN n ORDER BY n.id LIMIT $limit
  }
  RETURN collect({q: q, n: n}) AS found
}
CALL () {
  MATCH (n:Node {projectId: $projectId})
  WHERE n.type = $type AND n[$modelProperty] = $model
"""
    + _WITH_CANDIDATES
)
"""The nodes of the same texts, and how many of all may be found, in one trip: neither needs the vectors."""

LOOK_UP_IN_DEPARTMENT: Final = (
    """
CYPHER 25
CALL () {
  UNWIND range(0, size($hashes) - 1) AS q
  CALL (q) {
    MATCH (n:Node {projectId: $projectId, contentHash: $hashes[q]})
    WHERE n.department = $department AND n.type = $type AND n[$modelProperty] = $model
      AND NOT n.id IN $excluded
    RETURN n ORDER BY n.id LIMIT $limit
  }
  RETURN collect({q: q, n: n}) AS found
}
CALL () {
  MATCH (n:Node {projectId: $projectId, department: $department})
  WHERE n.type = $type AND n[$modelProperty] = $model
"""
    + _WITH_CANDIDATES
)

_EARLIER_SAME_TEXT: Final = """
CYPHER 25
UNWIND $ids AS id
MATCH (o:Node {projectId: $projectId, id: id})
OPTIONAL CALL (o) {
  MATCH (n:Node {projectId: $projectId, contentHash: o.contentHash})
  WHERE n.type = o.type AND n.serial < o.serial
  RETURN n.id AS same ORDER BY n.serial LIMIT 1
}
"""
"""The first that says the same is the nearest, whatever the vectors say; only without one do they count."""

_EARLIER_COLUMNS: Final = """
WITH id, coalesce(same, near) AS earlier, same IS NOT NULL AS isSame, score WHERE earlier IS NOT NULL
RETURN collect({
  id: id, earlier: earlier, isSame: isSame, score: CASE WHEN isSame THEN 1.0 ELSE score END
}) AS rows
"""

EARLIER: Final = (
    _EARLIER_SAME_TEXT
    + """
WITH id, same, o.type AS type, o.serial AS serial,
     CASE WHEN same IS NULL AND o.embeddingModel = $model THEN o.embedding END AS vector
OPTIONAL CALL (type, serial, vector) {
  UNWIND CASE WHEN vector IS NULL THEN [] ELSE [1] END AS _
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding FOR vector
    WHERE n.projectId = $projectId AND n.type = type AND n.embeddingModel = $model AND n.serial < serial
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore
  RETURN n.id AS near, score ORDER BY score DESC, n.serial LIMIT 1
}
"""
    + _EARLIER_COLUMNS
)

EARLIER_B: Final = (
    _EARLIER_SAME_TEXT
    + """
WITH id, same, o.type AS type, o.serial AS serial,
     CASE WHEN same IS NULL AND o.embeddingModelB = $model THEN o.embeddingB END AS vector
OPTIONAL CALL (type, serial, vector) {
  UNWIND CASE WHEN vector IS NULL THEN [] ELSE [1] END AS _
  MATCH (n:Node)
  SEARCH n IN (
    VECTOR INDEX node_embedding_b FOR vector
    WHERE n.projectId = $projectId AND n.type = type AND n.embeddingModelB = $model AND n.serial < serial
    LIMIT $overfetch
  ) SCORE AS score
  WITH n, score WHERE score >= $minScore
  RETURN n.id AS near, score ORDER BY score DESC, n.serial LIMIT 1
}
"""
    + _EARLIER_COLUMNS
)

LOOK_UP_IN: Final[Mapping[bool, LiteralString]] = {False: LOOK_UP, True: LOOK_UP_IN_DEPARTMENT}
NEAREST_EXACT_IN: Final[Mapping[bool, LiteralString]] = {
    False: NEAREST_EXACT,
    True: NEAREST_EXACT_IN_DEPARTMENT,
}
"""By whether only one department is searched."""
EARLIER_IN: Final[Mapping[SlotName, LiteralString]] = {"a": EARLIER, "b": EARLIER_B}
