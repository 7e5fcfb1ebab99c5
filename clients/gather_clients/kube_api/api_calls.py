"""Single calls and watches over the official client's connections.

Every call has a timeout, every answer a limit in bytes, and whatever goes wrong is a `ClusterError`. The
client's typed APIs and its `Watch` are not used (docs/decisions/0002-kubernetes-client.md).
"""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.exceptions import OpenApiException
from kubernetes.aio.config.config_exception import ConfigException

from gather_clients.kube_api.api_access import TOKEN, NoAccess
from gather_clients.kube_api.api_errors import (
    CONNECTION_BROKEN,
    Count,
    counted,
    error_of_answer,
    error_of_status,
)
from gather_clients.kube_api.cluster_errors import AnswerTooLong, ClusterUnavailable

logger = logging.getLogger(__name__)

BODY_MAX_BYTES: Final = 32 * 2**20
"""Of one answer; a page of lists that is longer is asked for again with fewer objects."""
LINE_MAX_BYTES: Final = 8 * 2**20
"""Of one watch event. etcd takes objects of 1.5 MiB; their JSON can be longer than what it stores."""
ERROR_MAX_BYTES: Final = 2**16
RENEW_INTERVAL_S: Final = 5.0
"""Credentials that are refused are read again at most so often."""
MERGE_PATCH: Final = "application/merge-patch+json"
JSON: Final = "application/json"
METADATA: Final = "application/json;as={kind};g=meta.k8s.io;v=v1"
"""Objects without spec and status; `kind` is PartialObjectMetadata, with List at its end for lists."""
HEADERS: Final = {"Accept-Encoding": "identity"}
"""Not packed: on a cluster's network that costs both sides more time than it saves."""

CALL_ERRORS: Final = (
    aiohttp.ClientError,
    OSError,  # TimeoutError and TLS among them
    OpenApiException,
    ConfigException,
    ValueError,  # a body that is no JSON, a header that cannot be sent
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `what` names it in messages and metrics."""

    what: str
    method: str
    path: str
    query: Mapping[str, str | int]
    body: Any = None
    """What JSON can hold."""
    content_type: str = JSON
    accept: str = JSON
    max_bytes: int | None = None
    """Of the answer; None: BODY_MAX_BYTES."""
    permit_s: Callable[[], float] | None = None
    """Asked right before it is sent, each time: how many seconds it may take. What it raises goes through."""


class ApiCalls:
    """Connections to one API server, with credentials that are read again when they are refused."""

    def __init__(
        self,
        configuration: Configuration,
        load: Callable[[], Awaitable[Configuration]],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        user_agent: str,
        count: Count,
    ) -> None:
        """`load` reads the configuration again, and raises NoAccess; `timeout_s` is for one call.

        Raises OSError if the certificates that the configuration names cannot be used.
        """
        self._client = _build_client(configuration)
        self._retired: ApiClient | None = None
        self._load = load
        self._timeout_s = timeout_s
        self._clock = clock
        self._headers = {**HEADERS, "User-Agent": user_agent}
        self._count = count
        self._renewed_s = clock() - RENEW_INTERVAL_S
        self._renewing = asyncio.Lock()

    async def call(self, request: Request) -> bytes:
        """Return the body of the answer; raises ClusterError."""
        max_bytes = request.max_bytes or BODY_MAX_BYTES
        with counted(request.what, CALL_ERRORS, self._count):
            response = await self._open(request, aiohttp.ClientTimeout(total=self._timeout_s))
            async with response:
                body = await _read(response, max_bytes + 1)
            if len(body) > max_bytes:
                raise AnswerTooLong(f"{request.what}: the answer has more than {max_bytes} bytes")
            return body

    async def call_json(self, request: Request) -> dict[str, Any]:
        """Return the object that the API server answered with; raises ClusterError."""
        body = await self.call(request)
        with counted(request.what, CALL_ERRORS, self._count):
            answer = json.loads(body)
            if not isinstance(answer, dict):
                raise ValueError("the answer is no object")  # noqa: TRY004 - of the text, not of the call
        return answer

    async def watch(
        self, request: Request, on_open: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of a watch; it ends when the server ends it or its connection breaks.

        `on_open` is called once the server has taken it, which may be long before the first event.
        An event that was not received whole is dropped; it comes again from the last version on. Raises
        ClusterError for an answer, event or line after which going on would not be right. Close it to close
        its connection.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s)
        with counted(request.what, CALL_ERRORS, self._count):
            response = await self._open(request, limits)
            on_open()
            try:
                async for line in _lines(response.content, request.what, self._count):
                    yield _event(request.what, line)
            finally:
                _abort(response)

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._client, self._retired):
            if client is not None:
                await client.close()  # type: ignore[no-untyped-call]

    async def _open(self, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Return a response that is no error; with new credentials where the old ones are refused."""
        client = self._client
        try:
            response = await self._send(client, request, limits)
        except (ssl.SSLError, aiohttp.ClientSSLError):
            if not await self._renew(client):
                raise
            response = await self._send(self._client, request, limits)
        if response.status == HTTPStatus.UNAUTHORIZED and await self._renew(client):
            response.release()
            response = await self._send(self._client, request, limits)
        if response.ok:
            return response
        async with response:
            body = await _read(response, ERROR_MAX_BYTES)
        raise error_of_answer(request.what, response.status, response.headers, body)

    async def _send(
        self, client: ApiClient, request: Request, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        # The client's own `param_serialize` walks through every body, which took a quarter of a call's time.
        headers = {**self._headers, "Accept": request.accept, "Content-Type": request.content_type}
        await client.update_params_for_auth(headers, [], [TOKEN], request.path, request.method, request.body)
        query = f"?{urlencode(request.query)}" if request.query else ""
        url = f"{client.configuration.host}{request.path}{query}"
        # A token file written by hand ends in a line break, which no header may hold.
        headers = {name: str(value).strip() for name, value in headers.items()}
        allowed_s = self._timeout_s if request.permit_s is None else request.permit_s()
        async with asyncio.timeout(min(self._timeout_s, allowed_s)):
            answer = await client.call_api(
                request.method, url, headers, request.body, _request_timeout=limits
            )
        return cast("aiohttp.ClientResponse", answer.response)

    async def _renew(self, refused: ApiClient) -> bool:
        """Read the credentials again; return whether there are others than those that were refused."""
        async with self._renewing:
            if self._client is not refused:
                return True
            if self._clock() - self._renewed_s < RENEW_INTERVAL_S:
                return False
            self._renewed_s = self._clock()
            try:
                client = _build_client(await self._load())
            except (NoAccess, OSError) as error:
                logger.warning("credentials cannot be read again", extra={"error": str(error)})
                return False
            # What is under way on the old connections may end; its watches do within their window.
            if self._retired is not None:
                await self._retired.close()  # type: ignore[no-untyped-call]
            self._retired, self._client = refused, client
            logger.info("credentials were refused and read again")
            return True


def _abort(response: aiohttp.ClientResponse) -> None:
    """Close a connection without the goodbye of TLS, which nobody would wait for."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def _build_client(configuration: Configuration) -> ApiClient:
    return ApiClient(configuration)


async def _read(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    """Return the body, or so many bytes of it."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= limit_bytes:
            response.close()
            break
    return bytes(body[:limit_bytes])


async def _lines(content: aiohttp.StreamReader, what: str, count: Count) -> AsyncGenerator[bytes, None]:
    """Yield whole lines, however they were cut into chunks; a last one without its end only if it is JSON."""
    held = bytearray()
    try:
        async for chunk in content.iter_any():
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                line, held = bytes(held + end), bytearray()
                if line.strip():
                    yield line
            held += rest
            if len(held) > LINE_MAX_BYTES:
                raise ClusterUnavailable(f"{what}: an event has more than {LINE_MAX_BYTES} bytes")
    except (aiohttp.ClientError, OSError) as error:
        count(what, CONNECTION_BROKEN)
        logger.debug("a watch broke", extra={"call": what, "error": str(error)})
        return
    if _is_json(held):
        yield bytes(held)


def _is_json(text: bytes | bytearray) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _event(what: str, line: bytes) -> dict[str, Any]:
    """Return {type, object}; raises ClusterError for an error event and for what is no event."""
    event = json.loads(line)
    if not isinstance(event, dict):
        raise ClusterUnavailable(f"{what}: a line is no event")
    if event.get("kind") == "Status":
        raise error_of_status(what, event)
    found = event.get("object")
    if not isinstance(found, dict) or not isinstance(event.get("type"), str):
        raise ClusterUnavailable(f"{what}: a line is no event")
    if event["type"] == "ERROR":
        raise error_of_status(what, found)
    return event
