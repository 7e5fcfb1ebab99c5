"""What is taken of a published model, whatever package it came in."""

from dataclasses import dataclass

from dev.artefacts.models.onnx_graph import Weights


@dataclass(frozen=True, slots=True)
class Published:
    """A BERT network and the tokenizer that belongs to it."""

    weights: Weights
    """By the names that BERT's published files have."""
    tokenizer: bytes
    """A `tokenizer.json` of the tokenizers library."""
    heads: int
    epsilon: float
    """Of its layer normalisation."""
