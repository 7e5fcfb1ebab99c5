"""Deleting a project's nodes, and all of a project.

Each takes the project's lock first, as a write of nodes does, so that neither sees half of the other and no
profile is stored of nodes that are being deleted. A lock of the embedding plan is not taken: what is deleted
has no vector that could be of the wrong model. What removes nodes counts `changes`, as a write does.
"""

from typing import Final

DELETE_NODES: Final = """
CYPHER 25
MERGE (p:Project {projectId: $projectId})
SET p.writtenAt = $now
SET p.changes = coalesce(p.changes, 0) + 1
WITH p
UNWIND $ids AS id
MATCH (n:Node {projectId: $projectId, id: id})
WITH n, n.department AS department
DETACH DELETE n
WITH count(*) AS deleted, collect(DISTINCT department) AS departments
CALL (departments) {
  UNWIND departments AS department
  MATCH (d:Department {projectId: $projectId, department: department})
  WHERE NOT EXISTS { MATCH (n:Node {projectId: $projectId, department: department}) }
  DETACH DELETE d
  RETURN count(*) AS emptied
}
RETURN deleted, departments
"""
"""A department without nodes loses its profile with the last of them: phrases of theirs stand in it."""

ANYTHING_LEFT: Final = """
CYPHER 25
RETURN EXISTS { MATCH (n:Node {projectId: $projectId}) }
    OR EXISTS { MATCH (d:Department {projectId: $projectId}) }
    OR EXISTS { MATCH (p:Project {projectId: $projectId}) } AS known
"""

ERASE_NODES: Final = """
CYPHER 25
MERGE (p:Project {projectId: $projectId})
SET p.writtenAt = $now
SET p.changes = coalesce(p.changes, 0) + 1
WITH p
MATCH (n:Node {projectId: $projectId})
WITH n LIMIT $limit
DETACH DELETE n
RETURN count(*) AS erased
"""

ERASE_PROFILES: Final = """
CYPHER 25
MERGE (p:Project {projectId: $projectId})
SET p.writtenAt = $now
WITH p
MATCH (d:Department {projectId: $projectId})
WITH d LIMIT $limit
DETACH DELETE d
RETURN count(*) AS erased
"""

ERASE_PROJECT: Final = """
CYPHER 25
MATCH (p:Project {projectId: $projectId})
SET p.writtenAt = $now
WITH p
WHERE NOT EXISTS { MATCH (n:Node {projectId: $projectId}) }
  AND NOT EXISTS { MATCH (d:Department {projectId: $projectId}) }
DETACH DELETE p
RETURN count(*) AS erased
"""
"""Nothing if somebody has written to the project meanwhile."""
