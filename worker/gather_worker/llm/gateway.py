"""The one way to the language model: any OpenAI-compatible endpoint, typed answers, one layer of retries.

What follows a failure or an answer that cannot be used is decided by the tables of `failures` and `asking`;
here it is done.
"""

import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel

from gather_clients.backoff import Backoff
from gather_worker.attempt import Attempt
from gather_worker.errors import (
    AnswerInvalid,
    BudgetUsed,
    ModelRejected,
    ModelTransient,
    ModelUnavailable,
)
from gather_worker.llm.answer_cache import AnswerCache, cache_key
from gather_worker.llm.asking.course import (
    LONGER,
    LONGER_AFTER_REASONING,
    PAID_MAX,
    UNANSWERED_MAX,
    After,
    Course,
    Question,
    after_answer,
    reask,
    taken,
)
from gather_worker.llm.asking.failed_request import FailedRequest, failed_request, step_after
from gather_worker.llm.asking.faults import Fault, is_of_api
from gather_worker.llm.asking.known_models import KnownModels
from gather_worker.llm.asking.missing_models import find_missing
from gather_worker.llm.asking.sender import Sender, Signed, UnusableAnswer, request_again
from gather_worker.llm.billing.charges import Charges
from gather_worker.llm.budget import BudgetGuard, LedgerStore
from gather_worker.llm.endpoint import Endpoint
from gather_worker.llm.failures import Step, spent_words
from gather_worker.llm.ledger import Ledger
from gather_worker.llm.model_names import MissingModel
from gather_worker.llm.preferences import ModelPreferences
from gather_worker.llm.request_form import Messages, first_form, with_less_reasoning
from gather_worker.llm.tracing import Tracing
from gather_worker.metrics import METER
from gather_worker.prompts import Prompt
from gather_worker.schemas import json_schema

BACKOFF: Final = Backoff(1.0, 30.0, jitter=(0.5, 1))
ADDRESS_PAUSE_S: Final = 5.0
"""At least, and twice that the second time: a page may be a proxy's that starts, and it ends a department."""
RETRY_AFTER_EXTRA_S: Final = 0.5
"""At most so much later than the server asked, so that workers do not come back all at once."""
USELESS_MAX: Final = 3
"""Questions of one kind in a row without a usable answer before no more is paid for: a judge that never
answers in shape would be paid to the end of the department."""

AnswerT = TypeVar("AnswerT", bound=BaseModel)
_LOGGER = logging.getLogger(__name__)


class ModelGateway:
    """Asks a model and returns typed answers.

    `timeout_s` limits one request, the attempt's remaining time all of them; no answer has more than
    `max_tokens`. `preferences` go with every request; their fallback models are asked while the circuit
    breaker of the wanted one is open, or where it is refused. `budget` pays, `cache` keeps good answers for
    questions of the same `run`; without them there is no limit and nothing is kept.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        attempt: Attempt,
        *,
        timeout_s: float,
        max_tokens: int,
        preferences: ModelPreferences | None = None,
        budget: BudgetGuard | None = None,
        cache: AnswerCache | None = None,
        run: str = "",
        tracing: Tracing | None = None,
    ) -> None:
        self._endpoint = Endpoint(client, timeout_s)
        self._attempt = attempt
        self._max_tokens = max_tokens
        self._budget = budget or BudgetGuard()
        self._cache = cache
        self._run = run
        wishes = preferences or ModelPreferences()
        self._budget.expect(wishes.extra_body)
        form = first_form(is_openrouter=self._endpoint.is_openrouter, preferences=wishes)
        self._models = KnownModels(form, wishes.fallback_models)
        self._timeout_s = timeout_s
        self._are_forms_known = False
        self._unanswered_before: dict[str, int] = {}
        """Requests in a row that earlier attempts have paid without an answer, by model."""
        self._useless = Counter[tuple[str, str]]()
        """Questions in a row that had no usable answer, by model and prompt."""
        self._unanswered_at = defaultdict[tuple[str, str], float](float)
        """When the last of them was paid and not answered at all."""
        self._sender = Sender(
            self._endpoint, attempt, self._budget, Charges(self._budget, self._endpoint.name), self._models,
            wishes, max_tokens, cache, tracing or Tracing(),
        )  # fmt: skip

    def call_when_asking(self, begin: Callable[[], None]) -> None:
        """Call `begin` whenever a request is about to be sent; it must not take time."""
        self._sender = replace(self._sender, when_asking=begin)

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
        return self._models.ratios.ratio(model)

    def learned_form(self, model: str) -> str:
        """Return in which form the model is asked, where that is not the first one; "" if it is."""
        return self._models.form(model).learned()

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
        if self._cache:
            await self._cache.close()

    async def ask(self, model: str, prompt: Prompt, answer: type[AnswerT], *, scope: str = "") -> AnswerT:
        """Return the model's answer in the asked-for shape; see `ask_signed`."""
        return (await self.ask_signed(model, prompt, answer, scope=scope)).answer

    async def ask_signed(
        self, model: str, prompt: Prompt, answer: type[AnswerT], *, scope: str = "", language: str = ""
    ) -> Signed[AnswerT]:
        """Return the model's answer and who wrote it.

        Args:
            model: the model's name at the endpoint.
            prompt: what is asked.
            answer: the shape of the answer.
            scope: what sets this question apart from one with the same words; equal questions of one scope
                and run get the kept answer.
            language: the code of the language that the answer is written in; "" if that is not known.

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
        asked = {"name": prompt.name, "strict": True, "schema": schema}
        question = Question(model, prompt, answer, asked, key, language)
        with METER.waiting_for_model():
            return await self._sender.find_kept(question) or await self._ask_paid(question, messages)

    async def _ask_paid(self, question: Question[AnswerT], messages: Messages) -> Signed[AnswerT]:
        """Ask, unless this kind of question was answered uselessly too often in a row."""
        kind = question.model, question.prompt.name
        if self._useless[kind] >= USELESS_MAX:
            words = f"no usable answer {USELESS_MAX} times in a row: it is not asked again"
            raise AnswerInvalid(f"{question.model} gave {words}")
        course = Course(messages, time.monotonic())
        try:
            signed = await self._pursue(question, course)
        except AnswerInvalid:
            self._useless[kind] += 1
            raise
        except ModelUnavailable:
            # Several verdicts that are asked for at once meet one trouble.
            if course.paid and course.begun_s >= self._unanswered_at[kind]:
                self._useless[kind] += 1
                self._unanswered_at[kind] = time.monotonic()
            raise
        self._useless[kind] = 0
        return signed

    async def find_missing(self, model: str, timeout_s: float) -> MissingModel | None:
        """Return that the endpoint does not have the model; see `missing_models`."""
        return await find_missing(self._sender, model, timeout_s)

    # --- a question's course

    async def _pursue(self, question: Question[AnswerT], course: Course) -> Signed[AnswerT]:
        """Ask until there is an answer; `next_step` and `after_answer` say how it goes on."""
        await self._learn_forms()
        if question.is_for_notes:
            self._pass_over_spent(question.model, course)
        await self._wait_for_breakers(question.model, course)
        while True:
            model = self._models.choose(question.model, time.monotonic(), course.passed_over)
            course.requests += 1
            self._models.asked(model, time.monotonic())
            try:
                signed = await self._sender.send(model, question, course)
            except BudgetUsed:
                raise
            except UnusableAnswer as unusable:
                self._models.succeeded(model)
                if taken := self._after_unusable(question, course, model, unusable):
                    return taken
            except (ModelTransient, ModelRejected) as error:
                await self._attempt.sleep(self._after_failure(question, course, model, error))
            else:
                self._models.succeeded(model)
                await self._keep_form(course, model)
                return signed

    async def _learn_forms(self) -> None:
        if not self._are_forms_known:
            self._models.learn(await self._budget.learned_forms())
            self._models.has_answered |= self._budget.ledger.tokens_out > 0
            self._unanswered_before = {each.model: each.requests for each in self._budget.ledger.unanswered}
            self._are_forms_known = True

    def _pass_over_spent(self, model: str, course: Course) -> None:
        """Leave out who has not answered too often, over all attempts; raises ModelSpent if that is all."""
        for each in self._models.candidates(model):
            if (times := self._budget.ledger.unanswered_by(each)) >= UNANSWERED_MAX:
                course.spend(each, spent_words(each, times, self._timeout_s))
        if not self._models.candidates(model, course.passed_over):
            raise course.end()

    def _is_spent(self, question: Question[AnswerT], model: str) -> bool:
        """Return whether the model has not answered as often as an attempt may pay for notes."""
        most = min(UNANSWERED_MAX, max(PAID_MAX, self._unanswered_before.get(model, 0) + 1))
        return question.is_for_notes and self._budget.ledger.unanswered_by(model) >= most

    async def _keep_form(self, course: Course, model: str) -> None:
        """Keep for the run what a good answer has shown to work, but for a limit that is of this prompt."""
        known = self._models.form(model)
        if model in course.forms:
            self._models.set_form(model, replace(course.forms[model], limit_max=known.limit_max))
        await self._budget.keep_form(model, self._models.form(model).learned())

    async def _wait_for_breakers(self, model: str, course: Course) -> None:
        """Wait until the model or a fallback may be asked; raises ModelUnavailable beyond the deadline."""
        now_s = time.monotonic()
        wait_s = self._models.breaker(self._models.choose(model, now_s, course.passed_over)).wait_s(now_s)
        if not wait_s:
            return
        if wait_s >= self._attempt.remaining_s:
            raise ModelUnavailable("the model failed too often, and the deadline is too near to wait for it")
        _LOGGER.warning(
            "circuit breaker open; waiting before the next request", extra={"wait_s": round(wait_s, 1)}
        )
        await self._attempt.sleep(wait_s)

    # --- after a failure

    def _after_failure(
        self, question: Question[AnswerT], course: Course, model: str, error: ModelTransient | ModelRejected
    ) -> float:
        """Do what follows, and return the seconds to wait before it; raises where nothing does."""
        form = self._sender.form(course, model)
        asked = form.limit(self._sender.limit(question, course, model))
        others = self._models.candidates(question.model, {model, *course.passed_over})
        failed = failed_request(error, model, form, asked, others, has_answered=self._models.has_answered)
        course.faults[model, failed.fault] += 1
        self._models.has_answered |= is_of_api(error.refusal)
        if failed.is_passing:
            self._models.failed(model, time.monotonic(), failed.retry_after_s)
        is_spent = self._is_spent(question, model)
        step = step_after(course, failed, question.paid_max, is_spent=is_spent)
        if step is Step.AGAIN:
            return self._pause_s(question, course, failed)
        if step is Step.OTHER_FORM:
            self._take_form(course, failed)
            _LOGGER.warning("model %s is asked in another form: %s", model, error)
            return 0.0
        course.gave_up(model, failed.ends_as, failed.words)
        if (times := self._budget.ledger.unanswered_by(model)) >= UNANSWERED_MAX and is_spent:
            course.spend(model, spent_words(model, times, self._timeout_s, str(error)))
        if step is Step.END:
            raise course.end() from error
        if failed.fault is not Fault.FILTER:  # which is about this question's texts
            self._models.refused(model, time.monotonic())
        _LOGGER.error("model refused; asking %s: %s", others[0], failed.words)
        return 0.0

    def _take_form(self, course: Course, failed: FailedRequest) -> None:
        """What the endpoint itself names is the run's; a guess, or room in this context, the question's."""
        form = failed.named or failed.guessed
        if course.other_shapes.get(failed.model):
            course.other_shapes[failed.model] = False  # it was only tried, and teaches nothing
            return
        if form is None:
            return
        if failed.named and failed.is_of_form:
            self._models.set_form(failed.model, form)
            course.forms.pop(failed.model, None)
        else:
            course.forms[failed.model] = form

    def _pause_s(self, question: Question[AnswerT], course: Course, failed: FailedRequest) -> float:
        """Return the wait before the same request; raises ModelUnavailable where it would be one too many."""
        course.tries += 1
        following = self._models.choose(question.model, time.monotonic(), course.passed_over)
        least_s = ADDRESS_PAUSE_S * course.tries if failed.fault is Fault.ADDRESS else 0.0
        wait_s = 0.0 if following != failed.model else pause_s(course.tries, failed.retry_after_s, least_s)
        again_s = time.monotonic() - course.begun_s + wait_s
        is_over = course.tries >= failed.tries_max or not question.is_worth_waiting(failed.fault, again_s)
        if is_over or (wait_s and wait_s >= self._attempt.remaining_s):
            raise ModelUnavailable(failed.words)
        _LOGGER.warning(
            "model request failed; %s: %s",
            f"asking {following}" if following != failed.model else "waiting before the next try",
            failed.words,
            extra={
                "attempt": course.tries,
                "wait_s": round(wait_s, 1),
                "breaker": self._models.breaker(question.model).state(time.monotonic()),
            },
        )
        return wait_s

    # --- after an answer that cannot be used

    def _after_unusable(
        self, question: Question[AnswerT], course: Course, model: str, unusable: UnusableAnswer
    ) -> Signed[AnswerT] | None:
        """Decide what follows; return what can be taken of the answers, None to go on; raises at the end."""
        error, seen = unusable.error, unusable.seen
        course.found = error.found
        before = self._sender.form(course, model)
        self._sender.observe_shape(course, model, seen)
        others = self._models.candidates(question.model, {model, *course.passed_over})
        has_other_way = bool(others) or self._sender.form(course, model) != before
        after = after_answer(course, question.paid_max, seen, has_other_way=has_other_way)
        words = f"model {model}: {seen.words(error)}"
        _LOGGER.warning(
            "an answer cannot be used; %s: %s", after.value, words, extra={"prompt": question.prompt.version}
        )
        if after is After.TAKE:
            return Signed(taken(question.answer, course.found), unusable.writer)
        if after is After.END:
            raise AnswerInvalid(words, error.text) from error
        if after is After.LONGER:
            course.longer = LONGER_AFTER_REASONING if seen.has_reasoning else LONGER
        elif after is After.LESS_REASONING:
            course.is_less = True
            course.forms[model] = with_less_reasoning(self._sender.form(course, model))
        elif after is After.REASK:
            course.is_reasked = True
            request = request_again(question.answer, error)
            course.messages = reask(course.messages, request, error.text)
        else:
            course.is_reasked = False
            course.messages = question.prompt.messages()
            if others:
                course.set_aside(model, words)
        return None


def pause_s(tries: int, retry_after_s: float | None, least_s: float = 0.0) -> float:
    """Return the wait before the same request: what the server asks for, and never less than our own.

    A Retry-After of 0 would else come to six tries within a second.
    """
    own_s = max(least_s, BACKOFF.wait_s(tries))
    if retry_after_s is None:
        return own_s
    return max(own_s, retry_after_s + random.uniform(0, RETRY_AFTER_EXTRA_S))  # noqa: S311 - no secret
