"""The bodies of the OpenAI-compatible API, right ones and those of the faults."""

import math
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gather_demo.llm.behaviour import Fault, FaultOrder

USD_PER_INPUT_TOKEN: Final = 3e-6
USD_PER_OUTPUT_TOKEN: Final = 15e-6
"""The demo's own price list, in the order of magnitude of a large model's; nobody is charged."""
CHARS_PER_TOKEN: Final = 4
"""The usual rule of thumb for English."""


class JsonSchema(BaseModel):
    """The schema that an answer must obey."""

    name: str = ""
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """`json_schema` with its schema, `json_object` or `text`."""

    type: str = "text"
    json_schema: JsonSchema | None = None


class ChatRequest(BaseModel):
    """The fields of a chat completion that matter here; all others are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=128)
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=200)
    response_format: ResponseFormat = ResponseFormat()
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    stream: bool = False
    user: str = Field(default="", max_length=128)
    """Who asks, by the caller's own name; it stands in the log beside what was charged."""

    def schema_asked(self) -> Mapping[str, Any] | None:
        """Return the JSON schema that the answer must obey, None for free text."""
        wanted = self.response_format.json_schema
        return wanted.schema_ if wanted and self.response_format.type == "json_schema" else None


class Usage(BaseModel):
    """Tokens by the rule of thumb, and what they cost by the demo's price list."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})


def count_usage(prompt: str, answer: str) -> Usage:
    """Return the usage of one answer."""
    tokens_in, tokens_out = (math.ceil(len(text) / CHARS_PER_TOKEN) for text in (prompt, answer))
    cost = round(tokens_in * USD_PER_INPUT_TOKEN + tokens_out * USD_PER_OUTPUT_TOKEN, 8)
    return Usage(
        prompt_tokens=tokens_in, completion_tokens=tokens_out, total_tokens=tokens_in + tokens_out, cost=cost
    )


def cut(content: str, max_tokens: int | None) -> tuple[str, str]:
    """Return the content as far as the limit allows, and why it ends there."""
    limit = len(content) if max_tokens is None else max_tokens * CHARS_PER_TOKEN
    return (content, "stop") if len(content) <= limit else (content[:limit], "length")


def listed_model(name: str) -> dict[str, Any]:
    """Return a model's entry in the list, with its price a token as text, as OpenRouter has it."""
    pricing = {"prompt": f"{USD_PER_INPUT_TOKEN:f}", "completion": f"{USD_PER_OUTPUT_TOKEN:f}"}
    return {"id": name, "object": "model", "owned_by": "gather-demo", "pricing": pricing}


def error_body(message: str, code: int) -> dict[str, Any]:
    """Return the error body of OpenAI-compatible servers."""
    return {"error": {"message": message, "code": code, "type": "demo_llm_error"}}


def completion(model: str, content: str | None, finish_reason: str, usage: Usage) -> dict[str, Any]:
    """Return the body of a chat completion."""
    return {
        "id": f"gen-demo-{uuid.uuid4().hex[:16]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "provider": "gather-demo-llm",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": usage.model_dump(),
    }


def faulty_response(order: FaultOrder, model: str, content: str, usage: Usage) -> Response:
    """Return the answer with the fault that was asked for; `content` and `usage` are of the right answer."""
    if order.fault is Fault.RATE_LIMIT:
        headers = {"Retry-After": f"{order.retry_after_s:g}"}
        return JSONResponse(error_body("Rate limit exceeded", 429), 429, headers)
    if order.fault is Fault.SERVER_ERROR:
        return Response("upstream failed", order.status, media_type="text/plain")
    half = content[: len(content) // 2]
    in_200: Mapping[Fault, Callable[[], dict[str, Any]]] = {
        Fault.ERROR_IN_200: lambda: error_body("Provider returned error", 502),
        Fault.CHOICES_NULL: lambda: completion(model, None, "stop", usage) | {"choices": None},
        Fault.FINISH_ERROR: lambda: completion(model, "", "error", usage),
        Fault.HALF_ANSWER: lambda: completion(model, half, "length", count_usage("", half)),
        Fault.BROKEN_JSON: lambda: completion(model, f"Here is the JSON:\n{half}", "stop", usage),
        Fault.WRONG_SCHEMA: lambda: completion(model, '{"unasked": true}', "stop", usage),
    }
    return JSONResponse(in_200[order.fault]())
