"""Every way in which the endpoint can misbehave ends in one plain error that quotes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from gather_brain.context.settings import ThemeSettings
from gather_brain.context.theme_llm import ANSWER_MAX_BYTES, ThemeLlm
from gather_brain.themes.refinement import RefinementError

SECRET = "sk-very-secret"  # noqa: S105 - of no service
SETTINGS = ThemeSettings(base_url="https://llm.example/v1", model="a/b", api_key=SECRET, timeout_s=0.2)
CHAT = [{"role": "user", "content": "canary-note"}]
SEEN: list[httpx.Request] = []


def streamed(content: bytes) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(content))


def streamed_json(answer: object) -> httpx.Response:
    return streamed(json.dumps(answer).encode())


def answering(response: httpx.Response | Exception) -> ThemeLlm:
    def handle(request: httpx.Request) -> httpx.Response:
        SEEN.append(request)
        if isinstance(response, Exception):
            raise response
        return response

    return ThemeLlm(SETTINGS, httpx.MockTransport(handle))


async def test_one_request_of_the_chat_api_is_sent() -> None:
    """With the key, the schema and a bound on the answer's length."""
    completion = {"choices": [{"message": {"role": "assistant", "content": "hello"}}]}
    model = answering(streamed_json(completion))
    assert await model.ask(CHAT) == "hello"
    await model.close()
    request = SEEN[-1]
    body = json.loads(request.content)
    assert str(request.url) == "https://llm.example/v1/chat/completions"
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert (body["model"], body["messages"]) == ("a/b", CHAT)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["themes"]
    assert body["max_tokens"] <= 300


async def test_a_key_that_was_replaced_is_sent_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brain need not be started again."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    (tmp_path / "GATHER_BRAIN_THEMES_LLM_API_KEY").write_text("later", encoding="utf-8")
    model = answering(streamed_json({"choices": [{"message": {"content": "hello"}}]}))
    await model.ask(CHAT)
    await model.close()
    assert SEEN[-1].headers["Authorization"] == "Bearer later"


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(500, text="canary-note"),
        httpx.Response(429, headers={"Retry-After": "1"}),
        httpx.Response(302, headers={"Location": "http://169.254.169.254/"}),
        streamed_json({"error": {"message": "canary-note"}}),
        streamed_json({"choices": None}),
        streamed_json({"choices": []}),
        streamed_json({"choices": [{"message": {"content": None}}]}),
        streamed(b"not json"),
        streamed(b" " * (ANSWER_MAX_BYTES + 1)),
        httpx.ConnectError("canary-note"),
        httpx.ReadTimeout("slow"),
    ],
    ids=str,
)
async def test_any_fault_is_one_error_that_quotes_nothing(response: httpx.Response | Exception) -> None:
    """Logs get the message; it must not carry notes or keys."""
    model = answering(response)
    before = len(SEEN)
    with pytest.raises(RefinementError) as caught:
        await model.ask(CHAT)
    await model.close()
    assert len(SEEN) == before + 1
    assert "canary" not in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_an_answer_that_never_ends_is_given_up() -> None:
    """One byte now and then resets a read's timeout, and not the call's."""

    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    model = ThemeLlm(SETTINGS, httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle())))
    with pytest.raises(RefinementError, match="TimeoutError"):
        await model.ask(CHAT)
    await model.close()


def test_an_endpoint_needs_a_model() -> None:
    """A half-made setting stops the start, not the first call."""
    with pytest.raises(ValidationError):
        ThemeSettings(base_url="https://llm.example/v1")
    assert ThemeSettings().base_url is None
