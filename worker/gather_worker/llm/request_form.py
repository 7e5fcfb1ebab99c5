"""In which form a model is asked, and what its refusals and answers teach of it; pure.

The first form is the strictest: a JSON schema, `max_tokens`, a system message, the user's wishes. A refusal
that names a part of it leads to a form without that part. What a user has set to keep a script confidential,
and further fields of the user's own, are never left out.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from gather_worker.errors import Refusal
from gather_worker.llm.asking.faults import UNPARSED
from gather_worker.llm.preferences import ModelPreferences

Messages = Sequence[Mapping[str, str]]

LIMIT_LEAST: Final = 1024
"""An answer that may not be longer is not worth its prompt (see the budget's OUTPUT_MIN_TOKENS)."""
LEARNED_MAX: Final = 400
"""Characters of what is kept of a model's form."""


class Shape(StrEnum):
    """How the answer's form is asked for besides the prompt's words."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    NONE = "none"


_NEXT_SHAPE: Final = {Shape.SCHEMA: Shape.OBJECT, Shape.OBJECT: Shape.NONE}
_LESS_EFFORT: Final = {"xhigh": "high", "high": "medium", "medium": "low", "low": "minimal", "": "low"}


@dataclass(frozen=True, slots=True)
class RequestForm:
    """What a request holds besides its words; `extra` are fields that go with every request."""

    extra: Mapping[str, Any]
    shape: Shape = Shape.SCHEMA
    is_strict: bool = True
    limit_field: str = "max_tokens"
    limit_max: int | None = None
    """The longest answer that the model is known to allow, in tokens."""
    has_system: bool = True
    dropped: frozenset[str] = frozenset()
    """Of `extra`, what the endpoint refuses, as paths such as "provider.require_parameters"."""
    effort: str = ""
    """Less reasoning than was asked for, after reasoning that left no room for an answer."""

    def limit(self, wanted: int) -> int:
        """Return how long an answer may be, of the `wanted` tokens."""
        return wanted if self.limit_max is None else min(wanted, self.limit_max)

    def body(
        self, model: str, messages: Messages, schema: Mapping[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        """Return the request; `schema` is {name, strict, schema}."""
        return {
            "model": model,
            "messages": list(messages) if self.has_system else without_system(messages),
            **self._response_format(schema),
            self.limit_field: self.limit(max_tokens),
            **self._extra(),
        }

    def _response_format(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if self.shape is Shape.NONE:
            return {}
        if self.shape is Shape.OBJECT:
            return {"response_format": {"type": "json_object"}}
        asked = schema if self.is_strict else {key: schema[key] for key in schema if key != "strict"}
        return {"response_format": {"type": "json_schema", "json_schema": asked}}

    def _extra(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, value in self.extra.items():
            if name in self.dropped:
                continue
            inner = isinstance(value, Mapping) and {
                k: v for k, v in value.items() if f"{name}.{k}" not in self.dropped
            }
            fields[name] = value if inner is False else inner
        if self.effort and "reasoning" not in self.dropped:
            fields |= (
                {"reasoning": {"effort": self.effort}}
                if self._is_router
                else {"reasoning_effort": self.effort}
            )
        return {name: value for name, value in fields.items() if value != {}}

    @property
    def _is_router(self) -> bool:
        return "usage" in self.extra or "reasoning" in self.extra

    # --- kept with the run

    def learned(self) -> str:
        """Return what sets this form apart from the first one, as a short text; "" if nothing does."""
        found: dict[str, Any] = {
            "shape": self.shape.value if self.shape is not Shape.SCHEMA else None,
            "strict": None if self.is_strict else False,
            "limit": self.limit_field if self.limit_field != "max_tokens" else None,
            "most": self.limit_max,
            "system": None if self.has_system else False,
            "without": sorted(self.dropped) or None,
            "effort": self.effort or None,
        }
        said = {name: value for name, value in found.items() if value is not None}
        return json.dumps(said, separators=(",", ":")) if said else ""

    def with_learned(self, text: str) -> Self:
        """Return this form with what `learned` has given; itself for what cannot be read."""
        try:
            said = json.loads(text[:LEARNED_MAX]) if text else {}
            return replace(
                self,
                shape=Shape(said.get("shape", Shape.SCHEMA)),
                is_strict=said.get("strict", True) is not False,
                limit_field=_limit_field(said.get("limit", "max_tokens")),
                limit_max=_positive(said.get("most")),
                has_system=said.get("system", True) is not False,
                # What keeps a script confidential is not dropped, whatever was learned.
                dropped=frozenset(str(path) for path in said.get("without", ()))
                & frozenset(_droppable(self.extra)),
                effort=str(said.get("effort", "")) if said.get("effort") in _LESS_EFFORT else "",
            )
        except (ValueError, TypeError, AttributeError):
            return self


def _limit_field(name: Any) -> str:
    return "max_completion_tokens" if name == "max_completion_tokens" else "max_tokens"


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def first_form(*, is_openrouter: bool, preferences: ModelPreferences | None = None) -> RequestForm:
    """Return the form in which a model is asked first."""
    wishes = preferences or ModelPreferences()
    extra: dict[str, Any] = dict(wishes.extra_body)
    if is_openrouter:
        # Only providers that honour the schema, and the price in every answer.
        extra["provider"] = {"require_parameters": True, **wishes.provider.fields()}
        extra["usage"] = {"include": True}
        if wishes.reasoning_effort is not None:
            extra["reasoning"] = {"effort": wishes.reasoning_effort}
        elif wishes.reasoning_max_tokens is not None:
            extra["reasoning"] = {"max_tokens": wishes.reasoning_max_tokens}
    elif wishes.reasoning_effort is not None:
        extra["reasoning_effort"] = wishes.reasoning_effort
    own = frozenset(wishes.extra_body)
    if wishes.provider.require_parameters is not None:
        own |= {"provider.require_parameters"}
    return RequestForm(_Extra(extra, own))


class _Extra(dict[str, Any]):
    """Fields of every request; `fixed` are those that the user has set, and that are never left out."""

    def __init__(self, fields: Mapping[str, Any], fixed: frozenset[str]) -> None:
        super().__init__(fields)
        self.fixed = fixed


def _droppable(extra: Mapping[str, Any]) -> list[str]:
    """Return the paths of what may be left out: ours alone, and reasoning, which is a wish."""
    fixed = extra.fixed if isinstance(extra, _Extra) else frozenset()
    paths = ("provider.require_parameters", "usage", "reasoning", "reasoning_effort")
    return [path for path in paths if path not in fixed and path.split(".")[0] in extra]


def without_system(messages: Messages) -> list[dict[str, str]]:
    """Return the messages with what a system message says at the beginning of the user's first one."""
    rules = [message["content"] for message in messages if message["role"] == "system"]
    others = [dict(message) for message in messages if message["role"] != "system"]
    if others and rules:
        others[0]["content"] = "\n\n".join([*rules, others[0]["content"]])
    return others


# --- what a refusal teaches


def other_form(form: RequestForm, refusal: Refusal, asked: int) -> RequestForm | None:
    """Return the form without what the refusal names, None if it names nothing that can be left out.

    `asked` is how long the refused request's answer was allowed to be, in tokens.
    """
    text = f"{refusal.param} {' '.join(refusal.codes)} {refusal.message}".lower()
    found = (change(form, text, asked) for change in _CHANGES)
    return next((other for other in found if other is not None and other != form), None)


def plainer_form(form: RequestForm) -> RequestForm | None:
    """Return a plainer form for a refusal that does not say what it refuses; None for the plainest."""
    if form.shape in _NEXT_SHAPE:
        return replace(form, shape=_NEXT_SHAPE[form.shape])
    bare = replace(form, has_system=False, dropped=form.dropped | frozenset(_droppable(form.extra)))
    return bare if bare != form else None


def form_for_more_providers(form: RequestForm) -> RequestForm | None:
    """Return the form that OpenRouter may send to more of a model's providers; None where there are none."""
    return _dropping(form, "provider.require_parameters")


def form_for_half(form: RequestForm, asked: int) -> RequestForm | None:
    """Return the form with room for half of an answer of `asked` tokens; None if that would be too short."""
    return replace(form, limit_max=asked // 2) if asked // 2 >= LIMIT_LEAST else None


def after_shapeless_answers(form: RequestForm) -> RequestForm:
    """Return the form after answers without the shape that was asked for: it seems to be ignored."""
    return replace(form, shape=_NEXT_SHAPE.get(form.shape, form.shape))


def with_less_reasoning(form: RequestForm) -> RequestForm:
    """Return the form that asks for less reasoning, itself where there is none."""
    fields = {"reasoning", "reasoning_effort"}
    if fields & form.dropped or (isinstance(form.extra, _Extra) and fields & form.extra.fixed):
        return form
    reasoning = form.extra.get("reasoning")
    asked = (
        reasoning.get("effort", "")
        if isinstance(reasoning, Mapping)
        else form.extra.get("reasoning_effort", "")
    )
    less = _LESS_EFFORT.get(form.effort or str(asked))
    return replace(form, effort=less) if less else form


# Compiled when an endpoint refuses something: no start waits for it.
_IS_UNKNOWN: Final = (
    r"unsupported|not supported|unknown|unrecognized|unexpected|not permitted|not allowed|extra|additional|"
    r"invalid (?:parameter|argument|field|key)|does not support|not available|not compatible|unavailable|"
    r"forbidden|cannot|instead"
)
_LARGE: Final = r"too (?:large|high|big|many)|greater|less than|exceed|at most|maximum|range|[<>]=?"
_SHAPE: Final = (
    r"response_?format|response_schema|response_mime_type|json[_ ]?(?:schema|object|mode)|"
    r"structured[_ ]output|"
    r"output_config|grammar|guided|additionalproperties|schema|json_validate_failed|failed to generate json|"
    rf"malformed_|unexpected_tool_call|function_call_filter|{UNPARSED}"
)
_SYSTEM: Final = (
    r"(?:system|developer)[ '\"`]*(?:role|message|prompt|instruction)|role[s ]*.{0,20}['\"`]?(?:system|"
    r"developer)\b|"
    r"['\"`](?:system|developer)['\"`]|roles? must alternate"
)


def _without_parameters(form: RequestForm, text: str, _asked: int) -> RequestForm | None:
    """OpenRouter has no provider that takes every field: ask those too that ignore some."""
    if "require_parameters" in text or (
        "no endpoints" in text and ("support" in text or "parameters" in text)
    ):
        return _dropping(form, "provider.require_parameters")
    return None


def _with_other_limit_field(form: RequestForm, text: str, _asked: int) -> RequestForm | None:
    if form.limit_field not in text or not re.search(_IS_UNKNOWN, text) or re.search(_LARGE, text):
        return None
    other = "max_tokens" if form.limit_field == "max_completion_tokens" else "max_completion_tokens"
    return replace(form, limit_field=other)


def _with_shorter_answer(form: RequestForm, text: str, asked: int) -> RequestForm | None:
    from gather_worker.llm.asking.limits_in_words import limit_in  # noqa: PLC0415 - no start waits for it

    limit = limit_in(text, asked)
    if limit is None or not LIMIT_LEAST <= limit < asked:
        return None
    return replace(form, limit_max=limit)


def _without_strict(form: RequestForm, text: str, _asked: int) -> RequestForm | None:
    if form.shape is Shape.SCHEMA and form.is_strict and re.search(r"\bstrict\b", text):
        return replace(form, is_strict=False)
    return None


def _without_system(form: RequestForm, text: str, _asked: int) -> RequestForm | None:
    return replace(form, has_system=False) if form.has_system and re.search(_SYSTEM, text) else None


def _with_next_shape(form: RequestForm, text: str, _asked: int) -> RequestForm | None:
    if not re.search(_SHAPE, text) or form.shape not in _NEXT_SHAPE:
        return None
    return replace(form, shape=_NEXT_SHAPE[form.shape])


def _without_named(form: RequestForm, text: str, _asked: int) -> RequestForm | None:
    """A field of ours that the endpoint does not know."""
    if re.search(r"\breasoning|\bthinking\b|\beffort\b", text):
        without = _dropping(form, "reasoning") or _dropping(form, "reasoning_effort")
        return without or (replace(form, effort="") if form.effort else None)
    if re.search(r"\busage\b", text) and re.search(_IS_UNKNOWN, text):
        return _dropping(form, "usage")
    if re.search(r"\bprovider\b", text) and re.search(_IS_UNKNOWN, text):
        return _dropping(form, "provider.require_parameters")
    return None


def _dropping(form: RequestForm, path: str) -> RequestForm | None:
    if path not in _droppable(form.extra) or path in form.dropped:
        return None
    return replace(
        form, dropped=form.dropped | {path}, effort="" if path.startswith("reasoning") else form.effort
    )


_CHANGES: Final[tuple[Callable[[RequestForm, str, int], RequestForm | None], ...]] = (
    _without_parameters,
    _with_other_limit_field,
    _with_shorter_answer,
    _without_strict,
    _without_system,
    _with_next_shape,
    _without_named,
)
"""In the order in which they are tried; words on a limit often name `max_tokens` and a shape none."""
