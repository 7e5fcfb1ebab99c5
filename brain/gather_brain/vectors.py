"""Embedding vectors as rows of float32, and how near two of them are; pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
"""Shape (n, d); rows of length 1 unless said otherwise."""
OTHER_TEXT_MAX: Final = 0.999999
"""The most similarity of two texts that are not the same: a model may see no difference, such as between "ma"
and "má", and 1 says that there is none."""


def unit_rows(matrix: Matrix) -> Matrix:
    """Scale each row to length 1; a row of zeros stays zero."""
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: Matrix = np.divide(matrix, norms, out=np.zeros_like(matrix), where=norms > 0)
    return scaled


def ramp(values: Matrix, low: float, high: float) -> Matrix:
    """Map `low` and less to 0, `high` and more to 1, linearly in between."""
    clipped: Matrix = np.clip((values - low) / (high - low), 0.0, 1.0)
    return clipped


def shown(cosine: float, *, is_same_text: bool) -> float:
    """Return a cosine as answers show it: in [0, 1], to six digits, and 1 for the same text alone."""
    return 1.0 if is_same_text else round(min(max(cosine, 0.0), OTHER_TEXT_MAX), 6)


def raw_cosine(score: float) -> float:
    """Turn Neo4j's score, (1 + cosine) / 2, into raw cosine in [0, 1]; a negative cosine is 0.

    Source: Neo4j Cypher manual, vector indexes, "cosine similarity".
    """
    return min(max(2 * score - 1, 0.0), 1.0)
