"""The graph of a small network with weights of its own gives what the network gives in 32 bits."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dev.artefacts.models.onnx_graph import (
    BLOCK,
    INPUT,
    Encoder,
    FourBits,
    Weights,
    encoder_graph,
    rounded,
)
from gather_brain.embeddings.onnx_runtime import InferenceSession, SessionOptions

CHANNELS, HEADS, INNER, LAYERS, WORDS, PLACES = 32, 4, 64, 2, 40, 24
OUTLIER = 5
EPSILON = 1e-12

Floats = NDArray[np.float32]


def normals(random: np.random.Generator, *shape: int) -> Floats:
    return random.standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module")
def weights() -> dict[str, Floats]:
    """Weights at random, and one channel that stands out after every normalisation."""
    random = np.random.default_rng(7)
    made = {
        "embeddings.word_embeddings.weight": normals(random, WORDS, CHANNELS),
        "embeddings.position_embeddings.weight": 0.3 * normals(random, PLACES, CHANNELS),
        "embeddings.token_type_embeddings.weight": 0.3 * normals(random, 2, CHANNELS),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        sizes = dict.fromkeys(
            (f"attention.self.{part}" for part in ("query", "key", "value")), (CHANNELS,) * 2
        )
        sizes |= {"attention.output.dense": (CHANNELS, CHANNELS), "intermediate.dense": (INNER, CHANNELS)}
        sizes |= {"output.dense": (CHANNELS, INNER)}
        for part, (out, into) in sizes.items():
            made[f"{name}.{part}.weight"] = normals(random, out, into) / np.float32(math.sqrt(into))
            made[f"{name}.{part}.bias"] = 0.1 * normals(random, out)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for name in norms:
        made[f"{name}.weight"] = 1 + 0.1 * normals(random, CHANNELS)
        made[f"{name}.weight"][OUTLIER] = 8
        made[f"{name}.bias"] = 0.1 * normals(random, CHANNELS)
    return made


def softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    result: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return result


def gelu(values: Floats) -> Floats:
    errors = np.array([math.erf(value) for value in (values / math.sqrt(2)).flat])
    result: Floats = (values * 0.5 * (1 + errors.reshape(values.shape))).astype(np.float32)
    return result


def in_32_bits(weights: dict[str, Floats], ids: list[int]) -> Floats:
    """BERT's encoder as Devlin et al. (2018) have it, one text."""

    def dense(values: Floats, name: str) -> Floats:
        result: Floats = values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        return result

    def normalised(values: Floats, name: str) -> Floats:
        centred = values - values.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt(values.var(axis=1, keepdims=True) + EPSILON)
        result: Floats = scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
        return result

    table = weights["embeddings.word_embeddings.weight"][ids]
    places = weights["embeddings.position_embeddings.weight"][: len(ids)]
    state = table + places + weights["embeddings.token_type_embeddings.weight"][0]
    state = normalised(state, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            dense(state, f"{name}.attention.self.{part}").reshape(len(ids), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = softmax(query @ key.swapaxes(1, 2) / math.sqrt(CHANNELS / HEADS)) @ value
        mixed = dense(mixed.swapaxes(0, 1).reshape(len(ids), CHANNELS), f"{name}.attention.output.dense")
        state = normalised(state + mixed, f"{name}.attention.output.LayerNorm")
        active = gelu(dense(state, f"{name}.intermediate.dense"))
        state = normalised(state + dense(active, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    return state


def run(weights: Weights, encoder: Encoder, ids: list[int]) -> Floats:
    """What the graph makes of a text."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    model = encoder_graph(weights, encoder).SerializeToString()
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    made: Floats = session.run(None, {INPUT: np.array([ids], np.int64)})[0][0]
    return made


def cosines(weights: dict[str, Floats], outliers: dict[int, int]) -> Floats:
    """How near the graph's vectors of all tokens are to those in 32 bits, for some texts."""
    model = encoder_graph(weights, Encoder(HEADS, EPSILON, outliers))
    options = SessionOptions()
    options.intra_op_num_threads = 1
    session = InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = []
    for ids in ([1], [3, 9, 27], list(range(PLACES)), [4] * 10):
        made = session.run(None, {INPUT: np.array([ids], np.int64)})[0][0]
        wanted = in_32_bits(weights, ids)
        lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(wanted, axis=1)
        found.append((made * wanted).sum(axis=1) / lengths)
    result: Floats = np.concatenate(found)
    return result


def test_the_graph_computes_what_the_network_does(weights: dict[str, Floats]) -> None:
    """Mistaken parts of it would leave cosines around zero."""
    assert cosines(weights, {OUTLIER: 4}).min() > 0.995


def test_dividing_a_channel_that_stands_out_brings_the_vectors_nearer(weights: dict[str, Floats]) -> None:
    """Its range is all others' range too."""
    assert np.median(cosines(weights, {OUTLIER: 4})) > np.median(cosines(weights, {}))


def test_the_same_weights_give_the_same_file(weights: dict[str, Floats]) -> None:
    """The image and the tests hold one model."""
    encoder = Encoder(HEADS, EPSILON, {OUTLIER: 4})
    first, second = (encoder_graph(weights, encoder).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_a_text_alone_goes_into_a_run(weights: dict[str, Floats]) -> None:
    """The brain reads off the input that it must give one text at a time."""
    (given,) = encoder_graph(weights, Encoder(HEADS, EPSILON, {})).graph.input
    assert given.type.tensor_type.shape.dim[0].dim_value == 1


def test_a_last_layer_for_the_first_token_alone_makes_the_same_of_it(weights: dict[str, Floats]) -> None:
    """Pooling by [CLS] looks at no other."""
    ids = [3, 9, 27]
    all_tokens = run(weights, Encoder(HEADS, EPSILON, {OUTLIER: 4}), ids)
    (first,) = run(weights, Encoder(HEADS, EPSILON, {OUTLIER: 4}, first_token=True), ids)
    # Not to the last digit: its row is rounded in a range of its own.
    assert first @ all_tokens[0] / np.linalg.norm(first) / np.linalg.norm(all_tokens[0]) > 0.999


def test_a_centre_is_taken_from_every_token(weights: dict[str, Floats]) -> None:
    """So that it is taken from their mean too."""
    centre = np.linspace(-1, 1, CHANNELS, dtype=np.float32)
    plain, centred = (
        run(weights, Encoder(HEADS, EPSILON, {}, centre=each), [3, 9, 27]) for each in (None, centre)
    )
    assert centred == pytest.approx(plain - centre, abs=1e-5)


def test_a_table_in_four_bits_is_read_as_it_was_published(weights: dict[str, Floats]) -> None:
    """The first row stands for its numbers as they are, whatever the sign.

    Within what eight bits round, which a processor with VNNI does at other places.
    """
    values = np.tile(np.arange(-8, 8, dtype=np.int8), (WORDS, CHANNELS // 16))
    table = FourBits(values, np.full((WORDS, CHANNELS // BLOCK), 0.25, np.float32))
    name = "embeddings.word_embeddings.weight"
    packed, plain = (
        run({**weights, name: each}, Encoder(HEADS, EPSILON, {OUTLIER: 4}), [3, 9, 27])
        for each in (table, table.floats())
    )
    assert packed == pytest.approx(plain, rel=0.01, abs=0.05)


def test_rounding_keeps_every_weight_within_half_a_step() -> None:
    """Each row has a step of its own, and a row of zeros stays one."""
    rows = np.array([[0.5, -1.0, 0.001], [0, 0, 0], [200, 10, -3]], np.float32)
    whole, scales = rounded(rows)
    assert whole[0].tolist() == [64, -127, 0]
    assert np.abs(whole * scales[:, None] - rows).max(axis=1) == pytest.approx([0, 0, 0], abs=0.8)
    assert (np.abs(whole * scales[:, None] - rows) <= scales[:, None] / 2 + 1e-6).all()
