"""A request that was not answered, and what is done after it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gather_worker.errors import ModelRejected, ModelTransient
from gather_worker.llm.asking.course import REQUESTS_MAX, Course
from gather_worker.llm.asking.faults import Fault, fault_of, is_broken_at_form
from gather_worker.llm.failures import ATTEMPTS_MAX, RULES, End, Guess, Situation, Step, next_step, said
from gather_worker.llm.request_form import (
    RequestForm,
    form_for_half,
    form_for_more_providers,
    other_form,
    plainer_form,
)


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request that was not answered."""

    model: str
    fault: Fault
    words: str
    """For people: model, setting, and what the endpoint says."""
    retry_after_s: float | None
    named: RequestForm | None
    """The form without what the refusal names."""
    guessed: RequestForm | None
    """A plainer form, where the refusal names nothing."""
    others: Sequence[str]
    """Models that may answer in its place."""
    is_of_form: bool = False
    """Whether the endpoint itself says that it does not take the form, and did not break at it."""
    ends_as: Fault = Fault.PASSING
    """What ends the question, if no form is left or may be paid for: who broke at one may be well later."""

    @property
    def is_passing(self) -> bool:
        """Return whether the same request may be answered in a while."""
        return RULES[self.fault].end is End.LATER

    @property
    def tries_max(self) -> int:
        """Return after how many tries of a question the attempt ends."""
        return max(ATTEMPTS_MAX, RULES[self.fault].again + 1)


def failed_request(
    error: ModelTransient | ModelRejected,
    model: str,
    form: RequestForm,
    asked: int,
    others: Sequence[str],
    *,
    has_answered: bool,
) -> FailedRequest:
    """Return what is known of a failure.

    Args:
        error: the failure.
        model: who was asked.
        form: in which form.
        asked: how long the answer was allowed to be, in tokens.
        others: models that may answer in its place.
        has_answered: the endpoint has given good answers before.
    """
    retry_after_s, refusal = getattr(error, "retry_after_s", None), error.refusal
    if refusal is None:
        is_unreached = has_answered and getattr(error, "is_unsent", False)
        fault = Fault.UNREACHED if is_unreached else Fault.PASSING
        words = f"model {model}: {error}"
        return FailedRequest(model, fault, words, retry_after_s, None, None, others, ends_as=fault)
    fault = fault_of(refusal, has_answered=has_answered)
    named = other_form(form, refusal, asked) if RULES[fault].is_named else None
    is_broken = is_broken_at_form(refusal)
    if fault is Fault.FORM and is_broken and named is None:
        fault = Fault.PASSING  # no form is left that it could have broken at
    ends_as = Fault.PASSING if fault is Fault.FORM and is_broken else fault
    return FailedRequest(
        model,
        fault,
        said(model, refusal, ends_as),
        retry_after_s,
        named=named,
        guessed=_guessed(form, fault, asked),
        others=others,
        is_of_form=fault is Fault.FORM and not is_broken,
        ends_as=ends_as,
    )


def _guessed(form: RequestForm, fault: Fault, asked: int) -> RequestForm | None:
    match RULES[fault].guess:
        case Guess.PLAINER:
            return plainer_form(form)
        case Guess.PROVIDERS:
            return form_for_more_providers(form)
        case Guess.SHORTER:
            return form_for_half(form, asked)
    return None


def step_after(course: Course, failed: FailedRequest, paid_max: int, *, is_spent: bool = False) -> Step:
    """Return what is done after a failure, which `course` has counted already.

    `is_spent`: the model has not answered as often as may be paid for.
    """
    if is_spent and failed.others:
        return Step.FALLBACK
    if is_spent or course.requests >= REQUESTS_MAX or course.paid >= paid_max:
        return Step.END
    situation = Situation(
        course.faults[failed.model, failed.fault],
        has_named_form=failed.named is not None,
        has_guessed_form=failed.guessed is not None,
        has_fallback=bool(failed.others),
    )
    step = next_step(failed.fault, situation)
    is_last = course.paid == paid_max - 1 and RULES[failed.fault].has_fallback
    # The last request that may be paid is not for a model that has just failed, if there is another one.
    return Step.FALLBACK if step is Step.AGAIN and is_last and failed.others else step
