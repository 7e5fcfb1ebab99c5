"""Vectors from an endpoint: a real HTTP server of another process, which also misbehaves."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from gather_brain.embeddings.openai_provider import OpenAiProvider
from gather_brain.embeddings.settings import ModelSettings
from gather_brain.errors import UnavailableError

MODEL = "hashed-words-48"


def settings(url: str, **more: Any) -> ModelSettings:
    """Settings for the test server, quick to give up."""
    return ModelSettings(
        **{
            "embedding_provider": "openai",
            "embedding_base_url": f"{url}/v1",
            "embedding_model": MODEL,
            "embedding_api_key": SecretStr("embedding-key"),
            "embedding_deadline_s": 20,
            "embedding_timeout_s": 10,
            **more,
        }
    )


@pytest.fixture
async def provider(embedding_endpoint: str) -> AsyncIterator[OpenAiProvider]:
    """A provider that has not been asked yet."""
    made = OpenAiProvider(settings(embedding_endpoint))
    yield made
    await made.close()


async def order(url: str, *faults: dict[str, Any]) -> None:
    """Make the next answers fail."""
    async with httpx.AsyncClient() as client:
        await client.post(f"{url}/faults", json=list(faults))


async def seen(url: str) -> Any:
    """Return what the server was asked."""
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{url}/seen")).json()


async def test_vectors_come_in_the_order_of_the_texts_and_are_of_length_1(provider: OpenAiProvider) -> None:
    """The server answers in the reverse order; `index` says which is which."""
    rows = await provider.embed(["the lamp", "a ferry", "the lamp"])
    assert rows.shape == (3, 48)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(rows[0], rows[2])
    assert rows[0] @ rows[1] < 0.9


async def test_dimensions_are_asked_for_once(provider: OpenAiProvider) -> None:
    """They need not be known beforehand."""
    with pytest.raises(UnavailableError):
        _ = provider.dimensions
    await provider.prepare()
    assert provider.dimensions == 48


async def test_shorter_vectors_can_be_asked_for(embedding_endpoint: str) -> None:
    """For models that can shorten theirs."""
    short = OpenAiProvider(
        settings(embedding_endpoint, embedding_dimensions=16, embedding_send_dimensions=True)
    )
    assert (await short.embed(["the lamp"])).shape == (1, 16)
    await short.close()


async def test_batches_and_requests_at_once_are_bounded_and_long_texts_cut(embedding_endpoint: str) -> None:
    """The server's own limits are not ours to find out by errors."""
    before = len((await seen(embedding_endpoint))["seen"])
    bounded = OpenAiProvider(
        settings(
            embedding_endpoint, embedding_batch_size=4, embedding_concurrency=2, embedding_max_characters=100
        )
    )
    await order(embedding_endpoint, *[{"delay_s": 0.05}] * 6)
    rows = await bounded.embed([f"{number} " * 200 for number in range(23)])
    await bounded.close()
    after = await seen(embedding_endpoint)
    assert rows.shape == (23, 48)
    asked = after["seen"][before:]
    assert sorted(each["texts"] for each in asked) == [3, 4, 4, 4, 4, 4]
    assert {each["longest"] for each in asked} == {100}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "retry_after": "0"},
        {"status": 500},
        {"status": 503, "retry_after": "0.1"},
        {"fault": "error_in_200"},
        {"fault": "not_json"},
        {"fault": "half"},
        {"fault": "one_missing"},
        {"fault": "index_twice"},
        {"fault": "not_finite"},
        {"fault": "zeros"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_what_may_pass_is_tried_again(
    provider: OpenAiProvider, embedding_endpoint: str, fault: dict[str, Any]
) -> None:
    """Twice the fault, then an answer."""
    await order(embedding_endpoint, fault, fault)
    assert (await provider.embed(["the lamp", "a ferry"])).shape == (2, 48)


async def test_retry_after_is_obeyed(provider: OpenAiProvider, embedding_endpoint: str) -> None:
    """Asking earlier would only be refused again."""
    await order(embedding_endpoint, {"status": 429, "retry_after": "1"})
    started = time.monotonic()
    await provider.embed(["the lamp"])
    assert time.monotonic() - started >= 1


async def test_a_wait_beyond_the_deadline_is_the_callers(
    provider: OpenAiProvider, embedding_endpoint: str
) -> None:
    """The brain's caller learns at once how long to wait."""
    await order(embedding_endpoint, {"status": 429, "retry_after": "90"})
    with pytest.raises(UnavailableError) as refused:
        await provider.embed(["the lamp"])
    assert refused.value.retry_after_s == 90


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 400}, {"status": 301}])
async def test_what_will_not_pass_is_asked_once(
    provider: OpenAiProvider, embedding_endpoint: str, fault: dict[str, Any]
) -> None:
    """A wrong model's name, say; still no fault of the brain's caller."""
    before = len((await seen(embedding_endpoint))["seen"])
    await order(embedding_endpoint, fault)
    with pytest.raises(UnavailableError):
        await provider.embed(["the lamp"])
    assert len((await seen(embedding_endpoint))["seen"]) == before + 1


async def test_vectors_of_other_dimensions_are_refused(
    provider: OpenAiProvider, embedding_endpoint: str
) -> None:
    """They would be in no index: silently not found."""
    await provider.prepare()
    await order(embedding_endpoint, {"fault": "other_dimensions"})
    with pytest.raises(UnavailableError):
        await provider.embed(["the lamp"])


async def test_a_wrong_key_is_unavailable_and_in_no_log(
    embedding_endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is a word of a text, which error messages quote."""
    caplog.set_level("DEBUG", "gather_brain")
    wrong = OpenAiProvider(settings(embedding_endpoint, embedding_api_key=SecretStr("not-the-key")))
    with pytest.raises(UnavailableError):
        await wrong.embed(["nobody may read this"])
    await wrong.close()
    assert "embedding endpoint" in caplog.text
    assert "not-the-key" not in caplog.text
    assert "nobody" not in caplog.text


async def test_an_endpoint_that_hangs_or_is_not_there_is_given_up(embedding_endpoint: str) -> None:
    """Within the deadline, and nothing goes on afterwards."""
    hanging = OpenAiProvider(settings(embedding_endpoint, embedding_timeout_s=0.2, embedding_deadline_s=0.5))
    await order(embedding_endpoint, *[{"delay_s": 3}] * 3)
    with pytest.raises(UnavailableError):
        await hanging.embed(["the lamp"])
    await hanging.close()
    await order(embedding_endpoint)
    gone = OpenAiProvider(settings("http://127.0.0.1:9", embedding_deadline_s=0.5))
    with pytest.raises(UnavailableError):
        await gone.embed(["the lamp"])
    await gone.close()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
