"""The demo model's HTTP face: what Gather uses of the OpenAI-compatible API, and a switch for tests."""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Header
from fastapi.responses import JSONResponse, Response

from gather_demo.llm.answer import Request, seed_of, write_answer
from gather_demo.llm.behaviour import Behaviour, BehaviourOrder, BehaviourState, Fault, FaultOrder
from gather_demo.llm.material import Material
from gather_demo.llm.prompt_facts import text_of
from gather_demo.llm.schema_filler import SchemaError
from gather_demo.llm.wire import (
    ChatRequest,
    Usage,
    completion,
    count_usage,
    cut,
    error_body,
    faulty_response,
    listed_model,
)
from gather_demo.service import new_app

PROMPT_CHARS_MAX: Final = 400_000
"""About 100,000 tokens; a longer prompt is refused as a model's context window would refuse it."""
SCHEMAS_MAX: Final = 100
INSTRUCTIONS_CHARS: Final = 200
"""By which instructions are known again, also where they stand at the beginning of a user's message."""
MODELS: Final = ("anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini", "google/gemini-2.5-flash")
"""The names listed; any other `vendor/name` is served as well, since every answer has the same source."""

_MODEL_NAME: Final = re.compile(r"^[\w.-]{1,60}/[\w.:-]{1,60}$")
_LOGGER = logging.getLogger(__name__)


@dataclass
class Totals:
    """What was asked since the start, for tests and the curious."""

    requests: int = 0
    faults: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass
class DemoModel:
    """The writer behind the API, with how it behaves and what it has counted."""

    material: Material
    behaviour: Behaviour
    repeat_share: float
    totals: Totals = field(default_factory=Totals)
    schemas: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By the beginning of the instructions that came with them, the last `SCHEMAS_MAX`."""

    def schema_of(self, body: ChatRequest) -> Mapping[str, Any] | None:
        """Return the schema that is asked for, or that was when the same instructions last came with one.

        A client that has seen bad answers asks without a schema, and still wants its form.
        """
        instructions = str(body.messages[0].get("content"))[:INSTRUCTIONS_CHARS]
        if (asked := body.schema_asked()) is None:
            return self.schemas.get(instructions)
        self.schemas.pop(instructions, None)
        self.schemas[instructions] = asked
        if len(self.schemas) > SCHEMAS_MAX:
            del self.schemas[next(iter(self.schemas))]
        return asked

    async def complete(self, body: ChatRequest, fault: Fault | None) -> Response | dict[str, Any]:
        """Answer a chat, rightly or with the fault that is asked for or due."""
        self.totals.requests += 1
        order = FaultOrder(fault=fault) if fault else self.behaviour.next_fault()
        await asyncio.sleep(self.behaviour.delay_s)
        if refused := refusal(body):
            return JSONResponse(error_body(refused, 400), 400)
        try:
            seed = seed_of(body.model, body.messages, body.seed)
            request = Request(body.messages, self.schema_of(body), seed, self.repeat_share)
            content = await asyncio.to_thread(write_answer, request, self.material)
        except SchemaError as error:
            return JSONResponse(error_body(f"json_schema: {error}", 400), 400)
        content, reason = cut(content, body.max_tokens)
        usage = count_usage(text_of(body.messages), content)
        if order:
            self.totals.faults += 1
            return faulty_response(order, body.model, content, usage)
        # Before it is counted: what was charged outlives a process that is killed in its log alone.
        charged = {"user": body.user, "tokens": usage.total_tokens, "cost_usd": usage.cost}
        _LOGGER.info("answered for %s with %d tokens", body.model, usage.total_tokens, extra=charged)
        self.totals.usage += usage
        return completion(body.model, content, reason, usage)


def refusal(body: ChatRequest) -> str | None:
    """Return why no model would serve the request, None if it can be served."""
    if not _MODEL_NAME.match(body.model):
        return f"{body.model} is not a valid model ID"
    if body.stream:
        return "the demo model does not stream"
    if len(text_of(body.messages)) > PROMPT_CHARS_MAX:
        return "the prompt is longer than the context window"
    return None


def build_app(material: Material, *, delay_s: float = 0, repeat_share: float = 0.1) -> FastAPI:
    """Return the application; `repeat_share` (0-1) of the notes repeat others."""
    app = new_app("gather-demo-llm", "Writes from sentences of its own; no language model is behind it.")
    model = DemoModel(material, Behaviour(delay_s), repeat_share)

    @app.post("/v1/chat/completions", response_model=None)
    async def complete(
        body: ChatRequest, x_demo_fault: Annotated[Fault | None, Header()] = None
    ) -> Response | dict[str, Any]:
        """Answer a chat; the header X-Demo-Fault asks for a fault in this answer alone."""
        return await model.complete(body, x_demo_fault)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        """List models."""
        return {"object": "list", "data": [listed_model(name) for name in MODELS]}

    app.include_router(_switch(model), prefix="/demo")
    return app


def _switch(model: DemoModel) -> APIRouter:
    """Return the routes with which tests look at the model and make it misbehave."""
    router = APIRouter()

    @router.get("/usage")
    async def usage() -> Totals:
        """Return what was asked since the start."""
        return model.totals

    @router.get("/behaviour")
    async def state() -> BehaviourState:
        """Return how the model behaves now."""
        return model.behaviour.state()

    @router.post("/behaviour")
    async def behave(order: BehaviourOrder) -> BehaviourState:
        """Change how the model behaves."""
        model.behaviour.change(order)
        return model.behaviour.state()

    @router.delete("/behaviour")
    async def behave_well() -> BehaviourState:
        """Behave as started."""
        model.behaviour.clear()
        return model.behaviour.state()

    return router
