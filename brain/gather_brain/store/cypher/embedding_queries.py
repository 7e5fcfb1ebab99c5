"""Which model's vectors are in which slot, and who may write: one state, read by all, changed one at a time.

A write passes one gate, picked at random, and whoever changes the state passes all of them: so no write that
has seen the old state can end after a change, and writes seldom wait for each other.
"""

from typing import Final

STATE_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT embeddings_identity IF NOT EXISTS
FOR (e:Embeddings) REQUIRE e.id IS UNIQUE
"""
GATE_IDENTITY: Final = """
CYPHER 25 CREATE CONSTRAINT embeddings_gate_identity IF NOT EXISTS
FOR (g:EmbeddingsGate) REQUIRE g.id IS UNIQUE
"""
CREATE_GATES: Final = "CYPHER 25 UNWIND range(0, $gates - 1) AS id MERGE (:EmbeddingsGate {id: id})"

ENTER_GATE: Final = """
CYPHER 25
MATCH (g:EmbeddingsGate {id: $gate})
SET g.passedAt = $now
WITH g
MATCH (e:Embeddings {id: 'embeddings'})
WHERE coalesce(e.requiredA, '') IN ['', $modelA] AND coalesce(e.requiredB, '') IN ['', $modelB]
"""
"""How every query that writes content begins: setting a property takes the gate's lock until the commit.

No row goes on from here if a slot's model is not the one that is required there, so nothing is written then.
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
MATCH (g:EmbeddingsGate)
WITH g ORDER BY g.id
SET g.passedAt = $now
WITH count(g) AS gates
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

NOTE_PROGRESS: Final = """
CYPHER 25
MATCH (e:Embeddings {id: 'embeddings', epoch: $epoch})
SET e.done = $done, e.total = $total
"""
