"""One question's course: what was asked of whom, what came of it, and what is done next; pure."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel

from gather_worker.errors import AnswerInvalid, ModelRejected, ModelSpent, ModelUnavailable
from gather_worker.llm.asking.faults import Fault
from gather_worker.llm.failures import RULES, End
from gather_worker.llm.request_form import Messages, RequestForm
from gather_worker.prompts import Prompt
from gather_worker.schemas import Batch, DraftBatch

PAID_MAX: Final = 3
"""Paid requests for one question: the question, its re-ask, and once more in another form or of another
model. What holds nothing by then will not be mended by more of them; a later attempt asks again."""
PAID_FOR_VERDICT_MAX: Final = 2
"""A verdict is done without."""
UNREACHED_VERDICT_S: Final = 50.0
"""No try for a verdict begins later where no connection comes about: with the 10 s that the last one may take
to connect, it is done without after a minute."""
UNANSWERED_MAX: Final = 6
"""Requests for notes to one model that were paid, or may have been, and brought no answer: in a row, over all
attempts of the department. Three in the first, one in each later one; then a person has to act."""
REQUESTS_MAX: Final = 16
"""All of one question, those that were refused and cost nothing included: six tries, and the forms of two
models."""
REASK_SHOWN_CHARS: Final = 4000
LONGER: Final = 2
"""So many times as long an answer may be after one that was cut off."""
LONGER_AFTER_REASONING: Final = 4
"""Reasoning that has used up all tokens has not said how many more it needs."""

AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Question(Generic[AnswerT]):
    """What is asked of whom, the same in every try."""

    model: str
    prompt: Prompt
    answer: type[AnswerT]
    schema: Mapping[str, Any]
    """The answer's, as the API wants it."""
    key: str
    """Of the kept answer."""
    language: str = ""

    @property
    def is_for_notes(self) -> bool:
        """Return whether an attempt ends without its answer; a verdict is done without."""
        return self.answer is DraftBatch

    @property
    def paid_max(self) -> int:
        """Return how many requests may be paid for it."""
        return PAID_MAX if self.is_for_notes else PAID_FOR_VERDICT_MAX

    def is_worth_waiting(self, fault: Fault, until_s: float) -> bool:
        """Return whether it is asked again so many seconds after it was asked first."""
        return self.is_for_notes or fault is not Fault.UNREACHED or until_s <= UNREACHED_VERDICT_S


@dataclass(slots=True)
class Course:
    """One question's state."""

    messages: Messages
    begun_s: float = 0.0
    """When the question was asked first, by the process's clock."""
    requests: int = 0
    tries: int = 0
    """Failures after which the same request was sent again."""
    paid: int = 0
    """Requests that were charged, or may have been."""
    faults: Counter[tuple[str, Fault]] = field(default_factory=Counter)
    forms: dict[str, RequestForm] = field(default_factory=dict)
    """Forms that are tried for this question alone, by model."""
    other_shapes: dict[str, bool] = field(default_factory=dict)
    """Models that are asked in the next shape, since an answer showed that theirs is not enforced; False for
    those that do not take it. For this question alone, whatever comes of it."""
    passed_over: set[str] = field(default_factory=set)
    ends: dict[str, tuple[End, str]] = field(default_factory=dict)
    """How the models ended that were given up, and why."""
    is_reasked: bool = False
    """Whether the messages end with what was wrong with an answer."""
    longer: int = 1
    """How many times as long the answer may be, after one that was cut off."""
    is_less: bool = False
    """Whether less reasoning was asked for."""
    found: tuple[BaseModel, ...] = ()
    """Entries that answers held which had too few."""

    def gave_up(self, model: str, fault: Fault, words: str) -> None:
        """Take in that a model is not asked again for this question."""
        self.passed_over.add(model)
        self.ends.setdefault(model, (RULES[fault].end, words))

    def set_aside(self, model: str, words: str) -> None:
        """Take in that another model is asked in its place, though a later attempt may ask it again."""
        self.passed_over.add(model)
        self.ends.setdefault(model, (End.LATER, words))

    def spend(self, model: str, words: str) -> None:
        """Take in that a model is not asked again, in no attempt."""
        self.passed_over.add(model)
        self.ends[model] = (End.NEVER, words)

    def end(self) -> ModelUnavailable | ModelRejected:
        """Return the question's failure, in the words of the model that was asked first.

        A later attempt asks again if any model may be there then.
        """
        kinds = {end for end, _ in self.ends.values()}
        _, words = next(iter(self.ends.values()))
        if kinds == {End.NEVER}:
            return ModelSpent(words)
        if End.LATER in kinds:
            return ModelUnavailable(words)
        return ModelRejected(words, is_request_fault=End.ACCOUNT not in kinds)


class After(StrEnum):
    """What is done after an answer that cannot be used."""

    REASK = "ask again, with what was wrong"
    LONGER = "the same, with room for a longer answer"
    LESS_REASONING = "the same, with less reasoning"
    AFRESH = "from the beginning, of another model or in another form"
    TAKE = "take the notes that there are"
    END = "end"


@dataclass(frozen=True, slots=True)
class Unusable:
    """An answer that cannot be used."""

    is_cut_off: bool = False
    is_empty: bool = False
    is_shapeless: bool = False
    """Whether nothing in it is what was asked for, though nothing broke it off."""
    is_unenforced: bool = False
    """Whether it could not be so if the endpoint enforced the shape that was asked for."""
    has_entries: bool = False
    """Whether something in it is what was asked for."""
    has_reasoning: bool = False
    can_be_longer: bool = False
    """Whether neither the owner's bound nor the budget nor the model has cut it."""
    can_reason_less: bool = False
    is_refused: bool = False
    """Whether the model says that it will not answer."""

    def words(self, error: AnswerInvalid) -> str:
        """Return what is wrong with the answer, for people."""
        if self.is_cut_off and self.is_empty and self.has_reasoning:
            return (
                "it used up all its tokens with reasoning before it wrote: set "
                "GATHER_LLM_REASONING_EFFORT=low, or raise GATHER_LLM_MAX_TOKENS"
            )
        return str(error)


def is_unenforced(text: str, required: Sequence[str] = ()) -> bool:
    """Return whether a whole answer shows that an object of JSON with these keys was not enforced.

    An empty text shows nothing, nor does an object whose entries are of no use.
    """
    if not text.strip():
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(value, dict) and value.keys() >= set(required))


def after_answer(course: Course, paid_max: int, seen: Unusable, *, has_other_way: bool) -> After:
    """Return what is done after an unusable answer, `course.paid` and `course.found` with it included.

    `has_other_way`: the next request would go to another model, or in another form than this one.
    """
    if course.is_reasked and course.found:
        return After.TAKE
    if course.paid >= paid_max or course.requests >= REQUESTS_MAX:
        return After.TAKE if course.found else After.END
    has_only_thought = seen.is_cut_off and seen.is_empty and seen.has_reasoning
    if seen.is_cut_off and not course.found and seen.can_be_longer and course.longer == 1:
        return After.LONGER
    if has_only_thought and seen.can_reason_less and not course.is_less:
        return After.LESS_REASONING
    if not course.is_reasked and not has_only_thought:
        return After.REASK
    return After.AFRESH if has_other_way else After.END


def taken(answer: type[AnswerT], found: Sequence[BaseModel]) -> AnswerT:
    """Return the answer of the entries that there are: all valid, but fewer than the least."""
    fields: dict[str, Any] = {answer.list_name: list(found)} if issubclass(answer, Batch) else {}
    return answer.model_construct(**fields)


def reask(messages: Messages, request: str, text: str) -> list[dict[str, str]]:
    """Return the messages with the answer's text and what is asked for after it.

    No message is empty, which providers refuse, and no two of one role follow each other.
    """
    shown = text[:REASK_SHOWN_CHARS].strip()
    if shown:
        return [
            *map(dict, messages),
            {"role": "assistant", "content": shown},
            {"role": "user", "content": request},
        ]
    *before, last = map(dict, messages)
    return [*before, {**last, "content": f"{last['content']}\n\n{request}"}]
