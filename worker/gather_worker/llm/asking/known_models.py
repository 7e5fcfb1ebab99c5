"""What one process knows of its models: forms, circuit breakers, lengths; the clock is passed in."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gather_worker.llm.circuit_breaker import COOLDOWN_S, CircuitBreaker
from gather_worker.llm.request_form import RequestForm, after_shapeless_answers
from gather_worker.prompts.tokens import TokenRatios

SHAPELESS_MAX: Final = 2
"""Answers in a row without the shape that was asked for, before it is asked for in another way for the whole
run: one is chance, where a router has several providers or an adapter asks for the shape in words."""


class KnownModels:
    """The models of one endpoint; `fallbacks` stand in for each, the first one first."""

    def __init__(self, first_form: RequestForm, fallbacks: Sequence[str] = ()) -> None:
        self._first_form = first_form
        self._fallbacks = tuple(fallbacks)
        self._forms: dict[str, RequestForm] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._shapeless: dict[str, int] = {}
        self._shaped: set[str] = set()
        self._reasoning: dict[str, int] = {}
        self.ratios = TokenRatios()
        self.has_answered = False
        """Whether any of them has answered in this run: the address is right then."""

    # --- forms

    def form(self, model: str) -> RequestForm:
        """Return how the model is asked."""
        return self._forms.get(model, self._first_form)

    def set_form(self, model: str, form: RequestForm) -> None:
        """Ask the model so from now on."""
        self._forms[model] = form

    def learn(self, forms: Mapping[str, str]) -> None:
        """Take over what earlier processes and other departments of the run have learned."""
        for model, text in forms.items():
            self._forms.setdefault(model, self._first_form.with_learned(text))

    def answered_shapeless(self, model: str, *, is_shapeless: bool) -> int:
        """Count an answer; return how many in a row did not have the shape that was asked for.

        0 from a model's first answer with it on: it ignores no form, and what comes otherwise is chance.
        """
        if not is_shapeless:
            self._shaped.add(model)
        self._shapeless[model] = 0 if model in self._shaped else self._shapeless.get(model, 0) + 1
        return self._shapeless[model]

    def use_next_shape(self, model: str) -> None:
        """Ask for the answers' shape in another way: the model seems to ignore this one."""
        self._forms[model] = after_shapeless_answers(self.form(model))
        self._shapeless[model] = 0

    # --- reasoning

    def reasoning(self, model: str) -> int:
        """Return the tokens of the longest reasoning seen of the model."""
        return self._reasoning.get(model, 0)

    def observe_reasoning(self, model: str, tokens: int) -> None:
        """Take in one answer's reasoning."""
        self._reasoning[model] = max(tokens, self.reasoning(model))

    # --- who is asked

    def candidates(self, model: str, passed_over: Collection[str] = ()) -> list[str]:
        """Return who may answer in place of the model, itself first, without those that were passed over."""
        return [each for each in dict.fromkeys((model, *self._fallbacks)) if each not in passed_over]

    def choose(self, model: str, now_s: float, passed_over: Collection[str] = ()) -> str:
        """Return the first candidate that may be asked now; the first of all if none may."""
        candidates = self.candidates(model, passed_over) or [model]
        return next((each for each in candidates if not self.breaker(each).wait_s(now_s)), candidates[0])

    def breaker(self, model: str) -> CircuitBreaker:
        """Return the model's circuit breaker."""
        return self._breakers.get(model, CircuitBreaker())

    def asked(self, model: str, now_s: float) -> None:
        """A request goes out."""
        self._breakers[model] = self.breaker(model).asked(now_s)

    def succeeded(self, model: str) -> None:
        """The model answered."""
        self._breakers[model] = self.breaker(model).succeeded()

    def failed(self, model: str, now_s: float, retry_after_s: float | None = None) -> None:
        """The model did not answer."""
        self._breakers[model] = self.breaker(model).failed(now_s, retry_after_s)

    def refused(self, model: str, now_s: float) -> None:
        """The model was refused: others stand in for a while, then it is tried again."""
        self.failed(model, now_s, COOLDOWN_S)
