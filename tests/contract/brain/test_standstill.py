"""Neo4j that stands still for a while, as one whose node is overloaded or whose process is stopped."""

import asyncio
import os
import signal
from collections import Counter
from typing import Any, Final

import httpx

from dev.service_process import ServiceProcess

AT_ONCE: Final = 20
LIMIT_S: Final = 180
"""For a slow machine; it takes half a second on idle cores."""


async def test_searches_are_answered_again_once_neo4j_goes_on(
    brain: Any, http: httpx.AsyncClient, neo4j_store: ServiceProcess, project: str
) -> None:
    """All of them, by the same brain, though it had refused them meanwhile."""
    pid = brain.pid
    node = {"type": "GatherItem", "content": "A lamp that nobody lit.", "projectId": project}
    (await http.post("/api/v1/nodes/batch", json={"nodes": [node]})).raise_for_status()

    async def searched(number: int = 0) -> int:
        body = {"content": f"A lamp that {number} people lit.", "projectId": project}
        return (await http.post("/api/v1/search/duplicates", json=body)).status_code

    os.kill(neo4j_store.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(LIMIT_S):
            while await searched() != 503:
                pass
    finally:
        os.kill(neo4j_store.pid, signal.SIGCONT)
    answers: Counter[int] = Counter()
    async with asyncio.timeout(LIMIT_S):
        while answers != {200: AT_ONCE}:
            answers = Counter(await asyncio.gather(*map(searched, range(AT_ONCE))))
    assert brain.pid == pid
