"""One step of a language model as an ONNX graph, its weights in 8 (or 4) bits, built from the loaded module.

    tokens [R, 1, K], added [R, 1, D] --embed--> x --layers, keys and values in place--> logits [R, 1, K * card]

The layers are those of `engine.lm.layers`; each matrix product is ONNX Runtime's blockwise quantised one, each
self-attention its in-place cached one, each residual sum part of the LayerNorm that follows it. LayerNorm, softmax,
residuals and embeddings stay in float32; keys and values are kept in 8 bits if asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.lm.layers import DecoderLayer

if TYPE_CHECKING:
    from engine.lm.model import LanguageModel

CONTRIB = "com.microsoft"
BLOCKS = (128, 64, 32, 16)  # how many weights of a row share a scale; the largest that divides the row
NORM_EPSILON = 1e-5
INLINE_BYTES = 64  # what shapes depend on has to stand in the graph itself

Weights = dict[str, NDArray[Any]]


@dataclass
class StepGraph:
    """The graph as bytes, and its weights by name (handed over beside it: a graph holds 2 GB at most)."""

    model: bytes
    weights: Weights


def quantise(weight: NDArray[np.float32], bits: int, block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Weight [N, K] to codes [N, K / block, block * bits / 8] and scales [N * K / block], symmetric.  [any]

    The zero is 2^(bits - 1), as ONNX Runtime's MatMulNBits takes it without zero points; the code 0 is not used, so
    that a weight and its negative are treated alike.
    """
    rows, width = weight.shape
    blocks = weight.reshape(rows, width // block, block)
    zero = 1 << (bits - 1)
    scales = np.maximum(np.abs(blocks).max(axis=-1) / (zero - 1), np.float32(1e-12))
    codes = (np.rint(blocks / scales[..., None]) + zero).astype(np.uint8)
    if bits == 4:
        codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return codes, scales.astype(np.float32).reshape(-1)


@dataclass
class _Builder:
    """Nodes and weights as they are put together."""

    bits: int | None
    small_cache: bool  # keys and values in 8 bits
    nodes: list[Any] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any
    ) -> str:
        """Add a node; the name of its first output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), domain=domain, **attributes))
        return outputs[0]

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a weight under a name; the name."""
        self.weights[name] = np.ascontiguousarray(value)
        return name

    def product(self, x: str, weight: Tensor, name: str) -> str:
        """x [..., K] times weight [N, K] transposed: quantised if asked and where a block divides K, else float32."""
        matrix = weight.detach().float().cpu().numpy()
        rows, width = matrix.shape
        block = next((size for size in BLOCKS if width % size == 0), None)
        if block is None or self.bits is None:
            return self.node("MatMul", [x, self.constant(f"{name}.weight", matrix.T)], [name])
        codes, scales = quantise(matrix, self.bits, block)
        inputs = [x, self.constant(f"{name}.codes", codes), self.constant(f"{name}.scales", scales)]
        sizes = {"K": width, "N": rows, "bits": self.bits, "block_size": block, "accuracy_level": 4}
        return self.node("MatMulNBits", inputs, [name], CONTRIB, **sizes)

    def norm(self, x: str, norm: Any, name: str) -> str:
        """LayerNorm of x."""
        inputs = [x, *self._affine(norm, name)]
        return self.node("LayerNormalization", inputs, [name], axis=-1, epsilon=NORM_EPSILON)

    def add_norm(self, x: str, branch: str, norm: Any, name: str) -> tuple[str, str]:
        """x + branch, and its LayerNorm: (normed, sum)."""
        outputs = [name, "", "", f"{name}.sum"]
        inputs = [x, branch, *self._affine(norm, name)]
        self.node("SkipLayerNormalization", inputs, outputs, CONTRIB, epsilon=NORM_EPSILON)
        return outputs[0], outputs[3]

    def _affine(self, norm: Any, name: str) -> list[str]:
        return [
            self.constant(f"{name}.gamma", norm.weight.detach().float().cpu().numpy()),
            self.constant(f"{name}.beta", norm.bias.detach().float().cpu().numpy()),
        ]


def build(model: LanguageModel, cross: bool, bits: int | None, small_cache: bool) -> StepGraph:
    """The graph of one step; `cross`: with a memory to attend to; `bits` 8, 4, or None for float32.

    `small_cache`: keys and values in 8 bits, with scales [D] of each as further inputs.  [generate]
    """
    config, builder = model.config, _Builder(bits, small_cache)
    x = _embed(builder, model)
    layers = model.layers
    normed = builder.norm(x, layers[0].norm1, "layer0.norm1")
    for index, layer in enumerate(layers):
        following = layers[index + 1].norm1 if index + 1 < len(layers) else model.out_norm
        normed, x = _layer(builder, layer, index, normed, x, following, cross)
    heads = np.concatenate([head.weight.detach().float().cpu().numpy() for head in model.linears])  # type: ignore[operator]
    from torch import from_numpy

    builder.product(normed, from_numpy(heads), "logits")
    return StepGraph(_serialise(builder, config.n_layers, config.n_heads, config.head_dim, cross), builder.weights)


def _embed(builder: _Builder, model: LanguageModel) -> str:
    """Sum of the codebooks' embeddings, plus what is added to every row."""
    config = model.config
    table = np.concatenate([emb.weight.detach().float().cpu().numpy() for emb in model.emb])  # type: ignore[operator]
    offsets = np.arange(config.n_codebooks, dtype=np.int64) * (config.card + 1)
    at = builder.node("Add", ["tokens", builder.constant("offsets", offsets)], ["rows"])
    found = builder.node("Gather", [builder.constant("table", table), at], ["found"], axis=0)
    axes = builder.constant("axis", np.array([2], np.int64))
    summed = builder.node("ReduceSum", [found, axes], ["summed"], keepdims=0)
    return builder.node("Add", ["added", summed], ["x"])


def _attend(builder: _Builder, qkv: str, index: int, heads: int) -> str:
    """Self-attention over the cache, which takes the new key and value in place."""
    name = f"layer{index}"
    cache = [f"{name}.keys", f"{name}.values"]
    inputs, more = [qkv, "", "", *cache, "lengths", "total"], {"num_heads": heads, "kv_num_heads": heads}
    if builder.small_cache:
        inputs += ["", "", "", "", "", *(f"{part}.scale" for part in cache)]
        kind = {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}
        more |= kind  # type: ignore[arg-type]
    outputs = [f"{name}.seen", *(f"{part}.now" for part in cache)]
    return builder.node("GroupQueryAttention", inputs, outputs, CONTRIB, **more)


def _layer(
    builder: _Builder, layer: DecoderLayer, index: int, normed: str, x: str, following: Any, cross: bool
) -> tuple[str, str]:
    """One layer from its normed input and the residual: both as the next layer takes them."""
    name = f"layer{index}"
    qkv = builder.product(normed, layer.self_attn.in_proj_weight, f"{name}.qkv")
    heads = layer.self_attn.n_heads
    seen = _attend(builder, qkv, index, heads)
    branch = builder.product(seen, layer.self_attn.out_proj.weight, f"{name}.out")
    if cross and layer.cross_attention is not None:
        attended = layer.cross_attention
        normed, x = builder.add_norm(x, branch, layer.norm_cross, f"{name}.norm_cross")
        dim = attended.out_proj.weight.shape[0]
        query = builder.product(normed, attended.in_proj_weight[:dim], f"{name}.query")
        memory = [f"{name}.memory_keys", f"{name}.memory_values"]
        heard = builder.node(
            "MultiHeadAttention", [query, *memory], [f"{name}.heard"], CONTRIB, num_heads=attended.n_heads
        )
        branch = builder.product(heard, attended.out_proj.weight, f"{name}.cross_out")
    normed, x = builder.add_norm(x, branch, layer.norm2, f"{name}.norm2")
    wide = builder.product(normed, layer.linear1.weight, f"{name}.wide")
    active = builder.node("Gelu", [wide], [f"{name}.active"], CONTRIB)
    branch = builder.product(active, layer.linear2.weight, f"{name}.narrow")
    return builder.add_norm(x, branch, following, f"{name}.following")


def _serialise(builder: _Builder, n_layers: int, n_heads: int, head_dim: int, cross: bool) -> bytes:
    """The graph with its inputs and outputs declared; weights by reference only."""
    from onnx import TensorProto, helper, numpy_helper

    info: Callable[..., Any] = helper.make_tensor_value_info
    kept = TensorProto.INT8 if builder.small_cache else TensorProto.FLOAT
    kinds = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int64": TensorProto.INT64}
    inputs = [
        info("tokens", TensorProto.INT64, ["rows", 1, "codebooks"]),
        info("added", TensorProto.FLOAT, ["rows", 1, n_heads * head_dim]),
        info("lengths", TensorProto.INT32, ["rows"]),
        info("total", TensorProto.INT32, [1]),
    ]
    outputs = [info("logits", TensorProto.FLOAT, ["rows", 1, "entries"])]
    for index in range(n_layers):
        for part in ("keys", "values"):
            shape = ["rows", n_heads, "capacity", head_dim]
            inputs.append(info(f"layer{index}.{part}", kept, shape))
            outputs.append(info(f"layer{index}.{part}.now", kept, shape))
            if builder.small_cache:
                inputs.append(info(f"layer{index}.{part}.scale", TensorProto.FLOAT, [n_heads * head_dim]))
            if cross:
                shape = ["rows", n_heads, "memory", head_dim]
                inputs.append(info(f"layer{index}.memory_{part}", TensorProto.FLOAT, shape))
    small = {name: value for name, value in builder.weights.items() if value.nbytes <= INLINE_BYTES}
    held = [numpy_helper.from_array(builder.weights.pop(name), name) for name in small]
    for name, value in builder.weights.items():
        tensor = TensorProto(name=name, data_type=kinds[value.dtype.name], dims=value.shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="handed over in memory")
        held.append(tensor)
    graph = helper.make_graph(builder.nodes, "step", inputs, outputs, held)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(CONTRIB, 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
