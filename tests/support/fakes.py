"""A model, a brain, an event log and an answer cache in this process, for tests that count what a worker asks
of them.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from gather_contracts.events import Event
from gather_contracts.text import content_hash
from gather_worker.llm.answer_cache import KeptAnswer
from tests.support.scripted_model import asked_prompt, verdict_of


class FakeModel:
    """Writes six notes an answer, of which two repeat each other; judges with the `verdicts` given."""

    def __init__(self) -> None:
        self.requests = 0
        self.written = 0
        self.verdicts: list[float] = []
        """On each iteration's notes; 50 once they are used up."""
        self.wait: Callable[[str], Awaitable[None]] | None = None
        """Awaited before each answer, with the question's name."""
        self.cost_usd = 0.01
        """Of each answer."""

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer by the schema's name; a list of models there is none."""
        if request.method == "GET":
            return httpx.Response(404)
        self.requests += 1
        body = json.loads(request.content)
        asked = asked_prompt(body)
        if self.wait:
            await self.wait(asked)
        content = self._notes() if asked == "generate" else self._verdict(body)
        choice = {"finish_reason": "stop", "message": {"content": json.dumps(content)}}
        # As many tokens as such texts may have: a bill of fewer would not be believed.
        usage = {"prompt_tokens": 3000, "completion_tokens": 200, "cost": self.cost_usd}
        return httpx.Response(200, json={"choices": [choice], "usage": usage})

    def _notes(self) -> dict[str, Any]:
        self.written += 1
        notes = [
            " ".join(f"{word}{self.written}x{n}" for word in ("lamp", "sea", "wall", "boat"))
            for n in range(6)
        ]
        # The third repeats the second: of two that are alike the later stays.
        notes[1] = notes[2].upper()
        return {"items": [{"content": note, "summary": "s", "context": "c"} for note in notes]}

    def _verdict(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return verdict_of(body["messages"], self.verdicts.pop(0) if self.verdicts else 50)


class FakeBrain:
    """As much of the brain as a worker can see."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        """The properties of each."""
        self._written: dict[str, dict[str, Any]] = {}
        self.coverages: list[float] = []
        """Of each iteration's notes; by their number once they are used up."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer by path."""
        if request.url.path == "/readyz":
            return httpx.Response(200)
        if request.url.path.endswith("/nodes"):
            return self._list() if request.method == "GET" else self._delete(request.url.params)
        body = json.loads(request.content)
        timing = {"query_embedding_time_ms": 0, "search_time_ms": 0, "total_time_ms": 0}
        if request.url.path.endswith("/nodes/batch"):
            return self._write(body["nodes"])
        if request.url.path.endswith("/search/duplicates/batch"):
            return httpx.Response(
                200, json={"results": [{"duplicates": []} for _ in body["contents"]], **timing}
            )
        if request.url.path.endswith("/search/similarity"):
            answer = {"similarities": [0.0 for _ in body["pairs"]], "model": "m", "total_time_ms": 0}
            return httpx.Response(200, json=answer)
        return self._cover(body["gatherItems"])

    def _write(self, nodes: list[dict[str, Any]]) -> httpx.Response:
        self.nodes |= {node["id"]: node["properties"] for node in nodes}
        self._written |= {node["id"]: node for node in nodes}
        written = [
            {
                "id": n["id"],
                "type": "GatherItem",
                "properties": {},
                "embedding": {"dimensions": 1, "model": "m"},
            }
            for n in nodes
        ]
        timing = {"embedding_time_ms": 0, "neo4j_write_time_ms": 0, "total_time_ms": 0}
        ids = [node["id"] for node in nodes]
        return httpx.Response(200, json={"created": 1, "nodeIds": ids, "nodes": written, "timing": timing})

    def _list(self) -> httpx.Response:
        listed = [
            {
                "id": node_id, "type": node["type"], "contentHash": content_hash(node["content"]),
                "properties": node["properties"], "revision": node.get("revision", 0), "createdAt": "",
                "updatedAt": "",
            }
            for node_id, node in sorted(self._written.items())
        ]  # fmt: skip
        return httpx.Response(200, json={"nodes": listed})

    def _delete(self, query: httpx.QueryParams) -> httpx.Response:
        ids = query.get_list("ids")
        deleted = [self._written.pop(each) for each in ids if each in self._written]
        for node in deleted:
            del self.nodes[node["id"]]
        return httpx.Response(200, json={"deleted": len(deleted), "notFound": len(ids) - len(deleted)})

    def _cover(self, items: list[Any]) -> httpx.Response:
        analysis: dict[str, Any] = {"coveredAspects": [], "gaps": [], "recommendations": []}
        metrics = {"depth": 1, "breadth": 1, "coherence": 1, "actionability": 1}
        timing = {"embedding_time_ms": 0, "analysis_time_ms": 0, "total_time_ms": 0}
        score = self.coverages.pop(0) if self.coverages else min(100, len(items))
        answer = {"department": "story", "coverageScore": score, "analysis": analysis}
        return httpx.Response(
            200, json={**answer, "itemDistribution": {}, "qualityMetrics": metrics, "timing": timing}
        )


class FakeEventLog:
    """An event log in this process."""

    def __init__(self) -> None:
        self.sent: dict[str, Event] = {}

    def write_as(self, writer: str, epoch: int) -> None:
        """Nobody follows."""

    async def append(self, event: Event, idempotency_key: str | None = None) -> int | None:
        """Keep the first event of each key."""
        self.sent.setdefault(str(idempotency_key), event)
        return 1

    async def has_sent(self, project_id: str, idempotency_key: str) -> bool:  # noqa: ARG002
        """Return whether the key was used."""
        return idempotency_key in self.sent

    async def close(self) -> None:
        """Nothing is open."""


class FakeAnswerCache:
    """Redis, as far as answers are kept in it."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptAnswer] = {}

    async def get(self, key: str) -> KeptAnswer | None:
        """Return a kept answer."""
        return self.kept.get(key)

    async def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep an answer."""
        self.kept[key] = answer

    async def close(self) -> None:
        """Nothing is open."""


class FakeVerdictCache:
    """Redis, as far as verdicts on pairs are kept in it."""

    def __init__(self) -> None:
        self.kept: dict[str, bool] = {}

    async def get(self, keys: Sequence[str]) -> dict[str, bool]:
        """Return those that are kept."""
        return {key: self.kept[key] for key in keys if key in self.kept}

    async def put(self, verdicts: Mapping[str, bool]) -> None:
        """Keep some."""
        self.kept |= verdicts
