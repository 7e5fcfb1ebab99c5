"""The queries of a change of model: the only ones that look at nodes of more than one project.

Those that cross projects name no content: `CROSSING` lists them, and a test holds it complete.
"""

from typing import Final

NEXT_PROJECT: Final = """
CYPHER 25
MATCH (n:Node) WHERE n.projectId > $after
RETURN n.projectId AS project ORDER BY n.projectId LIMIT 1
"""
COUNT_NODES: Final = "CYPHER 25 MATCH (n:Node) RETURN count(n) AS nodes"
COUNT_FILLED: Final = """
CYPHER 25
MATCH (n:Node) WHERE n[$modelProperty] = $model
RETURN count(n) AS nodes
"""
COMMONEST_MODEL: Final = """
CYPHER 25
MATCH (n:Node)
RETURN n.embeddingModel AS model, n.embeddingDimensions AS dimensions, count(*) AS nodes
ORDER BY nodes DESC, model LIMIT 1
"""
CROSSING: Final = (NEXT_PROJECT, COUNT_NODES, COUNT_FILLED, COMMONEST_MODEL)

PAGE: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId}) WHERE n.id > $after
WITH n ORDER BY n.projectId, n.id LIMIT $limit
RETURN collect({
  id: n.id,
  content: CASE WHEN n[$modelProperty] = $model AND n[$vectorProperty] IS NOT NULL THEN null
                ELSE n.content END
}) AS rows
"""
"""In the order of the index behind the constraint, so that a page costs the same wherever it is."""

FILL: Final = """
CYPHER 25
MATCH (l:EmbeddingsGate {id: $lock})
SET l.passedAt = $now
WITH l
MATCH (e:Embeddings {id: 'embeddings'})
WHERE e.otherModel = $model AND e.activeSlot <> $slot
UNWIND $rows AS row
MATCH (n:Node {projectId: $projectId, id: row.id})
SET n.embeddedAt = $now
WITH n, row WHERE n.content = row.content
SET n[$vectorProperty] = toFloatList(row.vector),
    n[$modelProperty] = $model,
    n[$dimensionsProperty] = $dimensions
RETURN count(n) AS filled
"""
"""Setting `embeddedAt` takes the node's lock before its content is compared: a vector of content that has
been replaced meanwhile is not written. Nor is any for which the state has no place any more: another command
may have given the change up."""

CLEAR: Final = """
CYPHER 25
MATCH (n:Node {projectId: $projectId}) WHERE n.id > $after
WITH n ORDER BY n.projectId, n.id LIMIT $limit
SET n[$vectorProperty] = null, n[$modelProperty] = null, n[$dimensionsProperty] = null
RETURN collect({id: n.id}) AS rows
"""
