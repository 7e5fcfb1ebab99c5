"""The one way to the language model: any OpenAI-compatible endpoint, typed answers, one layer of retries.

Every request, a retry and a re-ask included, is paid for from the budget before it is sent and settled when
its answer was read.
"""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import httpx
from pydantic import BaseModel

from gather_contracts.meters import Timer
from gather_worker.attempt import Attempt
from gather_worker.errors import (
    AnswerInvalid,
    BudgetUsed,
    ModelError,
    ModelRejected,
    ModelTransient,
    ModelUnavailable,
)
from gather_worker.llm.answer_cache import AnswerCache, KeptAnswer, cache_key
from gather_worker.llm.budget import BudgetGuard, LedgerStore
from gather_worker.llm.chat_completion import (
    Completion,
    read_answer,
    read_completion,
    read_usage,
    read_writer,
)
from gather_worker.llm.circuit_breaker import CircuitBreaker
from gather_worker.llm.endpoint import Endpoint, Messages
from gather_worker.llm.ledger import NOTHING, Ledger, Reserve, Usage
from gather_worker.llm.tracing import Tracing
from gather_worker.metrics import METER
from gather_worker.prompts import Prompt
from gather_worker.prompts.tokens import TokenRatios, count_tokens
from gather_worker.schemas import json_schema

ATTEMPTS_MAX: Final = 6
"""With the waits below about a minute: longer trouble is for the Job's backoff, which costs nothing."""
BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 30.0
RETRY_AFTER_EXTRA_S: Final = 0.5
"""At most so much later than the server asked, so that workers do not come back all at once."""
REASK_SHOWN_CHARS: Final = 4000

AnswerT = TypeVar("AnswerT", bound=BaseModel)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signed(Generic[AnswerT]):
    """An answer and the model that wrote it."""

    answer: AnswerT
    writer: str


@dataclass(frozen=True, slots=True)
class _Question(Generic[AnswerT]):
    """What is asked of whom, whichever try it is."""

    model: str
    prompt: Prompt
    answer: type[AnswerT]
    schema: Mapping[str, Any]
    """The answer's, as the API wants it."""
    key: str


class ModelGateway:
    """Asks a model and returns typed answers.

    `timeout_s` limits one request, the attempt's remaining time all of them. `fallback_model` is asked while
    the breaker of the wanted one is open. `budget` pays, `cache` keeps good answers for questions of the same
    `run`; without them there is no limit and no memory.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        attempt: Attempt,
        *,
        timeout_s: float,
        max_tokens: int,
        fallback_model: str | None = None,
        budget: BudgetGuard | None = None,
        cache: AnswerCache | None = None,
        run: str = "",
        tracing: Tracing | None = None,
    ) -> None:
        self._endpoint = Endpoint(client, timeout_s)
        self._attempt = attempt
        self._max_tokens = max_tokens
        self._fallback_model = fallback_model
        self._budget = budget or BudgetGuard()
        self._cache = cache
        self._run = run
        self._tracing = tracing or Tracing()
        self._breakers: dict[str, CircuitBreaker] = {}
        self._ratios = TokenRatios()

    def save_ledger_in(self, store: LedgerStore) -> None:
        """Keep what is spent there from now on."""
        self._budget.save_ledger_in(store)

    @property
    def ledger(self) -> Ledger:
        """Return what was spent, over all attempts."""
        return self._budget.ledger

    @property
    def is_budget_used(self) -> bool:
        """Tell whether a request did not fit into the budget any more."""
        return self._budget.is_used

    async def is_budget_ample(self) -> bool:
        """Tell whether several requests at a time take nothing from each other; raises as the book does."""
        return await self._budget.is_ample()

    def token_ratio(self, model: str) -> float:
        """Return how many of its tokens the model needs for one of ours, 1 until it has answered."""
        return self._ratios.ratio(model)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
        if self._cache:
            await self._cache.close()

    async def ask(self, model: str, prompt: Prompt, answer: type[AnswerT], *, scope: str = "") -> AnswerT:
        """Return the model's answer in the asked-for shape; see `ask_signed`."""
        return (await self.ask_signed(model, prompt, answer, scope=scope)).answer

    async def ask_signed(
        self, model: str, prompt: Prompt, answer: type[AnswerT], *, scope: str = ""
    ) -> Signed[AnswerT]:
        """Return the model's answer and who wrote it, after one re-ask at most.

        Args:
            model: the model's name at the endpoint.
            prompt: what is asked.
            answer: the shape of the answer.
            scope: what sets this question apart from one with the same words; equal questions of one scope
                and run get the kept answer.

        Raises:
            AnswerInvalid, ModelUnavailable, ModelRejected (BudgetUsed is one), what `Attempt.race` raises,
            and what keeping the ledger raises.
        """
        with METER.waiting_for_model():
            return await self._ask(self._question(model, prompt, answer, scope))

    async def _ask(self, question: _Question[AnswerT]) -> Signed[AnswerT]:
        if kept := await self._recall(question):
            return kept
        prompt = question.prompt
        try:
            return await self._persist(question, prompt.messages())
        except AnswerInvalid as error:
            _LOGGER.warning(
                "the model's answer is invalid, asking once more", extra={"prompt": prompt.version}
            )
            again = [*prompt.messages(), *_reask(error.text, str(error))]
        return await self._persist(question, again)

    def _question(self, model: str, prompt: Prompt, answer: type[AnswerT], scope: str) -> _Question[AnswerT]:
        schema = json_schema(answer)
        key = cache_key(
            model,
            prompt.messages(),
            version=prompt.version,
            schema=schema,
            parameters={"max_tokens": self._max_tokens},
            scope=f"{self._run}/{scope}",
        )
        wanted = {"name": prompt.name, "strict": True, "schema": schema}
        return _Question(model, prompt, answer, wanted, key)

    # --- kept answers

    async def _recall(self, question: _Question[AnswerT]) -> Signed[AnswerT] | None:
        kept = await self._cache.get(question.key) if self._cache else None
        if kept is None:
            return None
        try:
            answer = read_answer(Completion(kept.text, is_cut_off=False), question.answer)
        except AnswerInvalid:
            return None
        # Its process may have ended before it could enter the price.
        usage = Usage(kept.tokens_in, kept.tokens_out, kept.cost_usd)
        await self._budget.charge_found(kept.reserve_id, usage)
        _LOGGER.info("the answer was paid for before", extra={"prompt": question.prompt.version})
        return Signed(answer, kept.writer)

    async def _keep(
        self, question: _Question[AnswerT], text: str, writer: str, reserve: Reserve, usage: Usage
    ) -> None:
        if self._cache:
            kept = KeptAnswer(
                text=text,
                writer=writer,
                reserve_id=reserve.id,
                cost_usd=usage.cost_usd,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
            )
            await self._cache.put(question.key, kept)

    # --- the one layer of retries

    async def _persist(self, question: _Question[AnswerT], messages: Messages) -> Signed[AnswerT]:
        await self._wait_for_breakers(question.model)
        for number in range(1, ATTEMPTS_MAX + 1):
            model = self._choose(question.model)
            try:
                return await self._try(model, question, messages)
            except ModelTransient as error:
                await self._after_failure(number, question.model, error)
        raise AssertionError("unreachable: the last failure raises")

    async def _try(self, model: str, question: _Question[AnswerT], messages: Messages) -> Signed[AnswerT]:
        breaker = self._breaker(model)
        self._breakers[model] = breaker.asked(time.monotonic())
        try:
            signed = await self._send(model, question, messages)
        except ModelTransient as error:
            self._breakers[model] = breaker.failed(time.monotonic(), error.retry_after_s)
            raise
        except BudgetUsed:
            raise
        except ModelRejected as error:
            if model == question.model:
                raise
            self._fallback_model = None
            _LOGGER.error("the fallback model %s is refused and not asked again: %s", model, error)  # noqa: TRY400
            raise ModelTransient(str(error)) from error
        except AnswerInvalid:
            self._breakers[model] = breaker.succeeded()
            raise
        self._breakers[model] = breaker.succeeded()
        return signed

    async def _after_failure(self, number: int, wanted: str, error: ModelTransient) -> None:
        """Wait before the next try; raises ModelUnavailable if there is none."""
        now_s = time.monotonic()
        is_other_free = self._choose(wanted) != wanted
        wait_s = 0.0 if is_other_free else _wait_s(number, error.retry_after_s)
        if number == ATTEMPTS_MAX or (wait_s and wait_s >= self._attempt.remaining_s):
            raise ModelUnavailable(str(error)) from error
        _LOGGER.warning(
            "the model is away, %s: %s",
            "asking the fallback" if is_other_free else "waiting",
            error,
            extra={
                "attempt": number,
                "wait_s": round(wait_s, 1),
                "breaker": self._breaker(wanted).state(now_s),
            },
        )
        await self._attempt.sleep(wait_s)

    async def _wait_for_breakers(self, model: str) -> None:
        """Wait until the model or its fallback may be asked; raises ModelUnavailable beyond the deadline."""
        wait_s = self._breaker(self._choose(model)).wait_s(time.monotonic())
        if not wait_s:
            return
        if wait_s >= self._attempt.remaining_s:
            raise ModelUnavailable("the model has failed too often, and there is no time to wait for it")
        _LOGGER.warning("the model is left alone for a while", extra={"wait_s": round(wait_s, 1)})
        await self._attempt.sleep(wait_s)

    def _choose(self, model: str) -> str:
        """Return the model itself unless only its fallback may be asked now."""
        now_s, fallback = time.monotonic(), self._fallback_model
        if (
            fallback is None
            or not self._breaker(model).wait_s(now_s)
            or self._breaker(fallback).wait_s(now_s)
        ):
            return model
        return fallback

    def _breaker(self, model: str) -> CircuitBreaker:
        return self._breakers.get(model, CircuitBreaker())

    # --- one request

    async def _send(self, model: str, question: _Question[AnswerT], messages: Messages) -> Signed[AnswerT]:
        """Send one request and settle it, whatever it comes to.

        If no answer is read (the attempt ends, the connection breaks), the reserve stands as spent.
        """
        counted = _counted(messages, question)
        race = self._attempt.race
        reserve = await self._budget.reserve(
            model, counted, self._max_tokens, lambda name: race(self._endpoint.find_price(name))
        )
        limit = reserve.tokens_out
        with self._tracing.call(self._endpoint.name, model, question.prompt.version, limit) as span:
            body = await self._body(reserve, question, messages)
            reported = read_usage(body)
            if reported:
                self._ratios.observe(model, counted, reported.tokens_in)
            usage = self._budget.with_cost(model, reported or _unreported(body, reserve))
            writer = read_writer(body, model)
            span.answered(writer, usage)
            try:
                completion = read_completion(body)
                answer = _read(completion, question.answer)
                await self._keep(question, completion.text, writer, reserve, usage)
            finally:
                await self._budget.charge(reserve, usage, counted if reported else 0)
            return Signed(answer, writer)

    async def _body(self, reserve: Reserve, question: _Question[AnswerT], messages: Messages) -> Any:
        call = self._endpoint.complete(
            reserve.model, messages, question.schema, reserve.tokens_out, self._attempt.remaining_s
        )
        try:
            with METER.timing(Timer.MODEL):
                return await self._attempt.race(call)
        except ModelError as error:
            if not (isinstance(error, ModelTransient) and error.may_be_charged):
                await self._budget.charge(reserve, NOTHING)
            raise


def _read(completion: Completion, answer: type[AnswerT]) -> AnswerT:
    try:
        return read_answer(completion, answer)
    except AnswerInvalid as error:
        error.text = completion.text
        raise


def _unreported(body: Any, reserve: Reserve) -> Usage:
    """Return what a request counts for whose `usage` is missing: an answer its worst, an error nothing.

    OpenRouter charges for no answer that ends in an error (its "zero completion insurance").
    """
    has_answer = isinstance(body, dict) and body.get("choices") and not body.get("error")
    return Usage(reserve.tokens_in, reserve.tokens_out) if has_answer else NOTHING


def _counted(messages: Messages, question: _Question[Any]) -> int:
    """Return the request's tokens by our own count, with the schema: some endpoints show it to the model."""
    texts = [message["content"] for message in messages]
    return sum(map(count_tokens, texts)) + count_tokens(repr(question.schema))


def _reask(wrong: str, reason: str) -> list[dict[str, str]]:
    return [
        {"role": "assistant", "content": wrong[:REASK_SHOWN_CHARS]},
        {"role": "user", "content": f"That answer cannot be used: {reason}. Answer again, with JSON only."},
    ]


def _wait_s(number: int, retry_after_s: float | None) -> float:
    """Return the wait before the next try: what the server asked for, else exponential with jitter."""
    if retry_after_s is not None:
        return retry_after_s + random.uniform(0, RETRY_AFTER_EXTRA_S)  # noqa: S311 - no secret
    limit_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (number - 1))
    return random.uniform(limit_s / 2, limit_s)  # noqa: S311 - no secret
