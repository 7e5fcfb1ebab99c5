"""What a project holds of its departments, and what was made of it."""

from collections.abc import Mapping
from typing import Final, LiteralString

from gather_brain.embeddings.slots import SlotName
from gather_brain.store.cypher.answer_queries import UNLESS_TOO_LONG

OVERVIEW: Final = """
CYPHER 25
OPTIONAL MATCH (p:Project {projectId: $projectId})
WITH coalesce(toString(coalesce(p.changes, 0)) + '@' + p.writtenAt, '') AS version
UNWIND $departments AS wanted
WITH wanted, version, version <> '' AND version = wanted.version AS isKept
CALL (wanted, isKept) {
  UNWIND CASE WHEN isKept THEN [] ELSE [1] END AS _
  MATCH (n:Node {projectId: $projectId, department: wanted.name})
  RETURN count(n) AS nodeCount, avg(n.qualityScore) AS qualityScore, max(n.updatedAt) AS changedAt
}
OPTIONAL MATCH (d:Department {projectId: $projectId, department: wanted.name})
WHERE d.model = $model AND d.version = $version
WITH wanted, version, isKept, nodeCount, qualityScore, changedAt, d, d.fingerprint + ' ' + d.madeAt AS stamp
RETURN wanted.name AS department, version, isKept, nodeCount, qualityScore, changedAt, stamp,
       CASE WHEN stamp = wanted.stamp THEN d {.fingerprint, .madeAt, .refinedThemes, .refinedFrom}
            ELSE d {.*} END AS stored
"""
"""What the caller keeps of a department, under the project's version or the profile's stamp, is not read."""

SAMPLE: Final = """
CYPHER 25
UNWIND $departments AS department
CALL (department) {
  MATCH (n:Node {projectId: $projectId, department: department})
  WHERE n[$modelProperty] = $model
  WITH n ORDER BY n.contentHash, n.id LIMIT $limit
  RETURN collect(n.terms) AS terms, collect(n[$vectorProperty]) AS vectors
}
RETURN department, terms, vectors
"""

# Setting `profiledAt` takes the project's lock, which deleting takes too: of nodes that are deleted while a
# profile is made of them, none comes back in it.
STORE_PROFILE: Final = """
CYPHER 25
OPTIONAL MATCH (p:Project {projectId: $projectId})
SET p.profiledAt = $now
WITH p
MATCH (n:Node {projectId: $projectId, department: $department})
WITH n LIMIT 1
MERGE (d:Department {projectId: $projectId, department: $department})
SET d += $profile,
    d.model = $model,
    d.version = $version,
    d.fingerprint = $fingerprint,
    d.madeAt = $now
"""

STORE_REFINED: Final = """
CYPHER 25
MATCH (d:Department {projectId: $projectId, department: $department})
SET d.refinedThemes = $themes, d.refinedFrom = $shortlist, d.refinedAt = $now
"""

# Setting `claimedAt` takes the lock before `refineAfter` is read, so that of two replicas one claims.
CLAIM_REFINEMENT: Final = """
CYPHER 25
MATCH (d:Department {projectId: $projectId, department: $department})
SET d.claimedAt = $now
WITH d WHERE coalesce(d.refineAfter, '') <= $now
SET d.refineAfter = $until
RETURN d.department AS department
"""

_TOP_COLUMNS: Final = (
    """
WITH collect({department: department, n: n, score: score}) AS found
"""
    + UNLESS_TOO_LONG
    + """
WITH each.department AS department, each.n AS n, each.score AS score
WITH department, n.id AS id, n.content AS content, n.properties AS properties, score
ORDER BY department, score DESC, id
RETURN collect({
  department: department, id: id, content: content, properties: properties, score: score
}) AS rows
"""
)

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
"""For large departments, whose nodes may all be far from the target: there the index is only nearly right."""

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
