"""Vectors from an endpoint that speaks OpenAI's embeddings API.

Its failures are "try again later" for the brain's callers, who can do nothing about them. Only the status
and the kind of a failure are logged, since error messages can quote texts and keys.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import httpx
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gather_brain.embeddings.embedder import Keep, keep_nothing
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.settings import ModelSettings
from gather_brain.errors import UnavailableError
from gather_brain.vectors import Matrix, unit_rows
from gather_clients.backoff import Backoff
from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.http_calls.held_keys import HeldKey
from gather_clients.http_calls.ways import way_to
from gather_clients.retry_after import retry_after_s

logger = logging.getLogger(__name__)

WAITING_MAX: Final = 64
"""Requests to the brain that wait for the endpoint, as before a local model."""
ANSWER_MAX_BYTES: Final = 64 * 1024 * 1024
"""2048 vectors of 1536 numbers are 60 MiB of JSON."""
BACKOFF: Final = Backoff(0.25, 2.0)
PROBE_TEXT: Final = "How long are the vectors?"
REFUSED_RETRY_AFTER_S: Final = 30
"""For a key or a model that the endpoint does not accept: a setting has to change."""
BUSY_RETRY_AFTER_S: Final = 5
RETRIED: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        *(status for status in HTTPStatus if status >= HTTPStatus.INTERNAL_SERVER_ERROR),
    }
)


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    index: Annotated[int, Field(ge=0)]
    embedding: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1)]


class _EmbeddingsResponse(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    data: list[_Row]


class RetryableError(Exception):
    """The attempt failed and another can succeed, after `retry_after_s` if the endpoint says so."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The endpoint will not serve this request, however often it is sent."""


class OpenAiProvider:
    """Asks the endpoint for batches of texts, some at a time, until a deadline."""

    def __init__(
        self,
        settings: ModelSettings,
        observe: Callable[[str, float], None] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`observe` gets the model's name and the seconds that each call took, retries included."""
        self._settings = settings
        self._model = settings.embedding_model or ""
        self._name = settings.model_name or self._model
        self._dimensions = settings.embedding_dimensions
        self._observe = observe
        self._waiting = 0
        self._turns = asyncio.Semaphore(settings.embedding_concurrency)
        self._url = f"{str(settings.embedding_base_url).rstrip('/')}/embeddings"
        self._client = httpx.AsyncClient(
            headers=ACCEPT_ENCODING,
            auth=HeldKey(settings.key_variable, settings.embedding_api_key),
            timeout=settings.embedding_timeout_s,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=settings.embedding_concurrency),
            **way_to(self._url, transport),
        )

    @property
    def name(self) -> str:
        """The model's name on nodes."""
        return self._name

    @property
    def dimensions(self) -> int:
        """The length of a vector.

        Raises:
            UnavailableError: the endpoint has not answered yet.
        """
        if self._dimensions is None:
            raise UnavailableError
        return self._dimensions

    async def prepare(self) -> None:
        """Learn the dimensions from the endpoint, unless they are set.

        Raises:
            UnavailableError: the endpoint is unavailable or refuses.
        """
        if self._dimensions is None:
            await self.embed([PROBE_TEXT])

    async def embed(self, texts: Sequence[str], keep: Keep = keep_nothing) -> Matrix:
        """Return one unit row for each text; `keep` gets each answer's as soon as it is there.

        Raises:
            UnavailableError: too many requests wait already, or the endpoint gave no valid answer in time.
        """
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        if self._waiting >= WAITING_MAX:
            raise UnavailableError(BUSY_RETRY_AFTER_S)
        size, deadline_s = self._settings.embedding_batch_size, self._settings.embedding_deadline_s
        deadline = time.monotonic() + deadline_s
        self._waiting += 1
        started = time.perf_counter()
        try:
            async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._embed_batch(texts[start : start + size], deadline, keep))
                    for start in range(0, len(texts), size)
                ]
            return np.concatenate([task.result() for task in tasks])
        except TimeoutError:
            logger.warning("embedding endpoint missed the deadline", extra={"model": self.name})
            raise UnavailableError from None
        except ExceptionGroup as failures:
            # The first of several with the same end.
            raise failures.exceptions[0] from None
        finally:
            self._waiting -= 1
            if self._observe:
                self._observe(self.name, time.perf_counter() - started)

    async def _embed_batch(self, texts: Sequence[str], deadline: float, keep: Keep) -> Matrix:
        cut, failures = [text[: self._settings.embedding_max_characters] for text in texts], 0
        async with self._turns:
            while True:
                try:
                    rows = await self._ask(cut)
                except RefusedError as failure:
                    extra = {"model": self.name, "reason": str(failure)}
                    logger.error("embedding endpoint refused the request", extra=extra)  # noqa: TRY400 - no trace needed
                    raise UnavailableError(REFUSED_RETRY_AFTER_S) from None
                except RetryableError as failure:
                    extra = {"model": self.name, "reason": str(failure)}
                    logger.warning("embedding endpoint failed", extra=extra)
                    failures += 1
                    asked_s = failure.retry_after_s
                    pause_s = BACKOFF.wait_s(failures) if asked_s is None else asked_s
                else:
                    keep(texts, rows)
                    return rows
                if time.monotonic() + pause_s >= deadline:
                    raise UnavailableError(max(1, round(pause_s)))
                await asyncio.sleep(pause_s)

    async def _ask(self, texts: Sequence[str]) -> Matrix:
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        if self._settings.embedding_send_dimensions:
            body["dimensions"] = self._settings.embedding_dimensions
        try:
            async with (
                asyncio.timeout(self._settings.embedding_timeout_s),
                self._client.stream("POST", self._url, json=body) as response,
            ):
                status = response.status_code
                content = await read_body(response, ANSWER_MAX_BYTES) if status == HTTPStatus.OK else b""
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as failure:
            raise RetryableError(type(failure).__name__) from failure
        except BodyTooLong as failure:
            raise RefusedError("the answer is too long") from failure
        if status in RETRIED:
            retry_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
            raise RetryableError(f"status {status}", retry_s)
        if status != HTTPStatus.OK:
            raise RefusedError(f"status {status}")
        # Off the loop: a large answer takes tens of milliseconds to read.
        rows = await asyncio.to_thread(vectors_in, content, len(texts), self._dimensions)
        self._dimensions = rows.shape[1]
        return rows

    async def unread(self, texts: Sequence[str]) -> list[Unread | None]:
        """Return nothing of any text: an endpoint does not say what its model was made for."""
        return [None] * len(texts)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def vectors_in(content: bytes, count: int, dimensions: int | None) -> Matrix:
    """Return the vectors of an answer in the order of the texts, each of length 1.

    Raises:
        RetryableError: an error inside a 200, no JSON, or missing vectors: what proxies make of a failure.
        RefusedError: vectors of other dimensions than expected.
    """
    try:
        answer = json.loads(content)
    except ValueError:
        raise RetryableError("the answer is not JSON") from None
    if not isinstance(answer, dict) or "error" in answer or "data" not in answer:
        raise RetryableError("an error inside a 200")
    try:
        rows = sorted(_EmbeddingsResponse.model_validate(answer).data, key=lambda row: row.index)
    except ValidationError:
        raise RetryableError("the answer has an unexpected form") from None
    if [row.index for row in rows] != list(range(count)):
        raise RetryableError(f"{len(rows)} vectors for {count} texts")
    lengths = {len(row.embedding) for row in rows}
    if len(lengths) != 1 or (dimensions is not None and lengths != {dimensions}):
        raise RefusedError(f"vectors of {sorted(lengths)} dimensions instead of {dimensions}")
    matrix = np.array([row.embedding for row in rows], np.float32)
    if not np.isfinite(matrix).all() or not matrix.any(axis=1).all():
        raise RetryableError("a vector is zero or not finite")
    return unit_rows(matrix)
