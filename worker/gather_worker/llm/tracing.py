"""Spans of model calls, by OpenTelemetry's conventions for generative AI; off unless a tracer is asked for.

The conventions are still in development, so every name of theirs stands in this file. OpenTelemetry's API is
imported only by `open_tracer`: with tracing on, it and its exporter must be installed.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from gather_worker.llm.ledger import Usage

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

INSTRUMENTATION: Final = "gather.worker"
OPERATION: Final = "chat"
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
ERROR_TYPE: Final = "error.type"
PROMPT: Final = "gather.prompt"
"""Our own: the prompt's file and version. Texts never go into a span."""


class CallSpan(Protocol):
    """One request's span."""

    def answered(self, writer: str, usage: Usage) -> None:
        """Note who wrote and what it came to."""


class _NoSpan:
    def answered(self, writer: str, usage: Usage) -> None:
        """Do nothing: tracing is off."""


class Tracing:
    """Makes one span for each request; without a tracer it makes none and costs nothing."""

    def __init__(self, tracer: "Tracer | None" = None) -> None:
        self._tracer = tracer

    def call(
        self, provider: str, model: str, prompt: str, max_tokens: int
    ) -> AbstractContextManager[CallSpan]:
        """Return the span of one request, to be entered; an error that leaves it is named in it."""
        if self._tracer is None:
            return nullcontext(_NoSpan())
        attributes = {
            OPERATION_NAME: OPERATION,
            PROVIDER_NAME: provider,
            REQUEST_MODEL: model,
            REQUEST_MAX_TOKENS: max_tokens,
            PROMPT: prompt,
        }
        return _span(self._tracer, f"{OPERATION} {model}", attributes)


class _OpenSpan:
    def __init__(self, span: Any) -> None:
        self._span = span

    def answered(self, writer: str, usage: Usage) -> None:
        """Note who wrote and what it came to."""
        self._span.set_attributes(
            {RESPONSE_MODEL: writer, INPUT_TOKENS: usage.tokens_in, OUTPUT_TOKENS: usage.tokens_out}
        )


@contextmanager
def _span(tracer: "Tracer", name: str, attributes: dict[str, Any]) -> Iterator[CallSpan]:
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415

    # Errors are named by their type alone: their words may hold a piece of an answer.
    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield _OpenSpan(span)
        except BaseException as error:
            span.set_attribute(ERROR_TYPE, type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def open_tracer() -> "Tracer":
    """Return a tracer of the process's provider; raises ImportError without OpenTelemetry's API."""
    from opentelemetry import trace  # noqa: PLC0415

    return trace.get_tracer(INSTRUMENTATION)
