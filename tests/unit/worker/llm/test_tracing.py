"""Spans of model calls: right names, no texts, and no need for OpenTelemetry while tracing is off."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from opentelemetry.trace import SpanKind, Status, StatusCode

from gather_worker.attempt import Attempt
from gather_worker.errors import ModelRejected
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.tracing import Tracing
from gather_worker.prompts import Prompt
from gather_worker.schemas import QualityVerdict

PROMPT = Prompt("judge.v1", "secret rules", "secret data")
VERDICT = '{"depth": 1, "coherence": 2, "actionability": 3, "reason": "secret reason"}'


class Span:
    """As much of a span as is written to."""

    def __init__(self, name: str, kind: SpanKind, attributes: dict[str, Any]) -> None:
        self.name = name
        self.kind = kind
        self.attributes = dict(attributes)
        self.status = StatusCode.UNSET

    def set_attribute(self, name: str, value: Any) -> None:
        """Add one attribute."""
        self.attributes[name] = value

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """Add attributes."""
        self.attributes |= attributes

    def set_status(self, status: Status) -> None:
        """Note how it ended."""
        self.status = status.status_code


class RecordingTracer:
    """Keeps its spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    @contextmanager
    def start_as_current_span(self, name: str, **options: Any) -> Iterator[Any]:
        """Return a span; exceptions are the caller's to name."""
        assert (options["record_exception"], options["set_status_on_exception"]) == (False, False)
        self.spans.append(Span(name, options["kind"], options["attributes"]))
        yield self.spans[-1]


def traced(model: Any) -> tuple[ModelGateway, RecordingTracer]:
    """Return a gateway that traces, and its tracer."""
    tracer = RecordingTracer()
    tracing = Tracing(tracer)  # type: ignore[arg-type]
    return ModelGateway(model.client, Attempt(30), timeout_s=5, max_tokens=100, tracing=tracing), tracer


async def test_a_call_makes_one_span(new_model: Callable[..., Any]) -> None:
    """Named by the conventions for generative AI; no text of anybody's is in it."""
    body = {
        "model": "m/real",
        "choices": [{"finish_reason": "stop", "message": {"content": VERDICT}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.5},
    }
    asked, tracer = traced(new_model(httpx.Response(200, json=body)))
    await asked.ask("m/x", PROMPT, QualityVerdict)
    (span,) = tracer.spans
    assert (span.name, span.kind) == ("chat m/x", SpanKind.CLIENT)
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "model.test",
        "gen_ai.request.model": "m/x",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.response.model": "m/real",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 2,
        "gather.prompt": "judge.v1",
    }
    assert "secret" not in repr(vars(span))


async def test_a_failed_call_names_its_error_by_type(new_model: Callable[..., Any]) -> None:
    """Messages of errors may hold a piece of an answer."""
    asked, tracer = traced(new_model(httpx.Response(402, json={"error": {"message": "secret"}})))
    with pytest.raises(ModelRejected):
        await asked.ask("m/x", PROMPT, QualityVerdict)
    (span,) = tracer.spans
    assert span.status is StatusCode.ERROR
    assert span.attributes["error.type"] == "ModelRejected"
    assert "secret" not in repr(vars(span))


def test_a_worker_without_opentelemetry_works() -> None:
    """Its image does not hold it; only who switches tracing on brings it."""
    code = (
        "import sys; sys.modules['opentelemetry'] = None; import gather_worker.department_run; "
        "from gather_worker.llm.tracing import Tracing, open_tracer; "
        "Tracing().call('p', 'm', 'v', 1).__enter__()\n"
        "try: open_tracer()\nexcept ImportError: sys.exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 7
