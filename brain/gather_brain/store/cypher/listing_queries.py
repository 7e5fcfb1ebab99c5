"""A project's nodes as they are kept, one by one and page by page."""

from typing import Final

_COLUMNS: Final = """
n.id AS id, n.type AS type, n.contentSha256 AS sha256, n.properties AS properties,
       coalesce(n.revision, 0) AS revision, n.createdAt AS createdAt, n.updatedAt AS updatedAt,
"""

PAGE: Final = (
    """
CYPHER 25
MATCH (n:Node {projectId: $projectId})
WHERE n.id > $after
  AND ($type IS NULL OR n.type = $type)
  AND ($department IS NULL OR n.department = $department)
WITH n ORDER BY n.projectId, n.id LIMIT $limit
WITH collect(n) AS found
WITH found, reduce(length = 0, each IN found |
  CASE WHEN length > $lengthMax THEN length
       ELSE length + coalesce(size(each.properties), 0)
            + CASE WHEN $withContent OR each.contentSha256 IS NULL THEN coalesce(size(each.content), 0)
                   ELSE 0 END
  END) AS length
UNWIND found[..CASE WHEN length <= $lengthMax THEN size(found) ELSE $few END] AS n
WITH
"""
    + _COLUMNS
    + """
       CASE WHEN $withContent OR n.contentSha256 IS NULL THEN n.content END AS content, size(found) AS found
ORDER BY id
RETURN collect({
  id: id, type: type, sha256: sha256, properties: properties, revision: revision, createdAt: createdAt,
  updatedAt: updatedAt, content: content, found: found
}) AS rows
"""
)
"""In the order of the index behind the constraint, so that a page costs the same wherever it is, and writes
between two pages shift nothing. What would be too long for one answer is cut to a few nodes before it leaves
Neo4j. Nodes of before there was `contentSha256` bring their content, for it to be made from."""

NODE: Final = (
    """
CYPHER 25
MATCH (n:Node {projectId: $projectId, id: $id})
RETURN
"""
    + _COLUMNS
    + "       n.content AS content, 1 AS found"
)
