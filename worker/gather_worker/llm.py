"""The one way to the language model: any OpenAI-compatible endpoint, typed answers, one layer of retries.

The SDK's own retries are off, since retries in two layers multiply. Each attempt is charged to the ledger,
also one whose answer is useless.
"""

import asyncio
import email.utils
import logging
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from gather_contracts.meters import Timer
from gather_worker.answers import json_schema
from gather_worker.attempt import Attempt
from gather_worker.checkpoint import Ledger
from gather_worker.completion import error_of_status, parse_body, read_answer, read_completion, read_usage
from gather_worker.errors import AnswerInvalid, ModelError, ModelTransient, ModelUnavailable
from gather_worker.meters import METER, metered
from gather_worker.prompts import Prompt

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ATTEMPTS_MAX: Final = 6
"""With the waits below about a minute: longer trouble is for the Job's backoff, which costs nothing."""
BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 30.0
RETRY_AFTER_EXTRA_S: Final = 0.5
"""At most so much later than the server asked, so that workers do not come back all at once."""
REASK_SHOWN_CHARS: Final = 4000
NO_KEY: Final = "none"
"""The SDK wants some key, also where the endpoint wants none."""
OPENROUTER_HOST: Final = "openrouter.ai"

AnswerT = TypeVar("AnswerT", bound=BaseModel)
_LOGGER = logging.getLogger(__name__)


def new_client(base_url: str, api_key: str) -> "AsyncOpenAI":
    """Return the SDK's client; imported here because it takes half of the worker's start."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    return AsyncOpenAI(base_url=base_url, api_key=api_key or NO_KEY, max_retries=0)


class ModelGateway:
    """Asks a model and returns typed answers.

    `timeout_s` limits one request, the attempt's remaining time all of them.
    """

    def __init__(self, client: "AsyncOpenAI", attempt: Attempt, *, timeout_s: float, max_tokens: int) -> None:
        self._client = client
        self._attempt = attempt
        self._timeout_s = timeout_s
        self._max_tokens = max_tokens
        self._spent = Ledger()
        is_openrouter = (urlsplit(str(client.base_url)).hostname or "").endswith(OPENROUTER_HOST)
        # Only endpoints that honour the schema, and the price in every answer.
        extra: dict[str, Any] = {"provider": {"require_parameters": True}, "usage": {"include": True}}
        self._extra_body = extra if is_openrouter else None

    def take_spent(self) -> Ledger:
        """Return what was spent since the last call, for the checkpoint's ledger."""
        spent, self._spent = self._spent, Ledger()
        return spent

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(self, model: str, prompt: Prompt, answer: type[AnswerT]) -> AnswerT:
        """Return the model's answer in the asked-for shape, after one re-ask at most.

        Raises AnswerInvalid, ModelUnavailable, ModelRejected, and what `Attempt.race` raises.
        """
        with METER.waiting_for_model():
            return await self._ask(model, prompt, answer)

    async def _ask(self, model: str, prompt: Prompt, answer: type[AnswerT]) -> AnswerT:
        messages = prompt.messages()
        completion = await self._complete(model, messages, prompt, answer)
        try:
            return read_answer(completion, answer)
        except AnswerInvalid as error:
            _LOGGER.warning("the model's answer is invalid, asking once more", extra={"prompt": prompt.name})
            again = [*messages, *_reask(completion.text, str(error))]
        return read_answer(await self._complete(model, again, prompt, answer), answer)

    async def _complete(
        self, model: str, messages: list[dict[str, str]], prompt: Prompt, answer: type[BaseModel]
    ) -> Any:
        for number in range(1, ATTEMPTS_MAX + 1):
            try:
                return read_completion(await self._request(model, messages, prompt, answer))
            except ModelTransient as error:
                wait_s = _wait_s(number, error.retry_after_s)
                if number == ATTEMPTS_MAX or wait_s >= self._attempt.remaining_s:
                    raise ModelUnavailable(str(error)) from error
                _LOGGER.warning(
                    "the model is away, waiting: %s",
                    error,
                    extra={"attempt": number, "wait_s": round(wait_s, 1)},
                )
                await self._attempt.sleep(wait_s)
        raise AssertionError("unreachable: the last try raises")

    @metered(Timer.MODEL)
    async def _request(
        self, model: str, messages: list[dict[str, str]], prompt: Prompt, answer: type[BaseModel]
    ) -> Any:
        schema = {"name": prompt.name, "strict": True, "schema": json_schema(answer)}
        # Any: the SDK wants its own TypedDicts, which would import its types here.
        create: Any = self._client.chat.completions.with_raw_response.create
        call = create(
            model=model,
            messages=messages,
            response_format={"type": "json_schema", "json_schema": schema},
            max_tokens=self._max_tokens,
            timeout=min(self._timeout_s, max(self._attempt.remaining_s, 0.1)),
            extra_body=self._extra_body,
        )
        try:
            response = await self._attempt.race(call)
        except Exception as error:
            failure = _failure(error)
            if failure is None:
                raise
            self._spent = self._spent.plus(Ledger(requests=1))
            raise failure from error
        try:
            body = parse_body(response.content)
        except ModelError:
            self._spent = self._spent.plus(Ledger(requests=1))
            raise
        self._spent = self._spent.plus(read_usage(body))
        return body


def _failure(error: Exception) -> ModelError | None:
    """Return our error for one of the SDK's, None for any other."""
    import openai  # noqa: PLC0415

    if isinstance(error, openai.APIStatusError):
        retry_after_s = parse_retry_after(error.response.headers.get("Retry-After"), datetime.now(UTC))
        return error_of_status(error.status_code, f"the endpoint answered {error.status_code}", retry_after_s)
    if isinstance(error, openai.APIConnectionError | asyncio.TimeoutError):
        return ModelTransient(f"the endpoint cannot be reached: {type(error).__name__}")
    if isinstance(error, openai.OpenAIError):
        return ModelTransient(f"the endpoint's answer cannot be read: {type(error).__name__}")
    return None


def _reask(wrong: str, reason: str) -> list[dict[str, str]]:
    return [
        {"role": "assistant", "content": wrong[:REASK_SHOWN_CHARS]},
        {"role": "user", "content": f"That answer cannot be used: {reason}. Answer again, with JSON only."},
    ]


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


def _wait_s(number: int, retry_after_s: float | None) -> float:
    """Return the wait before the next try: what the server asked for, else exponential with jitter."""
    if retry_after_s is not None:
        return retry_after_s + random.uniform(0, RETRY_AFTER_EXTRA_S)  # noqa: S311 - no secret
    limit_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (number - 1))
    return random.uniform(limit_s / 2, limit_s)  # noqa: S311 - no secret
