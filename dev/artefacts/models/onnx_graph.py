"""Writes a BERT encoder as an ONNX graph that is fast on a CPU and multiplies 8-bit integers.

An exported network leaves half of the time to what surrounds its products, and takes one range of values for
all texts of a run, so that a text's vector depends on its neighbours. This graph takes one text a run, hence
neither padding nor mask, and has of each operator the one that ONNX Runtime computes fastest; its `Sum`s are
not `Add`s since those would be merged into a `SkipLayerNormalization`, which takes six times as long.

Only numpy and onnx: the image build runs it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FourBits:
    """A matrix whose weights are numbers from -8 to 7, in blocks of a row that have one factor each."""

    values: NDArray[np.int8]
    """Shape (rows, columns)."""
    scales: Floats
    """Shape (rows, columns / BLOCK)."""

    def floats(self) -> Floats:
        """Return the matrix that it stands for."""
        return self.values.astype(np.float32) * np.repeat(self.scales, BLOCK, axis=1)


Weights = Mapping[str, Floats | FourBits]

MICROSOFT: Final = "com.microsoft"
"""ONNX Runtime's own operators: products of 8-bit integers that give floats."""
OPSETS: Final = (helper.make_opsetid("", 23), helper.make_opsetid(MICROSOFT, 1))
"""23 brought `Attention`."""
IR_VERSION: Final = 11
"""The format's version that belongs to opset 23."""
LEVELS: Final = 127
"""Steps to either side of zero in 8 bits."""
GELU_LOWEST: Final = np.float32(0.17)
"""Gelu is nowhere below -0.17, so that a row's greatest value, or this, bounds it on both sides."""
INPUT: Final = "input_ids"
OUTPUT: Final = "last_hidden_state"
BLOCK: Final = 32
"""Weights that share a factor where a matrix is in 4 bits."""
FOUR_BITS_ZERO: Final = 8
"""What is added to a weight of 4 bits where it is kept without a sign."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What the weights do not say of the network.

    `outliers` names the channels whose values are several times as large as all others', and by what power of
    two they are divided before rounding, their weights being multiplied by it: one range then fits all.
    """

    heads: int
    epsilon: float
    outliers: Mapping[int, int]
    first_token: bool = False
    """Only the first token's vector is wanted (pooling by [CLS]): the last layer computes no other."""
    centre: Floats | None = None
    """Is taken from every token's vector: the way that all texts' vectors point, where there is one."""


@dataclass(frozen=True, slots=True)
class _Graph:
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        return name

    def packed(self, values: NDArray[np.int8]) -> str:
        """A constant of numbers of 4 bits, two in a byte, the first in the lower half."""
        name = f"constant_{len(self.constants)}"
        halves = (values.astype(np.uint8) & 0x0F).reshape(-1, 2)
        content = (halves[:, 0] | halves[:, 1] << 4).tobytes()
        kind = onnx.TensorProto.INT4
        self.constants.append(helper.make_tensor(name, kind, values.shape, content, raw=True))
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        (output,) = self.add_many(kind, 1, *inputs, domain=domain, **attributes)
        return output

    def add_many(
        self, kind: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any
    ) -> list[str]:
        name = f"{kind}_{len(self.nodes)}"
        names = [f"{name}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, domain=domain, **attributes))
        return names


def rounded(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return the rows of a matrix as 8-bit integers, and what each row's are multiplied by."""
    scales = (np.abs(weights).max(axis=1) / LEVELS).astype(np.float32)
    # A row of zeros stays one.
    safe = np.where(scales > 0, scales, np.float32(1))
    return np.rint(weights / safe[:, None]).astype(np.int8), scales


def channels_of(weights: Weights) -> int:
    """Return how many numbers a token's vector has."""
    norm = weights["embeddings.LayerNorm.weight"]
    return len(norm.values if isinstance(norm, FourBits) else norm)


def encoder_graph(weights: Weights, encoder: Encoder) -> onnx.ModelProto:
    """Return the network: `input_ids` of shape (1, tokens) to `last_hidden_state` (1, tokens, channels).

    Args:
        weights: by the names that BERT's published files have.
        encoder: what else belongs to the network.
    """
    channels = channels_of(weights)
    writer = _Writer(_Graph(), weights, encoder, _divisors(encoder.outliers, channels))
    state = writer.embedded()
    layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
    for layer in range(layers):
        is_last = layer == layers - 1
        state = writer.layer(state, f"encoder.layer.{layer}", first_token=encoder.first_token and is_last)
    graph = writer.graph
    if encoder.centre is not None:
        state = graph.add("Sub", state, graph.constant(encoder.centre))
    graph.nodes.append(helper.make_node("Identity", [state], [OUTPUT]))
    int64, float32 = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(INPUT, int64, [1, "tokens"])]
    tokens = 1 if encoder.first_token else "tokens"
    outputs = [helper.make_tensor_value_info(OUTPUT, float32, [1, tokens, channels])]
    made = helper.make_graph(graph.nodes, "encoder", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=OPSETS, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _divisors(outliers: Mapping[int, int], channels: int) -> Floats:
    divisors = np.ones(channels, np.float32)
    for channel, divisor in outliers.items():
        divisors[channel] = divisor
    return divisors


@dataclass(frozen=True, slots=True)
class _Writer:
    graph: _Graph
    weights: Weights
    encoder: Encoder
    divisors: Floats

    def embedded(self) -> str:
        """The sum of each token's, its place's and the first segment's vector, normalised."""
        add, constant = self.graph.add, self.graph.constant
        table = self.floats("embeddings.position_embeddings.weight")
        segment = self.floats("embeddings.token_type_embeddings.weight")[0]
        first = constant(np.zeros(1, np.int64))
        places = add("Slice", constant(table + segment), first, add("Shape", INPUT, start=1), first)
        return self.normalised(add("Sum", self.tokens(), places), "embeddings.LayerNorm")

    def tokens(self) -> str:
        """Each token's vector, of a table in 8 bits or, where it was published so, in 4."""
        add, constant = self.graph.add, self.graph.constant
        table = self.weights["embeddings.word_embeddings.weight"]
        if isinstance(table, FourBits):
            halves, factors = self.graph.packed(table.values), constant(table.scales)
            return add(
                *("GatherBlockQuantized", halves, INPUT, factors),
                domain=MICROSOFT, block_size=BLOCK, gather_axis=0, quantize_axis=1,
            )  # fmt: skip
        words, scales = rounded(table)
        whole = add("Cast", add("Gather", constant(words), INPUT), to=onnx.TensorProto.FLOAT)
        return add("Mul", whole, add("Gather", constant(scales[:, None]), INPUT))

    def layer(self, state: str, name: str, *, first_token: bool) -> str:
        """One layer: attention, then the two products with Gelu between them, each added to what came.

        With `first_token` all tokens are attended to, and nothing else is computed of any but the first.
        """
        add, attention = self.graph.add, f"{name}.attention"
        projections = self.by_text(self.divided(state), self._projections(attention), divided=True)
        parts = self.graph.add_many("Split", 3, projections, axis=-1, num_outputs=3)
        if first_token:
            state, parts[0] = self.first(state), self.first(parts[0])
        heads = self.encoder.heads
        attended = add("Attention", *parts, q_num_heads=heads, kv_num_heads=heads)
        mixed = self.by_text(attended, self._dense(f"{attention}.output.dense"))
        state = self.normalised(add("Sum", state, mixed), f"{attention}.output.LayerNorm")
        inner = self._dense(f"{name}.intermediate.dense")
        active = add("Gelu", self.by_text(self.divided(state), inner, divided=True))
        outer, bias = self._dense(f"{name}.output.dense")
        # `Add` may stand here, as its sum goes into no normalisation.
        carried = add("Add", state, self.graph.constant(bias))
        summed = add("Sum", carried, self.by_token(active, outer))
        return self.normalised(summed, f"{name}.output.LayerNorm")

    def first(self, values: str) -> str:
        """The first token's row."""
        bounds = (self.graph.constant(np.array([each], np.int64)) for each in (0, 1, 1))
        return self.graph.add("Slice", values, *bounds)

    def normalised(self, values: str, name: str) -> str:
        """Layer normalisation with the weights of that name."""
        scale, shift = (self.graph.constant(self.floats(f"{name}.{part}")) for part in ("weight", "bias"))
        epsilon = self.encoder.epsilon
        return self.graph.add("LayerNormalization", values, scale, shift, axis=-1, epsilon=epsilon)

    def divided(self, values: str) -> str:
        """The channels that stand out brought down to the others."""
        if (self.divisors == 1).all():
            return values
        return self.graph.add("Mul", values, self.graph.constant(1 / self.divisors))

    def by_text(self, values: str, dense: tuple[Floats, Floats], *, divided: bool = False) -> str:
        """The product of all tokens with a matrix, their values rounded in one range for the whole text."""
        weights, bias = dense
        whole, scales = rounded(weights * self.divisors if divided else weights)
        constants = [self.graph.constant(value) for value in (whole.T, scales, bias)]
        inputs = (values, constants[0], constants[1], "", constants[2])
        return self.graph.add("DynamicQuantizeMatMul", *inputs, domain=MICROSOFT)

    def by_token(self, values: str, weights: Floats) -> str:
        """The product of Gelu's values with a matrix, each token's rounded in a range of its own.

        Single tokens reach 25 there while all others stay below 5: one range for a text would take a third of
        the vector's agreement with that of the network in 32 bits.
        """
        add, constant = self.graph.add, self.graph.constant
        greatest = add("ReduceMax", values, constant(np.array([0, 2])), keepdims=0)
        bounds = add("Max", greatest, constant(GELU_LOWEST))
        steps = add("Mul", bounds, constant(np.float32(1 / LEVELS)))
        zeros = add("Expand", constant(np.array([128], np.uint8)), add("Shape", steps))
        rows = add("QuantizeLinear", values, steps, zeros, axis=1)
        whole, scales = rounded(weights)
        factors = (whole.T, np.float32(1), scales, np.uint8(128))
        inputs = (rows, *(constant(value) for value in factors))
        product = add("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)
        return add("Mul", product, add("Unsqueeze", steps, constant(np.array([1]))))

    def floats(self, name: str) -> Floats:
        """The weights of that name in 32 bits."""
        found = self.weights[name]
        return found.floats() if isinstance(found, FourBits) else found

    def _dense(self, name: str) -> tuple[Floats, Floats]:
        return self.floats(f"{name}.weight"), self.floats(f"{name}.bias")

    def _projections(self, attention: str) -> tuple[Floats, Floats]:
        parts = [self._dense(f"{attention}.self.{part}") for part in ("query", "key", "value")]
        weights, biases = zip(*parts, strict=True)
        return np.concatenate(weights), np.concatenate(biases)
