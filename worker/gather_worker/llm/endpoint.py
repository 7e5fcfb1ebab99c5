"""One request to an OpenAI-compatible endpoint: sent, bounded in time and size, its failure named.

A plain HTTP client does it, the one that the brain's client uses too: of the API's own SDK a worker would use
nothing but the sending, and importing it was half of a worker's start.
"""

import asyncio
import email.utils
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from gather_clients.tls import tls_for
from gather_worker.errors import InvalidInput, ModelError, ModelTransient
from gather_worker.llm.chat_completion import error_of_status, parse_body
from gather_worker.llm.pricing import Price, list_paths, read_price

OPENROUTER_HOST: Final = "openrouter.ai"
BODY_MAX_BYTES: Final = 4 * 1024 * 1024
"""Ten items at their greatest length are 120 KB."""
PRICE_LIST_MAX_BYTES: Final = 16 * 1024 * 1024
"""OpenRouter's list of some 400 models is about 1 MB."""
PRICE_LIST_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 10.0
"""Whoever has no connection by then is asked anew; no request is lost by that, and none is paid for."""
CONNECTIONS_MAX: Final = 10
"""A department asks at most six questions at once: five verdicts on its quality, and the next notes."""
GZIP: Final = 16 + zlib.MAX_WBITS

UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures after which the request cannot have reached anybody."""

Messages = Sequence[Mapping[str, str]]
_LOGGER = logging.getLogger(__name__)


def new_client(
    base_url: str, api_key: str, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return a client of the endpoint at `base_url`, which ends with the API's version (…/v1).

    The key is sent only if there is one. Proxies and certificates come from the usual variables of the
    environment. `transport` takes the network's place in tests. Raises InvalidInput if the URL or the key
    can never work.
    """
    if not (api_key.isascii() and api_key.isprintable()):
        raise InvalidInput("settings missing or wrong: OPENROUTER_API_KEY has characters that no key has")
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "gather-worker"}
    url = _parsed(base_url)
    return httpx.AsyncClient(
        base_url=url,
        verify=tls_for(url),
        headers={**headers, "Authorization": f"Bearer {api_key}"} if api_key else headers,
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
        follow_redirects=False,
        transport=transport,
    )


def _parsed(base_url: str) -> httpx.URL:
    # Nothing of the URL is told: it may hold a password.
    wrong = InvalidInput("settings missing or wrong: GATHER_LLM_BASE_URL is not an http or https URL")
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise wrong from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise wrong
    return url


class Endpoint:
    """The endpoint behind one client; `timeout_s` bounds one request from connecting to the last byte."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        host = client.base_url.host
        self.is_openrouter = host == OPENROUTER_HOST or host.endswith(f".{OPENROUTER_HOST}")
        self.name = "openrouter" if self.is_openrouter else host
        """Who serves it, for traces."""
        # Only providers that honour the schema, and the price in every answer.
        extra: dict[str, Any] = {"provider": {"require_parameters": True}, "usage": {"include": True}}
        self._extra = extra if self.is_openrouter else {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def complete(
        self, model: str, messages: Messages, schema: Mapping[str, Any], max_tokens: int, limit_s: float
    ) -> Any:
        """Return the answer's body as JSON; `limit_s` is the time that the attempt has left.

        `schema` is {name, strict, schema}. Raises ModelTransient and ModelRejected.
        """
        question = {
            "model": model,
            "messages": list(messages),
            "response_format": {"type": "json_schema", "json_schema": schema},
            "max_tokens": max_tokens,
            **self._extra,
        }
        timeout_s = min(self._timeout_s, max(limit_s, 0.1))
        return await self._fetch("POST", "/chat/completions", question, BODY_MAX_BYTES, timeout_s)

    async def find_price(self, model: str) -> Price | None:
        """Return the model's price by the endpoint's own list, None if it has none or does not answer."""
        for path in list_paths(model, is_openrouter=self.is_openrouter):
            try:
                body = await self._fetch("GET", path, None, PRICE_LIST_MAX_BYTES, PRICE_LIST_TIMEOUT_S)
            except ModelError as error:
                _LOGGER.warning("the endpoint's price list cannot be read: %s", error)
                continue
            if price := read_price(body, model):
                return price
        return None

    async def _fetch(self, method: str, path: str, question: Any, limit_bytes: int, timeout_s: float) -> Any:
        """Return a response's body as JSON, within the time from connecting to the last byte.

        The client's own timeout alone would begin anew with every byte.
        """
        limits = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        exchange = self._client.stream(method, path, json=question, timeout=limits)
        try:
            async with asyncio.timeout(timeout_s), exchange as response:
                return parse_body(await _read(response, limit_bytes))
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            name, is_unsent = type(error).__name__, isinstance(error, UNSENT)
            message = f"the endpoint cannot be reached: {name}"
            raise ModelTransient(message, may_be_charged=not is_unsent) from error


async def _read(response: httpx.Response, limit_bytes: int) -> bytes:
    """Return a good answer's body; of any other the status says enough."""
    if not response.is_success:
        raise _refusal(response)
    decode = _decoder(response.headers.get("Content-Encoding", ""))
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        try:
            body += decode(chunk, limit_bytes + 1 - len(body))
        except zlib.error as error:
            raise ModelTransient("the endpoint's answer cannot be unpacked", may_be_charged=True) from error
        if max(received, len(body)) > limit_bytes:
            raise ModelTransient("the endpoint's answer is too long", may_be_charged=True)
    return bytes(body)


def _decoder(encoding: str) -> Callable[[bytes, int], bytes]:
    """Return what unpacks a body piece by piece, each to so many bytes at most.

    The client's own unpacks each piece whole, a thousand times its size and more.
    """
    if encoding.lower() in {"", "identity"}:
        return lambda chunk, _: chunk
    if encoding.lower() in {"gzip", "x-gzip"}:
        return zlib.decompressobj(GZIP).decompress
    raise ModelTransient(
        "the endpoint's answer is packed in a way that was not asked for", may_be_charged=True
    )


def _refusal(response: httpx.Response) -> ModelError:
    status = response.status_code
    message = f"the endpoint answered {status}"
    if response.is_redirect:
        # Followed, it would take key and prompt to an address that nobody has named.
        message += ", a redirect, which is not followed: GATHER_LLM_BASE_URL must name where it leads"
    retry_after_s = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
    return error_of_status(status, message, retry_after_s)


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
