"""One request: paid for beforehand, sent, charged, read; good answers are kept.

The worst case of every request, a retry and a re-ask included, is reserved from the budget before it is sent;
its true cost is charged once the answer was read.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import BaseModel

from gather_contracts.meters import Timer
from gather_worker.attempt import Attempt
from gather_worker.errors import (
    AnswerInvalid,
    DeadlineNear,
    ModelError,
    ModelRejected,
    ModelTransient,
    Refusal,
)
from gather_worker.llm.answer_cache import AnswerCache, KeptAnswer
from gather_worker.llm.asking.answer_length import answer_limit
from gather_worker.llm.asking.course import Course, Question, Unusable, is_unenforced
from gather_worker.llm.asking.faults import is_cut_off
from gather_worker.llm.asking.known_models import SHAPELESS_MAX, KnownModels
from gather_worker.llm.asking.refusal import refused_answer
from gather_worker.llm.billing.charges import Charges
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.billing.usage_forms import BILLED
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.chat_completion import Completion, read_completion, read_writer
from gather_worker.llm.endpoint import Endpoint
from gather_worker.llm.failures import error_of, filtered
from gather_worker.llm.ledger import Reserve, Usage
from gather_worker.llm.preferences import ModelPreferences
from gather_worker.llm.request_form import (
    RequestForm,
    Shape,
    after_shapeless_answers,
    with_less_reasoning,
)
from gather_worker.llm.tracing import Tracing
from gather_worker.metrics import METER
from gather_worker.prompts.tokens import count_foreign_tokens, count_tokens

if TYPE_CHECKING:
    from gather_worker.llm.salvage import Salvaged

OTHER_API: Final = Refusal(200, message="JSON of another API", is_page=True)

AnswerT = TypeVar("AnswerT", bound=BaseModel)
_LOGGER = logging.getLogger(__name__)


def _salvaged(
    completion: Completion, answer: type[AnswerT], kept: Sequence[BaseModel] = ()
) -> "Salvaged[AnswerT]":
    """Return what an answer holds; its reader is imported with the first one: no start waits for it."""
    from gather_worker.llm.salvage import salvage  # noqa: PLC0415

    return salvage(completion, answer, kept)


def request_again(answer: type[BaseModel], error: AnswerInvalid) -> str:
    """Return what is asked after an answer that cannot be used."""
    from gather_worker.llm import salvage  # noqa: PLC0415 - likewise

    return salvage.request_again(answer, error)


@dataclass(frozen=True, slots=True)
class Signed(Generic[AnswerT]):
    """An answer and the model that wrote it."""

    answer: AnswerT
    writer: str


class UnusableAnswer(Exception):  # noqa: N818
    """An answer that cannot be used, with what the next step depends on."""

    def __init__(self, error: AnswerInvalid, seen: Unusable, writer: str) -> None:
        super().__init__(str(error))
        self.error, self.seen, self.writer = error, seen, writer


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends one request at a time, within the attempt, the budget and `max_tokens` an answer."""

    endpoint: Endpoint
    attempt: Attempt
    budget: BudgetGuard
    charges: Charges
    models: KnownModels
    preferences: ModelPreferences
    max_tokens: int
    cache: AnswerCache | None
    tracing: Tracing
    when_asking: Callable[[], None] = lambda: None

    async def find_kept(self, question: Question[AnswerT]) -> Signed[AnswerT] | None:
        kept = await self.cache.get(question.key) if self.cache else None
        if kept is None:
            return None
        try:
            answer = _salvaged(Completion(kept.text), question.answer).answer
        except AnswerInvalid:
            return None
        # The process that asked may have ended before it could charge the cost.
        usage = Usage(kept.tokens_in, kept.tokens_out, kept.cost_usd)
        await self.budget.charge_found(kept.reserve_id, usage)
        _LOGGER.info("using a kept answer", extra={"prompt": question.prompt.version})
        return Signed(answer, kept.writer)

    async def _keep(
        self, question: Question[AnswerT], text: str, writer: str, reserve: Reserve, usage: Usage
    ) -> None:
        if self.cache:
            kept = KeptAnswer(
                text=text,
                writer=writer,
                reserve_id=reserve.id,
                cost_usd=usage.cost_usd,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
            )
            await self.cache.put(question.key, kept)

    # --- how it is asked

    def form(self, course: Course, model: str) -> RequestForm:
        """Return how the model is asked now."""
        form = course.forms.get(model) or self.models.form(model)
        return after_shapeless_answers(form) if course.other_shapes.get(model) else form

    def observe_shape(self, course: Course, model: str, seen: Unusable) -> None:
        """Take in whether an answer had the shape that was asked for.

        If the first one shows that the shape is not enforced, the question goes on in the next shape; the run
        does so after `SHAPELESS_MAX`. Words of what was wrong may have given its shape to an answer.
        """
        is_told = course.is_reasked or bool(course.other_shapes.get(model))
        if not (seen.is_shapeless or (seen.has_entries and not is_told)):
            return
        times = self.models.answered_shapeless(model, is_shapeless=seen.is_shapeless)
        if times >= SHAPELESS_MAX:
            course.forms.pop(model, None)
            self.models.use_next_shape(model)
        elif times and seen.is_unenforced:
            course.other_shapes.setdefault(model, True)

    def limit(self, question: Question[AnswerT], course: Course, model: str) -> int:
        """Return how long the answer may be, in tokens, before the model's own limit."""
        reasoning = max(self.models.reasoning(model), self.preferences.reasoning_max_tokens or 0)
        limit = answer_limit(
            question.answer,
            self.max_tokens,
            language=question.language,
            ratio=self.models.ratios.ratio(model),
            effort=self.preferences.reasoning_effort or "",
            reasoning=reasoning,
        )
        return min(self.max_tokens, course.longer * limit)

    # --- one request

    async def send(self, model: str, question: Question[AnswerT], course: Course) -> Signed[AnswerT]:
        """Send one request and charge it, whatever it comes to.

        If no answer is read (the attempt ends, the connection breaks), the reserve stands as spent. Of notes
        it is counted over all attempts how often in a row that was so.
        """
        if not question.is_for_notes:
            return await self._send(model, question, course)
        paid = course.paid
        try:
            signed = await self._send(model, question, course)
        except UnusableAnswer:
            await self.budget.count_answered(model)
            raise
        except (ModelTransient, ModelRejected):
            if course.paid > paid:
                await self.budget.count_unanswered(model)
            raise
        await self.budget.count_answered(model)
        return signed

    async def _send(self, model: str, question: Question[AnswerT], course: Course) -> Signed[AnswerT]:
        form, wanted = self.form(course, model), self.limit(question, course, model)
        size = _size(course.messages, question.schema)
        race = self.attempt.race
        reserve = await self.budget.reserve(
            model, size, form.limit(wanted), lambda name: race(self.endpoint.find_price(name))
        )
        limit = reserve.tokens_out
        with self.tracing.call(self.endpoint.name, model, question.prompt.version, limit) as span:
            body = await self._body(reserve, question, course, form, size.texts)
            charge = self.charges.of_body(reserve, body, size.texts)
            usage = charge.usage
            if charge.bill and charge.bill.tokens_in:
                self.models.ratios.observe(model, size.whole, charge.bill.tokens_in)
                self.models.observe_reasoning(model, charge.bill.reasoning)
            course.paid += bool(usage.tokens_in or usage.tokens_out or usage.cost_usd)
            writer = read_writer(body, model)
            span.answered(writer, usage)
            try:
                if charge.is_excused:
                    raise error_of(OTHER_API)
                completion = read_completion(body)
                self.models.has_answered = True
                answer = self._read(completion, question, course)
                await self._keep(question, answer.model_dump_json(), writer, reserve, usage)
            except AnswerInvalid as error:
                is_longest = limit < form.limit(wanted) or limit >= form.limit(self.max_tokens)
                has_reasoning = completion.has_reasoning or charge.is_thought_alone
                keys = question.schema["schema"]["required"] if form.shape is Shape.SCHEMA else ()
                seen = self._seen(
                    error, completion, form, keys, is_longest=is_longest, has_reasoning=has_reasoning
                )
                raise UnusableAnswer(error, seen, writer) from error
            finally:
                await self.charges.book(reserve, charge, size)
            self.observe_shape(course, model, Unusable(has_entries=True))
            return Signed(answer, writer)

    def _read(self, completion: Completion, question: Question[AnswerT], course: Course) -> AnswerT:
        """Return what the model wrote, with what its earlier answers held; a filter's refusal is none."""
        try:
            salvaged = _salvaged(completion, question.answer, course.found)
        except AnswerInvalid as error:
            if completion.is_filtered and completion.reason and not error.found:
                raise filtered(completion.reason) from error
            raise
        version = {"prompt": question.prompt.version}
        if salvaged.dropped:
            words = "dropped of the model's answer: %d; %s"
            _LOGGER.warning(words, salvaged.dropped, salvaged.problems or "too many", extra=version)
        elif not salvaged.is_plain:
            _LOGGER.info(
                "the model's answer was whole, but not in the form that was asked for", extra=version
            )
        return salvaged.answer

    def _seen(
        self,
        error: AnswerInvalid,
        completion: Completion,
        form: RequestForm,
        keys: Sequence[str],
        *,
        is_longest: bool,
        has_reasoning: bool,
    ) -> Unusable:
        is_shapeless = not (error.found or completion.is_cut_off or completion.is_filtered)
        return Unusable(
            is_cut_off=completion.is_cut_off,
            is_empty=not any(map(str.strip, (completion.text, *completion.others))),
            is_shapeless=is_shapeless,
            is_unenforced=is_shapeless and is_unenforced(completion.text, keys),
            has_entries=bool(error.found),
            is_refused=completion.is_filtered,
            has_reasoning=has_reasoning,
            can_be_longer=not is_longest,
            can_reason_less=with_less_reasoning(form) != form,
        )

    def _answer_in(
        self, refusal: Refusal | None, question: Question[AnswerT], course: Course
    ) -> dict[str, Any] | None:
        """Return what the model wrote, as a body, where the endpoint refuses it but shows enough of it.

        And an empty body where it only says that the answer was cut off.
        """
        if refusal is None:
            return None
        if is_cut_off(refusal):
            return _body_of("", "length", refusal)
        if not (text := refused_answer(refusal)):
            return None
        try:
            _salvaged(Completion(text), question.answer, course.found)
        except AnswerInvalid:
            return None
        _LOGGER.warning("the endpoint refuses its model's answer, which is read all the same: %s", refusal)
        return _body_of(text, "stop", refusal)

    async def _body(
        self, reserve: Reserve, question: Question[AnswerT], course: Course, form: RequestForm, asked: int
    ) -> Any:
        request = form.body(reserve.model, course.messages, question.schema, reserve.tokens_out)
        call = self.endpoint.complete(request, self.attempt.remaining_s)
        try:
            with METER.timing(Timer.MODEL):
                self.when_asking()
                return await self.attempt.race(call)
        except ModelError as error:
            if body := self._answer_in(error.refusal, question, course):
                return body
            course.paid += await self.charges.refused(reserve, error, asked)
            raise
        except DeadlineNear:
            if question.is_for_notes:
                await self.budget.count_unanswered(reserve.model)
            raise


def _size(messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> PromptSize:
    texts = [message["content"] for message in messages]
    return PromptSize(
        texts=sum(map(count_tokens, texts)),
        schema=count_tokens(repr(schema)),
        foreign=sum(map(count_foreign_tokens, texts)),
    )


def _body_of(text: str, reason: str, refusal: Refusal) -> dict[str, Any]:
    """Return a completion, with what the refusal says of its cost."""
    said = refusal.body if isinstance(refusal.body, dict) else {}
    cost = {key: value for key, value in said.items() if key in BILLED}
    return {"choices": [{"message": {"content": text}, "finish_reason": reason}], **cost}
