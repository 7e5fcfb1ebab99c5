"""A model that answers from a script, in the process: for unit tests of the gateway."""

import json
from typing import Any, Final

import httpx2
import openai

from gather_worker.attempt import Attempt
from gather_worker.llm import ModelGateway
from gather_worker.prompts import Prompt

Reply = httpx2.Response | Exception

PROMPT: Final = Prompt("judge.v1", "rules", "data")
VERDICT: Final = json.dumps({"depth": 1, "coherence": 2, "actionability": 3, "reason": "r"})
USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.5}


class ScriptedModel:
    """An OpenAI-compatible endpoint in this process that gives one scripted reply after the other."""

    def __init__(self, base_url: str) -> None:
        self.replies: list[Reply] = []
        self.requests: list[httpx2.Request] = []
        transport = httpx2.MockTransport(self._answer)
        http = httpx2.AsyncClient(transport=transport)
        self.client = openai.AsyncOpenAI(api_key="k", base_url=base_url, max_retries=0, http_client=http)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def body(self, number: int = -1) -> dict[str, Any]:
        """Return a request's body."""
        found: dict[str, Any] = json.loads(self.requests[number].content)
        return found


def reply(content: Any = VERDICT, status: int = 200, **headers: str) -> httpx2.Response:
    """Return a completion, or an error's status."""
    if status != 200:  # noqa: PLR2004 - HTTP
        return httpx2.Response(status, json={"error": {"message": "no"}}, headers=headers)
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return httpx2.Response(200, json={"choices": [choice], "usage": USAGE})


def gateway(model: ScriptedModel, duration_s: float = 60, **options: Any) -> ModelGateway:
    """Return a gateway to the scripted model."""
    return ModelGateway(model.client, Attempt(duration_s), **{"timeout_s": 5, "max_tokens": 100, **options})
