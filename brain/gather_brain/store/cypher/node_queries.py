"""Writing a project's nodes."""

from typing import Final

from gather_brain.store.cypher.embedding_queries import TAKE_LOCK

PROJECT_IS_KNOWN: Final = (
    "CYPHER 25 MATCH (n:Node {projectId: $projectId}) WITH n LIMIT 1 RETURN count(n) > 0 AS known"
)

# Setting `writtenAt` takes the project's lock until the commit, so that a project's batches are written one
# after the other and its nodes are numbered in the order of their commits: of two nodes that say the same,
# the second finds the first, and both know which is which. The number goes with what the node says,
# so that a batch that is sent again changes nothing. The node's own lock, likewise, is taken before its
# revision is read, so that of two writers at once the higher revision stays. `changes` says with
# `writtenAt` that what was read of the project before is no longer so. What superseded nodes keep is
# counted before it leaves Neo4j, as in other answers.
WRITE_NODES: Final = (
    TAKE_LOCK
    + """
MERGE (p:Project {projectId: $projectId})
SET p.writtenAt = $now
SET p.serial = coalesce(p.serial, 0) + size($rows), p.changes = coalesce(p.changes, 0) + 1
WITH isForA, isForB, p.serial - size($rows) AS first
UNWIND $rows AS row
MERGE (n:Node {projectId: $projectId, id: row.id})
ON CREATE SET n.createdAt = $now, n.createdBy = $writeId
SET n.writtenAt = $now
WITH isForA, isForB, first, row, n, n.department AS departmentBefore
FOREACH (_ IN CASE WHEN row.revision >= coalesce(n.revision, 0) THEN [1] ELSE [] END |
  SET n.serial = CASE
        WHEN n.contentHash = row.contentHash AND n.type = row.type AND n.serial IS NOT NULL THEN n.serial
        ELSE first + row.position
      END,
      n.type = row.type,
      n.content = row.content,
      n.contentHash = row.contentHash,
      n.contentSha256 = row.contentSha256,
      n.department = row.department,
      n.qualityScore = row.qualityScore,
      n.properties = row.properties,
      n.revision = row.revision,
      n.terms = row.terms,
      n.embedding = CASE WHEN isForA THEN toFloatList(row.vectorA) END,
      n.embeddingModel = CASE WHEN isForA THEN $modelA END,
      n.embeddingDimensions = CASE WHEN isForA THEN $dimensionsA END,
      n.embeddingB = CASE WHEN isForB THEN toFloatList(row.vectorB) END,
      n.embeddingModelB = CASE WHEN isForB THEN $modelB END,
      n.embeddingDimensionsB = CASE WHEN isForB THEN $dimensionsB END,
      n.updatedAt = $now
)
FOREACH (_ IN CASE WHEN n.type = 'GatherItem' THEN [1] ELSE [] END | SET n:GatherItem)
FOREACH (_ IN CASE WHEN n.type = 'GatherItem' THEN [] ELSE [1] END | REMOVE n:GatherItem)
WITH collect({n: n, departmentBefore: departmentBefore, applied: n.revision = row.revision}) AS written
WITH written, reduce(length = 0, each IN written |
  CASE WHEN each.applied OR length > $keptMax THEN length
       ELSE length + size(each.n.properties) END) AS keptLength
UNWIND written AS each
WITH each.n AS n, each.departmentBefore AS departmentBefore, each.applied AS applied, keptLength
RETURN collect({
  id: n.id, created: n.createdBy = $writeId, revision: n.revision, departmentBefore: departmentBefore,
  applied: applied,
  keptType: CASE WHEN applied THEN null ELSE n.type END,
  keptProperties: CASE WHEN applied OR keptLength > $keptMax THEN null ELSE n.properties END
}) AS rows
"""
)
