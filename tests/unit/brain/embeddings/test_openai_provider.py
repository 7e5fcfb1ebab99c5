"""The embedding endpoint's key is the one that the Secret has now; tests/contract/brain has the rest."""

from pathlib import Path

import httpx
import pytest

from gather_brain.embeddings.openai_provider import OpenAiProvider
from gather_brain.embeddings.settings import NEXT_PREFIX, PREFIX, read_model_settings


async def test_a_key_that_was_replaced_is_sent_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each model's own, where a second one is being prepared."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    for prefix in (PREFIX, NEXT_PREFIX):
        monkeypatch.setenv(f"{prefix}EMBEDDING_PROVIDER", "openai")
        monkeypatch.setenv(f"{prefix}EMBEDDING_BASE_URL", "https://embeddings.example/v1")
        monkeypatch.setenv(f"{prefix}EMBEDDING_MODEL", "m")
        (tmp_path / f"{prefix}EMBEDDING_API_KEY").write_text(f"first of {prefix}", encoding="utf-8")
    sent: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"])
        return httpx.Response(200, json={"data": [{"index": 0, "embedding": [1.0, 0.0]}]})

    transport = httpx.MockTransport(respond)
    made = [OpenAiProvider(settings, transport=transport) for settings in read_model_settings()]
    for word in ("first", "second"):
        for provider, prefix in zip(made, (PREFIX, NEXT_PREFIX), strict=True):
            (tmp_path / f"{prefix}EMBEDDING_API_KEY").write_text(f"{word} of {prefix}", encoding="utf-8")
            await provider.embed(["a"])
    for provider in made:
        await provider.close()
    assert sent == [
        f"Bearer {word} of {prefix}" for word in ("first", "second") for prefix in (PREFIX, NEXT_PREFIX)
    ]
