"""In which form a model is asked; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class RequestForm:
    """What a request holds besides its words; `extra` are fields that go with every request."""

    extra: Mapping[str, Any]

    def body(
        self, model: str, messages: Messages, schema: Mapping[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        """Return the request; `schema` is {name, strict, schema}."""
        return {
            "model": model,
            "messages": list(messages),
            "response_format": {"type": "json_schema", "json_schema": schema},
            "max_tokens": max_tokens,
            **self.extra,
        }


def first_form(*, is_openrouter: bool) -> RequestForm:
    """Return the form in which a model is asked first."""
    # Only providers that honour the schema, and the price in every answer.
    extra: dict[str, Any] = {"provider": {"require_parameters": True}, "usage": {"include": True}}
    return RequestForm(extra if is_openrouter else {})
