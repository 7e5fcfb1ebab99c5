"""Builds the providers that the settings name."""

from collections.abc import Callable, Sequence

from gather_brain.embeddings.embedder import Embedder, EmbeddingProvider, VectorCache
from gather_brain.embeddings.onnx_model import ModelError, OnnxModel
from gather_brain.embeddings.openai_provider import OpenAiProvider
from gather_brain.embeddings.readability import Unread
from gather_brain.embeddings.settings import ModelSettings
from gather_brain.embeddings.thread_provider import ThreadProvider


def build_provider(
    settings: ModelSettings, observe: Callable[[str, float], None] | None = None
) -> EmbeddingProvider:
    """Return the provider; `observe` gets the model's name and the seconds of each request.

    Raises:
        ModelError: the model's folder cannot be used.
    """
    if settings.embedding_provider == "openai":
        return OpenAiProvider(settings, observe)
    model = OnnxModel(settings.folder, settings.model_name)
    return ThreadProvider(model, observe, settings.embedding_threads)


def build_embedders(
    models: Sequence[ModelSettings],
    cache: VectorCache,
    observe_request: Callable[[str, float], None] | None = None,
    observe_texts: Callable[[str, int], None] | None = None,
    observe_unread: Callable[[Unread], None] | None = None,
) -> list[Embedder]:
    """Return one embedder for each model, the one at work first, with one cache.

    Raises:
        ModelError: a model's folder cannot be used, or two models have one name.
    """
    made = [
        Embedder(build_provider(settings, observe_request), cache, observe_texts, observe_unread)
        for settings in models
    ]
    if len({embedder.name for embedder in made}) < len(made):
        raise ModelError(
            f"the model and the next model are both called {made[0].name}; "
            "give one of them another name with GATHER_BRAIN_NEXT_MODEL_NAME"
        )
    return made
