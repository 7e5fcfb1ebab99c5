"""One request to an OpenAI-compatible endpoint: sent, bounded in time and size, its failure named.

The SDK's own retries are off, since retries in two layers multiply, and bodies are read here and not by the
SDK, which passes on whatever came.
"""

import asyncio
import email.utils
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gather_worker.completion import error_of_status, parse_body
from gather_worker.errors import ModelError, ModelTransient
from gather_worker.prices import Price, list_paths, read_price

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENROUTER_HOST: Final = "openrouter.ai"
BODY_MAX_BYTES: Final = 4 * 1024 * 1024
"""Ten items at their greatest length are 120 KB."""
PRICE_LIST_MAX_BYTES: Final = 16 * 1024 * 1024
"""OpenRouter's list of some 400 models is about 1 MB."""
PRICE_LIST_TIMEOUT_S: Final = 10.0

STREAMED: Final = {"X-Stainless-Raw-Response": "stream"}
"""What the SDK's own `with_streaming_response` sends itself, for an address that it has no method for."""

Messages = Sequence[Mapping[str, str]]
_LOGGER = logging.getLogger(__name__)


class Endpoint:
    """The endpoint behind one client; `timeout_s` bounds one request from connecting to the last byte."""

    def __init__(self, client: "AsyncOpenAI", timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        host = urlsplit(str(client.base_url)).hostname or ""
        self.is_openrouter = host == OPENROUTER_HOST or host.endswith(f".{OPENROUTER_HOST}")
        self.name = "openrouter" if self.is_openrouter else host
        """Who serves it, for traces."""
        # Only providers that honour the schema, and the price in every answer.
        extra: dict[str, Any] = {"provider": {"require_parameters": True}, "usage": {"include": True}}
        self._extra_body = extra if self.is_openrouter else None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def complete(
        self, model: str, messages: Messages, schema: Mapping[str, Any], max_tokens: int, limit_s: float
    ) -> Any:
        """Return the answer's body as JSON; `limit_s` is the time that the attempt has left.

        `schema` is {name, strict, schema}. Raises ModelTransient and ModelRejected.
        """
        timeout_s = min(self._timeout_s, max(limit_s, 0.1))
        # Any: the SDK wants its own TypedDicts, which would import its types here.
        create: Any = self._client.chat.completions.with_streaming_response.create
        call = create(
            model=model,
            messages=messages,
            response_format={"type": "json_schema", "json_schema": schema},
            max_tokens=max_tokens,
            timeout=timeout_s,
            extra_body=self._extra_body,
        )
        return parse_body(await self._read(call, BODY_MAX_BYTES, timeout_s))

    async def find_price(self, model: str) -> Price | None:
        """Return the model's price by the endpoint's own list, None if it has none or does not answer."""
        options: Any = {"headers": STREAMED, "timeout": PRICE_LIST_TIMEOUT_S}
        for path in list_paths(model, is_openrouter=self.is_openrouter):
            try:
                call = _streamed(self._client.get(path, cast_to=object, options=options))
                body = parse_body(await self._read(call, PRICE_LIST_MAX_BYTES, PRICE_LIST_TIMEOUT_S))
            except ModelError as error:
                _LOGGER.warning("the endpoint's price list cannot be read: %s", error)
                continue
            if price := read_price(body, model):
                return price
        return None

    async def _read(self, call: Any, limit_bytes: int, timeout_s: float) -> bytes:
        """Return a response's whole body; a client's own timeout starts anew with every byte."""
        try:
            async with asyncio.timeout(timeout_s), call as response:
                return await _bounded(response, limit_bytes)
        except Exception as error:
            failure = _failure(error)
            if failure is None:
                raise
            raise failure from error


async def _bounded(response: Any, limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.iter_bytes():
        body += chunk
        if len(body) > limit_bytes:
            raise ModelTransient("the endpoint's answer is too long", may_be_charged=True)
    return bytes(body)


@asynccontextmanager
async def _streamed(call: Awaitable[Any]) -> AsyncIterator[Any]:
    response = await call
    try:
        yield response
    finally:
        await response.close()


def _failure(error: Exception) -> ModelError | None:
    """Return our error for one of the SDK's, None for any other."""
    import openai  # noqa: PLC0415

    if isinstance(error, openai.APIStatusError):
        retry_after_s = parse_retry_after(error.response.headers.get("Retry-After"), datetime.now(UTC))
        return error_of_status(error.status_code, f"the endpoint answered {error.status_code}", retry_after_s)
    if isinstance(error, openai.APIConnectionError | TimeoutError) or _is_transport_error(error):
        return ModelTransient(
            f"the endpoint cannot be reached: {_root(error)}", may_be_charged=not _is_unsent(error)
        )
    if isinstance(error, openai.OpenAIError):
        name = type(error).__name__
        return ModelTransient(f"the endpoint's answer cannot be read: {name}", may_be_charged=True)
    return None


def _is_transport_error(error: Exception) -> bool:
    """Tell whether the connection broke while the body came; the SDK names only what comes before it."""
    import httpx2  # noqa: PLC0415

    return isinstance(error, httpx2.HTTPError | httpx2.StreamError)


def _is_unsent(error: Exception) -> bool:
    """Tell whether the request cannot have reached anybody."""
    import httpx2  # noqa: PLC0415

    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)


def _root(error: Exception) -> str:
    return type(error.__cause__ or error).__name__


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return Retry-After in seconds from now, from either of its forms (RFC 9110, 10.2.3); None if
    unreadable.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return seconds if 0 <= seconds < float("inf") else None
