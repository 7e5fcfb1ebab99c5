"""Does once, before the process is ready, what the first requests would have to wait for.

A fresh Neo4j compiles each query, loads its vector index and runs cold code: the first write took 5.5 s. A
small project of its own goes through what requests do, and is erased.
"""

import logging
import time
import uuid
from dataclasses import replace
from typing import Final

import numpy as np

from gather_brain.auth.key_ring import Principal
from gather_brain.embeddings.active_models import ActiveModels
from gather_brain.store.database import Database
from gather_brain.store.neighbours import EXACT_MAX, Where
from gather_brain.store.repository import NewNode
from gather_brain.themes.phrases import phrases
from gather_contracts.text import text_hash

PROJECT: Final = "warm-up"
"""No caller can name it: it is no ObjectId. What a killed process leaves in it, the next one erases."""
DEPARTMENT: Final = "story"
NODES: Final = 10

logger = logging.getLogger(__name__)


async def warm_up(database: Database, models: ActiveModels) -> None:
    """Write, search, read and erase a few nodes; nothing where the models cannot serve yet.

    Raises:
        UnavailableError: Neo4j or the model is unavailable.
    """
    request = models.for_request()
    if request is None:
        return
    started = time.perf_counter()
    own = Principal("warm-up", frozenset([PROJECT])).open(database, PROJECT, request.place)
    contents = [f"Night {number}: the keeper writes the wind into the ledger." for number in range(NODES)]
    embedded = await request.embed_for_writing(contents)
    nodes = [
        NewNode(
            id=str(uuid.uuid4()),
            type="GatherItem",
            content=content,
            properties={"department": DEPARTMENT},
            terms=phrases(content),
        )
        for content in contents
    ]
    try:
        await own.write(nodes, embedded)
        await own.neighbours.earlier([node.id for node in nodes])
        rows = await request.embedder.embed(contents)
        hashes = list(map(text_hash, contents))
        for department in (None, DEPARTMENT):
            where = Where(type="GatherItem", department=department, excluded_ids=())
            few = await own.neighbours.look_up(hashes, where, limit=10)
            for found in (few, replace(few, candidates=EXACT_MAX + 1)):
                await own.neighbours.nearest(rows, where, found, threshold=0.9, limit=10)
        await own.departments.overview([DEPARTMENT])
        for count in (NODES, EXACT_MAX + 1):
            await own.departments.nearest({DEPARTMENT: count}, np.asarray(rows[0]), limit=20)
    finally:
        await own.deletion.erase()
    logger.info("warm", extra={"seconds": round(time.perf_counter() - started, 1)})
