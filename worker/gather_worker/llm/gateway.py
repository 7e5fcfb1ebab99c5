"""The one way to the language model: any OpenAI-compatible endpoint, typed answers, one layer of retries.

The worst case of every request, a retry and a re-ask included, is reserved from the budget before it is sent;
its true cost is charged once the answer was read.
"""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

import httpx
from pydantic import BaseModel

from gather_clients.backoff import Backoff
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
from gather_worker.llm.bill import read_usage, unreported_usage
from gather_worker.llm.budget import BudgetGuard, LedgerStore
from gather_worker.llm.chat_completion import Completion, read_completion, read_writer
from gather_worker.llm.circuit_breaker import CircuitBreaker
from gather_worker.llm.endpoint import Endpoint
from gather_worker.llm.ledger import NOTHING, Ledger, Reserve, Usage
from gather_worker.llm.request_form import Messages, RequestForm, first_form
from gather_worker.llm.salvage import read_answer, request_again, salvage
from gather_worker.llm.tracing import Tracing
from gather_worker.metrics import METER
from gather_worker.prompts import Prompt
from gather_worker.prompts.tokens import TokenRatios, count_tokens
from gather_worker.schemas import json_schema

ATTEMPTS_MAX: Final = 6
"""With the waits below about a minute: longer trouble is for the Job's backoff, which costs nothing."""
BACKOFF: Final = Backoff(1.0, 30.0, jitter=(0.5, 1))
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
    """What is asked of whom, the same in every try."""

    model: str
    prompt: Prompt
    answer: type[AnswerT]
    schema: Mapping[str, Any]
    """The answer's, as the API wants it."""
    key: str
    found: tuple[BaseModel, ...] = ()
    """What an earlier answer to it held: good, but too little."""


class ModelGateway:
    """Asks a model and returns typed answers.

    `timeout_s` limits one request, the attempt's remaining time all of them. `fallback_model` is asked while
    the circuit breaker of the wanted one is open. `budget` pays, `cache` keeps good answers for questions of
    the same `run`; without them there is no limit and nothing is kept.
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
        self._first_form = first_form(is_openrouter=self._endpoint.is_openrouter)
        self._forms: dict[str, RequestForm] = {}
        """What was learned of models in this process."""
        self._breakers: dict[str, CircuitBreaker] = {}
        self._ratios = TokenRatios()

    def save_ledger_in(self, store: LedgerStore) -> None:
        """Keep the ledger there from now on."""
        self._budget.save_ledger_in(store)

    @property
    def ledger(self) -> Ledger:
        """Return what was spent, over all attempts."""
        return self._budget.ledger

    @property
    def is_budget_used(self) -> bool:
        """Return whether a request did not fit into the budget any more."""
        return self._budget.is_used

    async def is_budget_ample(self) -> bool:
        """Return whether the budget is ample for several requests at a time; raises as the store does."""
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
        schema, messages = json_schema(answer), prompt.messages()
        key = cache_key(
            model,
            messages,
            version=prompt.version,
            schema=schema,
            parameters={"max_tokens": self._max_tokens},
            scope=f"{self._run}/{scope}",
        )
        question = _Question(
            model, prompt, answer, {"name": prompt.name, "strict": True, "schema": schema}, key
        )
        with METER.waiting_for_model():
            if kept := await self._find_kept(question):
                return kept
            try:
                return await self._ask_with_retries(question, messages)
            except AnswerInvalid as error:
                _LOGGER.warning(
                    "the model's answer is invalid; asking once more", extra={"prompt": prompt.version}
                )
                messages += [
                    {"role": "assistant", "content": error.text[:REASK_SHOWN_CHARS]},
                    {"role": "user", "content": request_again(answer, error)},
                ]
                question = replace(question, found=error.found)
            return await self._ask_with_retries(question, messages)

    # --- kept answers

    async def _find_kept(self, question: _Question[AnswerT]) -> Signed[AnswerT] | None:
        kept = await self._cache.get(question.key) if self._cache else None
        if kept is None:
            return None
        try:
            answer = read_answer(Completion(kept.text, is_cut_off=False), question.answer)
        except AnswerInvalid:
            return None
        # The process that asked may have ended before it could charge the cost.
        usage = Usage(kept.tokens_in, kept.tokens_out, kept.cost_usd)
        await self._budget.charge_found(kept.reserve_id, usage)
        _LOGGER.info("using a kept answer", extra={"prompt": question.prompt.version})
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

    async def _ask_with_retries(self, question: _Question[AnswerT], messages: Messages) -> Signed[AnswerT]:
        await self._wait_for_breakers(question.model)
        for number in range(1, ATTEMPTS_MAX + 1):
            model = self._choose(question.model)
            try:
                return await self._try(model, question, messages)
            except ModelTransient as error:
                use_fallback = self._choose(question.model) != question.model
                if use_fallback:
                    wait_s = 0.0
                elif error.retry_after_s is None:
                    wait_s = BACKOFF.wait_s(number)
                else:
                    wait_s = error.retry_after_s + random.uniform(0, RETRY_AFTER_EXTRA_S)  # noqa: S311 - no secret
                if number == ATTEMPTS_MAX or (wait_s and wait_s >= self._attempt.remaining_s):
                    raise ModelUnavailable(str(error)) from error
                _LOGGER.warning(
                    "model request failed; %s: %s",
                    "asking the fallback" if use_fallback else "waiting before the next try",
                    error,
                    extra={
                        "attempt": number,
                        "wait_s": round(wait_s, 1),
                        "breaker": self._breaker(question.model).state(time.monotonic()),
                    },
                )
            await self._attempt.sleep(wait_s)
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
            _LOGGER.error("the fallback model %s was refused and is not asked again: %s", model, error)  # noqa: TRY400
            raise ModelTransient(str(error)) from error
        except AnswerInvalid:
            self._breakers[model] = breaker.succeeded()
            raise
        self._breakers[model] = breaker.succeeded()
        return signed

    async def _wait_for_breakers(self, model: str) -> None:
        """Wait until the model or its fallback may be asked; raises ModelUnavailable beyond the deadline."""
        wait_s = self._breaker(self._choose(model)).wait_s(time.monotonic())
        if not wait_s:
            return
        if wait_s >= self._attempt.remaining_s:
            raise ModelUnavailable("the model failed too often, and the deadline is too near to wait for it")
        _LOGGER.warning(
            "circuit breaker open; waiting before the next request", extra={"wait_s": round(wait_s, 1)}
        )
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

    def _form(self, model: str) -> RequestForm:
        """Return how the model is asked."""
        return self._forms.get(model, self._first_form)

    # --- one request

    async def _send(self, model: str, question: _Question[AnswerT], messages: Messages) -> Signed[AnswerT]:
        """Send one request and charge it, whatever it comes to.

        If no answer is read (the attempt ends, the connection breaks), the reserve stands as spent.
        """
        # With the schema: some endpoints show it to the model.
        counted = sum(count_tokens(message["content"]) for message in messages)
        counted += count_tokens(repr(question.schema))
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
            usage = self._budget.with_cost(model, reported or unreported_usage(body, reserve))
            writer = read_writer(body, model)
            span.answered(writer, usage)
            try:
                completion = read_completion(body)
                salvaged = salvage(completion, question.answer, question.found)
                answer = salvaged.answer
                if salvaged.dropped:
                    words = "%d entries of the model's answer were dropped: %s"
                    version = {"prompt": question.prompt.version}
                    _LOGGER.warning(words, salvaged.dropped, salvaged.problems or "too many", extra=version)
                await self._keep(question, answer.model_dump_json(), writer, reserve, usage)
            finally:
                await self._budget.charge(reserve, usage, counted if reported else 0)
            return Signed(answer, writer)

    async def _body(self, reserve: Reserve, question: _Question[AnswerT], messages: Messages) -> Any:
        request = self._form(reserve.model).body(reserve.model, messages, question.schema, reserve.tokens_out)
        call = self._endpoint.complete(request, self._attempt.remaining_s)
        try:
            with METER.timing(Timer.MODEL):
                return await self._attempt.race(call)
        except ModelError as error:
            if not (isinstance(error, ModelTransient) and error.may_be_charged):
                await self._budget.charge(reserve, NOTHING)
            raise
