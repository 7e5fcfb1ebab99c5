"""Which model's vectors are in which slot, and who may write: one state, read by all, changed one at a time.

A write takes one write lock, picked at random, and a change of the state takes all of them: so no write that
has seen the old state can end after a change, and writes seldom wait for each other. In the database a lock
is an `EmbeddingsGate`, as older versions named it.
"""

from typing import Final

STATE_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT embeddings_identity IF NOT EXISTS
FOR (e:Embeddings) REQUIRE e.id IS UNIQUE
"""
LOCK_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT embeddings_gate_identity IF NOT EXISTS
FOR (l:EmbeddingsGate) REQUIRE l.id IS UNIQUE
"""
CREATE_LOCKS: Final = "CYPHER 25 UNWIND range(0, $locks - 1) AS id MERGE (:EmbeddingsGate {id: id})"

TAKE_LOCK: Final = """
CYPHER 25
MATCH (l:EmbeddingsGate {id: $lock})
SET l.passedAt = $now
WITH l
MATCH (e:Embeddings {id: 'embeddings'})
WHERE coalesce(e.requiredA, '') IN ['', $modelA] AND coalesce(e.requiredB, '') IN ['', $modelB]
WITH CASE e.activeSlot WHEN 'a' THEN e.activeModel ELSE e.otherModel END = $modelA AS isForA,
     CASE e.activeSlot WHEN 'b' THEN e.activeModel ELSE e.otherModel END = $modelB AS isForB
"""
"""How every query that writes content begins: setting a property takes the lock until the commit.

No row goes on from here if a slot's model is not the one that is required there, so nothing is written then.
`isForA` and `isForB` are true where the state has a place for the vectors that the write brings: a server
that has not noticed yet that a slot is cleared brings vectors that would stay in it.
"""

CREATE_STATE: Final = """
CYPHER 25
MERGE (e:Embeddings {id: 'embeddings'})
ON CREATE SET e.epoch = 0, e.phase = 'steady', e.activeSlot = 'a',
              e.activeModel = $model, e.activeDimensions = $dimensions, e.requiredA = $model,
              e.done = 0, e.total = 0, e.changedAtMs = timestamp()
"""

READ_STATE: Final = """
CYPHER 25
MATCH (e:Embeddings {id: 'embeddings'})
RETURN e {.epoch, .phase, .activeSlot, .activeModel, .activeDimensions, .otherModel, .otherDimensions,
          .done, .total, .startedAt} AS state,
       timestamp() - e.changedAtMs AS ageMs
"""

CHANGE_STATE: Final = """
CYPHER 25
MATCH (l:EmbeddingsGate)
WITH l ORDER BY l.id
SET l.passedAt = $now
WITH count(l) AS locks
MATCH (e:Embeddings {id: 'embeddings', epoch: $epoch})
SET e.epoch = $epoch + 1,
    e.phase = $phase,
    e.activeSlot = $activeSlot,
    e.activeModel = $activeModel,
    e.activeDimensions = $activeDimensions,
    e.otherModel = $otherModel,
    e.otherDimensions = $otherDimensions,
    e.requiredA = $requiredA,
    e.requiredB = $requiredB,
    e.done = $done,
    e.total = $total,
    e.startedAt = $startedAt,
    e.changedAtMs = timestamp()
RETURN e.epoch AS epoch
"""

SAVE_PROGRESS: Final = """
CYPHER 25
MATCH (e:Embeddings {id: 'embeddings', epoch: $epoch})
SET e.done = $done, e.total = $total
"""
