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
Weights = Mapping[str, Floats]

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


@dataclass(frozen=True, slots=True)
class Encoder:
    """What the weights do not say of the network.

    `outliers` names the channels whose values are several times as large as all others', and by what power of
    two they are divided before rounding, their weights being multiplied by it: one range then fits all.
    """

    heads: int
    epsilon: float
    outliers: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Graph:
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
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


def encoder_graph(weights: Weights, encoder: Encoder) -> onnx.ModelProto:
    """Return the network: `input_ids` of shape (1, tokens) to `last_hidden_state` (1, tokens, channels).

    Args:
        weights: by the names that BERT's published files have.
        encoder: what else belongs to the network.
    """
    channels = weights["embeddings.word_embeddings.weight"].shape[1]
    writer = _Writer(_Graph(), weights, encoder, _divisors(encoder.outliers, channels))
    state = writer.embedded()
    layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
    for layer in range(layers):
        state = writer.layer(state, f"encoder.layer.{layer}")
    graph = writer.graph
    graph.nodes.append(helper.make_node("Identity", [state], [OUTPUT]))
    int64, float32 = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(INPUT, int64, [1, "tokens"])]
    outputs = [helper.make_tensor_value_info(OUTPUT, float32, [1, "tokens", channels])]
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
        words, scales = rounded(self.weights["embeddings.word_embeddings.weight"])
        whole = add("Cast", add("Gather", constant(words), INPUT), to=onnx.TensorProto.FLOAT)
        tokens = add("Mul", whole, add("Gather", constant(scales[:, None]), INPUT))
        table = self.weights["embeddings.position_embeddings.weight"]
        segment = self.weights["embeddings.token_type_embeddings.weight"][0]
        first = constant(np.zeros(1, np.int64))
        places = add("Slice", constant(table + segment), first, add("Shape", INPUT, start=1), first)
        return self.normalised(add("Sum", tokens, places), "embeddings.LayerNorm")

    def layer(self, state: str, name: str) -> str:
        """One layer: attention, then the two products with Gelu between them, each added to what came."""
        add, attention = self.graph.add, f"{name}.attention"
        projections = self.by_text(self.divided(state), self._projections(attention), divided=True)
        parts = self.graph.add_many("Split", 3, projections, axis=-1, num_outputs=3)
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

    def normalised(self, values: str, name: str) -> str:
        """Layer normalisation with the weights of that name."""
        scale, shift = (self.graph.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
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

    def _dense(self, name: str) -> tuple[Floats, Floats]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]

    def _projections(self, attention: str) -> tuple[Floats, Floats]:
        parts = [self._dense(f"{attention}.self.{part}") for part in ("query", "key", "value")]
        weights, biases = zip(*parts, strict=True)
        return np.concatenate(weights), np.concatenate(biases)
