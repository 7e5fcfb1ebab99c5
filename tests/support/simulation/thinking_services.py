"""The model, the brain and the CMS of a simulation, over the wire; what they answer follows from its seed."""

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from gather_contracts.departments import CmsDepartment
from gather_operator.decisions.facts import CmsReading
from gather_operator.errors import CmsUnavailable
from tests.support.fakes import FakeBrain
from tests.support.scripted_model import asked_prompt, verdict_of
from tests.support.simulation.cluster.kubelets import WorkerProcess
from tests.support.simulation.processes import CURRENT
from tests.support.simulation.wire import RefusedBy, Unreachable, Wire

USD_IN: Final = 3e-6
USD_OUT: Final = 15e-6
PROMPT_TOKENS: Final = 700
"""Of prompts that have up to 2,800 by the worker's count; fewer it would not believe."""
ANSWER_TOKENS: Final = 300
BAD_ANSWERS: Final = ("", "{", '{"items": []}', "I am sorry.", '{"verdicts": 3}')
WORDS: Final = ("lamp", "harbour", "wall", "boat", "winter", "letter", "stairs", "engine", "glass", "choir")


@dataclass(frozen=True, slots=True)
class Charge:
    """A request that the model was paid for."""

    run_uid: str
    slug: str
    usd: float
    tokens: int
    pod: str


@dataclass
class SimulatedModel:
    """Writes notes and gives verdicts."""

    wire: Wire
    rng: random.Random
    skill: float
    """How fast verdicts rise, in points an answer."""
    bad_share: float
    charges: list[Charge] = field(default_factory=list)
    charged: Callable[[WorkerProcess, Charge], None] = lambda *_: None
    _verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _written: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _notes: int = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request of the current process."""
        worker = CURRENT.get()
        assert isinstance(worker, WorkerProcess)
        if request.method == "GET":
            return httpx.Response(404)  # it lists no models
        body = json.loads(request.content)
        asked = asked_prompt(body)
        refusals = ("429", "500", "502")
        try:
            return await self.wire.call(
                "model", asked, lambda: self._answer(worker, body, asked), refusals=refusals
            )
        except Unreachable as error:
            kind = httpx.ConnectError if error.kind == "refused" else httpx.ReadError
            raise kind(error.kind, request=request) from error
        except RefusedBy as error:
            headers = {"Retry-After": "5"} if error.kind == "429" else {}
            return httpx.Response(int(error.kind), headers=headers, json={"error": {"message": "no"}})

    def _answer(self, worker: WorkerProcess, body: dict[str, Any], asked: str) -> httpx.Response:
        tokens_out = min(ANSWER_TOKENS, int(body["max_tokens"]))
        usd = PROMPT_TOKENS * USD_IN + tokens_out * USD_OUT
        charge = Charge(worker.run_uid, worker.slug, usd, PROMPT_TOKENS + tokens_out, worker.pod)
        self.charges.append(charge)
        self.charged(worker, charge)
        place = (worker.run_uid, worker.slug)
        text = self._text(place, asked, body)
        choice = {"finish_reason": "stop", "message": {"content": text}}
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens_out, "cost": usd}
        return httpx.Response(200, json={"choices": [choice], "usage": usage})

    def _text(self, place: tuple[str, str], asked: str, body: dict[str, Any]) -> str:
        is_calm = self.wire.plan.until_s <= self._now_s()
        if not is_calm and self.rng.random() < self.bad_share:
            self.wire.plan.happened["model: unusable answer"] += 1
            return self.rng.choice(BAD_ANSWERS)
        if asked == "generate":
            return json.dumps({"items": self._batch(place)})
        if asked == "duplicates":
            return json.dumps({"verdicts": []})
        self._verdicts[place] += 1
        score = min(100.0, 40.0 + self.skill * self._verdicts[place])
        return json.dumps(verdict_of(body["messages"], score))

    def _now_s(self) -> float:
        import asyncio  # noqa: PLC0415

        return asyncio.get_running_loop().time()

    def _batch(self, place: tuple[str, str]) -> list[dict[str, str]]:
        """Return new notes, one that repeats another of them, and now and then an old one."""
        written = self._written.setdefault(place, [])
        texts = [self._note() for _ in range(self.rng.randint(4, 6))]
        texts.append(texts[0].upper())
        if written and self.rng.random() < 0.3:
            texts.append(self.rng.choice(written))
        written += texts
        return [{"content": text, "summary": text[:20], "context": "c"} for text in texts]

    def _note(self) -> str:
        self._notes += 1
        return " ".join(f"{word}{self._notes}x" for word in self.rng.sample(WORDS, 4))


class SimulatedBrain(FakeBrain):
    """A brain that keeps the write with the highest revision, as the real one does."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire
        self.contents: dict[str, str] = {}

    async def serve(self, request: httpx.Request) -> httpx.Response:
        """Answer one request of the current process."""
        path = request.url.path.rsplit("/api/v1", 1)[-1]
        try:
            return await self._wire.call(
                "brain", f"{request.method} {path}", lambda: self._respond(request), refusals=("429", "503")
            )
        except Unreachable as error:
            kind = httpx.ConnectError if error.kind == "refused" else httpx.ReadError
            raise kind(error.kind, request=request) from error
        except RefusedBy as error:
            headers = {"Retry-After": "3"} if error.kind == "429" else {}
            return httpx.Response(int(error.kind), headers=headers, json={})

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/context/department"):
            return httpx.Response(404, json={"error": "not_found", "message": "no nodes"})
        return self.answer(request)

    def _write(self, nodes: list[dict[str, Any]]) -> httpx.Response:
        fresh = [
            node
            for node in nodes
            if node.get("revision", 0) >= self._written.get(node["id"], {}).get("revision", 0)
        ]
        super()._write(fresh)
        return super()._write([]) if not fresh else self._acknowledged(nodes)

    def _acknowledged(self, nodes: list[dict[str, Any]]) -> httpx.Response:
        written = [
            {"id": n["id"], "type": n["type"], "properties": {}, "embedding": {"dimensions": 1, "model": "m"}}
            for n in nodes
        ]
        timing = {"embedding_time_ms": 0, "neo4j_write_time_ms": 0, "total_time_ms": 0}
        ids = [node["id"] for node in nodes]
        return httpx.Response(200, json={"created": 1, "nodeIds": ids, "nodes": written, "timing": timing})


class SimulatedCms:
    """Names the departments of a simulation."""

    def __init__(self, wire: Wire, departments: tuple[CmsDepartment, ...]) -> None:
        self._wire = wire
        self.named = departments

    async def departments(self) -> CmsReading:
        """Return the departments that take part; raises CmsUnavailable."""
        try:
            return await self._wire.call(
                "cms", "departments", lambda: CmsReading(self.named), limit_s=10.0, refusals=("500",)
            )
        except (Unreachable, RefusedBy) as error:
            raise CmsUnavailable(f"the CMS: {error.kind}") from error
