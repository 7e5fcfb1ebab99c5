"""Weights and tokenizers out of packages that have forms of their own."""

import numpy as np
from onnx import helper, numpy_helper
from tokenizers import Tokenizer

from dev.artefacts.models.bge_weights import weights_of
from dev.artefacts.models.e5_weights import END, START, UNKNOWN, four_bits, tokenizer_of

PIECES = [
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *(("▁the", -1.0), ("▁lamp", -2.0), ("s", -1.5), ("▁", -3.0), ("<", -4.0), ("/", -4.0), (">", -4.0)),
    ("<mask>", 0.0),
]


def tokens(text: str) -> list[int]:
    """What the tokenizer makes of a text."""
    found: list[int] = Tokenizer.from_str(tokenizer_of(PIECES).decode()).encode(text).ids
    return found


def test_a_text_is_cut_into_pieces_between_the_markers() -> None:
    """As XLM-RoBERTa's own tokenizer does."""
    assert tokens("the  lamps") == [START, 4, 5, 6, END]
    assert tokens("the Ω") == [START, 4, 7, UNKNOWN, END]


def test_a_marker_that_a_note_has_is_a_text() -> None:
    """Else anybody could end a text in its middle."""
    found = tokens("the </s> <mask> <pad>")
    assert found[-1] == END
    assert not {START, END, 1, len(PIECES) - 1} & set(found[1:-1])


def test_blocks_of_four_bits_are_in_their_order() -> None:
    """Byte j of a block holds its weights j and j + 16."""
    halves = bytes(low | (15 - low) << 4 for low in range(16))
    block = np.float16(0.5).tobytes() + halves
    found = four_bits(block * 4, 64)
    row = [*range(-8, 8), *range(7, -9, -1)]
    assert found.values.tolist() == [row * 2] * 2
    assert found.floats()[0].tolist() == [each / 2 for each in row * 2]


def test_matrices_of_an_export_get_the_names_of_what_multiplies_with_them() -> None:
    """And stand as BERT has them: one row for each channel that comes out."""
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    graph = helper.make_graph(
        [
            helper.make_node(
                "MatMul", ["x", "onnx::MatMul_9"], ["y"], name="/encoder/layer.0/output/dense/MatMul"
            )
        ],
        "export",
        [],
        [],
        [
            numpy_helper.from_array(matrix, "onnx::MatMul_9"),
            numpy_helper.from_array(np.ones(3, np.float32), "encoder.layer.0.output.dense.bias"),
        ],
    )
    found = weights_of(graph)
    assert found.keys() == {"encoder.layer.0.output.dense.weight", "encoder.layer.0.output.dense.bias"}
    assert found["encoder.layer.0.output.dense.weight"].tolist() == matrix.T.tolist()
