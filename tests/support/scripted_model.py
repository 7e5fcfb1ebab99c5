"""A model that answers from a script, in the process: for unit tests of the gateway."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from gather_worker.attempt import Attempt
from gather_worker.llm.access.model_client import Access, new_client
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.preferences import ModelPreferences
from gather_worker.prompt_files import DUPLICATES, GENERATE, JUDGE, words
from gather_worker.prompts import Prompt
from gather_worker.schemas import Answer, DraftBatch, PairVerdicts, QualityVerdict, json_schema

Reply = httpx.Response | Exception

PROMPT: Final = Prompt("judge.v1", "rules", "data")
VERDICT: Final = json.dumps({"depth": 1, "coherence": 2, "actionability": 3, "reason": "r"})
USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.5}


def client_of(
    answer: Callable[[httpx.Request], Awaitable[httpx.Response]],
    base_url: str = "http://model.test/v1",
    access: Access | None = None,
) -> httpx.AsyncClient:
    """Return a client of an endpoint in this process, whose bodies come in a stream as from the network."""

    async def served(request: httpx.Request) -> httpx.Response:
        given = await answer(request)
        return httpx.Response(given.status_code, headers=given.headers, stream=given.stream)

    return new_client(base_url, "k", httpx.MockTransport(served), access)


class ScriptedModel:
    """An OpenAI-compatible endpoint in this process that gives one scripted reply after the other."""

    def __init__(self, base_url: str) -> None:
        self.replies: list[Reply] = []
        self.requests: list[httpx.Request] = []
        self.client = client_of(self._answer, base_url)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def body(self, number: int = -1) -> dict[str, Any]:
        """Return a request's body."""
        found: dict[str, Any] = json.loads(self.requests[number].content)
        return found


def reply(content: Any = VERDICT, status: int = 200, **headers: str) -> httpx.Response:
    """Return a completion, or an error's status."""
    if status != 200:
        return httpx.Response(status, json={"error": {"message": "no"}}, headers=headers)
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return httpx.Response(200, json={"choices": [choice], "usage": USAGE})


def scripted_gateway(model: ScriptedModel, duration_s: float = 60, **options: Any) -> ModelGateway:
    """Return a gateway to the scripted model; `fallbacks` are models that stand in."""
    preferences = ModelPreferences(fallback_models=options.pop("fallbacks", ()))
    given = {"timeout_s": 5, "max_tokens": 100, "preferences": preferences, **options}
    return ModelGateway(model.client, Attempt(duration_s), **given)


ANSWERS: Final[Mapping[str, type[Answer]]] = {
    GENERATE: DraftBatch,
    JUDGE: QualityVerdict,
    DUPLICATES: PairVerdicts,
}
BEGINNING: Final = 80
"""Characters of a prompt that set it apart from the others."""


def asked_prompt(body: Mapping[str, Any]) -> str:
    """Return the prompt's name: as the schema has it, or by its first words where no schema is sent."""
    form = body.get("response_format") or {}
    if "json_schema" in form:
        return str(form["json_schema"]["name"])
    text = body["messages"][0]["content"]
    return next(name for name in ANSWERS if text.startswith(words(name, "system")[:BEGINNING]))


def shown_notes(messages: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the notes that a judge is shown."""
    texts = "\n".join(message["content"] for message in messages)
    (data,) = re.findall(r"<data>\n(.*?)\n</data>", texts, re.DOTALL)
    notes: list[str] = json.loads(data)["notes"]
    return notes


def verdict_of(messages: Sequence[Mapping[str, str]], score: float) -> dict[str, Any]:
    """Return a verdict with one score for all parts, and a quote that stands in the notes."""
    quotes = shown_notes(messages)[:1]
    parts = ("depth", "coherence", "actionability")
    return {f"{part}_quotes": quotes for part in parts} | dict.fromkeys(parts, score)


def asked_schema(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the answer."""
    form = body.get("response_format") or {}
    if "json_schema" in form:
        found: dict[str, Any] = form["json_schema"]["schema"]
        return found
    return json_schema(ANSWERS[asked_prompt(body)])
