"""The chat endpoint that refines themes: one request of OpenAI's API, over httpx.

The brain asks nothing else of a chat model, so the openai package would bring its retries, streams and more
dependencies for one POST. There are no retries here: the caller can do without an answer.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gather_brain.context.settings import PREFIX, ThemeSettings
from gather_brain.themes.refinement import SCHEMA, RefinementError
from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.http_calls.held_keys import HeldKey
from gather_clients.http_calls.ways import way_to

ANSWER_MAX_BYTES: Final = 64 * 1024
"""300 tokens are 2 KiB."""
ANSWER_TOKENS_MAX: Final = 300


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    content: str


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    message: _Message


class _Completion(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    choices: list[_Choice] = Field(min_length=1)


class ThemeLlm:
    """Asks for one completion at a time."""

    def __init__(self, settings: ThemeSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = f"{str(settings.base_url).rstrip('/')}/chat/completions"
        self._model = settings.model
        self._timeout_s = settings.timeout_s
        self._client = httpx.AsyncClient(
            headers=ACCEPT_ENCODING,
            auth=HeldKey(f"{PREFIX}API_KEY", settings.api_key),
            timeout=settings.timeout_s,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=1),
            **way_to(self._url, transport),
        )

    async def ask(self, messages: Sequence[dict[str, str]]) -> str:
        """Return what the model wrote.

        Raises:
            RefinementError: it is unavailable, slow, refuses, or gives no valid answer.
        """
        body: dict[str, Any] = {
            "model": self._model,
            "messages": list(messages),
            "temperature": 0.2,
            "max_tokens": ANSWER_TOKENS_MAX,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "themes", "strict": True, "schema": SCHEMA},
            },
        }
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", self._url, json=body) as response,
            ):
                status = response.status_code
                content = await read_body(response, ANSWER_MAX_BYTES) if status == HTTPStatus.OK else b""
        except (httpx.HTTPError, BodyTooLong, TimeoutError) as failure:
            raise RefinementError(type(failure).__name__) from failure
        if status != HTTPStatus.OK:
            raise RefinementError(f"status {status}")
        try:
            return _Completion.model_validate_json(content).choices[0].message.content
        except ValidationError:
            raise RefinementError("an error inside a 200, or no completion") from None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
