"""One request to an OpenAI-compatible endpoint: sent, bounded in time and size, its failure named."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from gather_clients.bodies import BodyTooLong, read_beginning, read_body
from gather_clients.http_calls.secret_headers import may_be_secret, without_scheme
from gather_worker.errors import ModelError, ModelTransient, Refusal
from gather_worker.llm.access.troubles import is_unsent, trouble_of
from gather_worker.llm.asking.refusal import json_in, read_refusal
from gather_worker.llm.billing.bill import is_of_no_model
from gather_worker.llm.billing.usage_forms import with_headers
from gather_worker.llm.chat_completion import parse_body
from gather_worker.llm.failures import error_of
from gather_worker.llm.model_names import models_of
from gather_worker.llm.pricing import Price, list_paths, read_price

OPENROUTER_HOST: Final = "openrouter.ai"
BODY_MAX_BYTES: Final = 4 * 1024 * 1024
"""Ten items at their greatest length are 120 KB."""
STREAM_MAX_BYTES: Final = 32 * 1024 * 1024
"""A stream has some 400 bytes for a token, reasoning included, and one of 64,000 tokens is allowed."""
REFUSAL_MAX_BYTES: Final = 64 * 1024
"""Some show the answer that they refuse."""
REFUSAL_TIMEOUT_S: Final = 5.0
"""For the body of an error, whose status says most; what has come by then is read."""
PRICE_LIST_MAX_BYTES: Final = 16 * 1024 * 1024
"""OpenRouter's list of some 400 models is about 1 MB."""
PRICE_LIST_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 10.0
"""Without a connection by then the request is tried again: nothing was sent, and nothing is charged."""

OWN_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-type", "content-length", "host", "user-agent"}
)
"""Of the client itself; all others may say who asks."""

_LOGGER = logging.getLogger(__name__)


class Endpoint:
    """The endpoint behind one client; `timeout_s` bounds one request from connecting to the last byte."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        host = client.base_url.host
        self.is_openrouter = host == OPENROUTER_HOST or host.endswith(f".{OPENROUTER_HOST}")
        self.name = "openrouter" if self.is_openrouter else host
        """Who serves it, for traces."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def complete(self, question: Mapping[str, Any], limit_s: float) -> Any:
        """Return the answer's body as JSON; `limit_s` is the time that the attempt has left.

        Raises ModelTransient and ModelRejected.
        """
        timeout_s = min(self._timeout_s, max(limit_s, 0.1))
        return await self._fetch("POST", "/chat/completions", question, BODY_MAX_BYTES, timeout_s)

    async def list_models(self, timeout_s: float) -> frozenset[str] | None:
        """Return the names of its models, None where it lists none or does not answer in time."""
        try:
            body = await self._fetch("GET", "/models", None, PRICE_LIST_MAX_BYTES, timeout_s)
        except ModelError:
            return None
        listed = models_of(body)
        return None if listed is None else frozenset(listed)

    async def find_price(self, model: str) -> Price | None:
        """Return the model's price by the endpoint's own list, None if it has none.

        Raises ModelTransient if the list cannot be read now.
        """
        unread: ModelTransient | None = None
        for path in list_paths(model, is_openrouter=self.is_openrouter):
            try:
                body = await self._fetch("GET", path, None, PRICE_LIST_MAX_BYTES, PRICE_LIST_TIMEOUT_S)
            except ModelError as error:
                _LOGGER.warning("the endpoint's price list cannot be read: %s", error)
                unread = error if isinstance(error, ModelTransient) else unread
                continue
            if price := read_price(body, model):
                return price
        if unread:
            raise unread
        return None

    async def _fetch(self, method: str, path: str, question: Any, limit_bytes: int, timeout_s: float) -> Any:
        """Return a response's body as JSON, within the time from connecting to the last byte.

        The client's own timeout alone would start again with every byte.
        """
        limits = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        exchange = self._client.stream(method, path, json=question, timeout=limits)
        try:
            async with asyncio.timeout(timeout_s), exchange as response:
                if not response.is_success:
                    beginning = await read_beginning(response, REFUSAL_MAX_BYTES, REFUSAL_TIMEOUT_S)
                    raise error_of(_read_refusal(response, beginning))
                kind = response.headers.get("Content-Type", "")
                is_stream = "event-stream" in kind or "ndjson" in kind
                bound = max(limit_bytes, STREAM_MAX_BYTES) if is_stream else limit_bytes
                content = await read_body(response, bound)
                if is_of_no_model(kind, content):
                    raise error_of(replace(_read_refusal(response, content), is_page=True))
                return with_headers(parse_body(content), response.headers)
        except BodyTooLong as error:
            raise ModelTransient("the endpoint's answer is too long", may_be_charged=True) from error
        except httpx.DecodingError as error:
            raise ModelTransient(
                f"the endpoint's answer cannot be read: {error}", may_be_charged=True
            ) from error
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            message = f"the endpoint gave no answer: {trouble_of(error, timeout_s)}"
            unsent = is_unsent(error)
            raise ModelTransient(message, may_be_charged=not unsent, is_unsent=unsent) from error


def _read_refusal(response: httpx.Response, content: bytes) -> Refusal:
    headers = {name: response.headers[name] for name in response.headers}
    # What no message may show: whatever was sent to say who asks.
    sent = response.request.headers.items()
    secrets = [without_scheme(v) for n, v in sent if n.lower() not in OWN_HEADERS and may_be_secret(n, v)]
    refusal = read_refusal(response.status_code, headers, content, datetime.now(UTC), secrets)
    return replace(refusal, body=with_headers(json_in(content.decode("utf-8", "replace")) or {}, headers))
