"""API keys."""

from typing import Final

CREATE_KEY: Final = """
CYPHER 25
CREATE (k:ApiKey {
  id: $id, name: $name, sha256: $sha256, projects: $projects,
  limits: $limits, expiresAt: $expires_at, createdAt: $now
})
"""
FIND_KEY: Final = """
CYPHER 25
MATCH (k:ApiKey {sha256: $sha256}) WHERE k.revokedAt IS NULL
RETURN k.id AS id, k.name AS name, k.sha256 AS sha256, k.projects AS projects,
       coalesce(k.limits, []) AS limits, k.expiresAt AS expiresAt
"""
LIST_KEYS: Final = """
CYPHER 25
MATCH (k:ApiKey)
RETURN k.id AS id, k.name AS name, k.projects AS projects, k.createdAt AS createdAt, k.revokedAt AS revokedAt,
       coalesce(k.limits, []) AS limits, k.expiresAt AS expiresAt
ORDER BY k.createdAt, k.id
"""
REVOKE_KEY: Final = """
CYPHER 25
MATCH (k:ApiKey {id: $id})
SET k.revokedAt = coalesce(k.revokedAt, $now)
RETURN k.id AS id
"""
