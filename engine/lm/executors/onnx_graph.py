"""One step of a language model as an ONNX graph, its weights in 8 (or 4) bits, built from the loaded module.

    tokens [R, 1, K], added [R, 1, D] --embed--> x --layers, keys and values in place--> logits [R, 1, K * card]

The layers are those of `engine.lm.layers`; each matrix product is ONNX Runtime's blockwise quantised one, each
self-attention its in-place cached one, each residual sum part of the LayerNorm that follows it. LayerNorm, softmax,
residuals and embeddings stay in float32; keys and values are optionally in 8 bits. With 4 bits the heads have 8: they
are a fortieth of the bytes of a step, and would cause a seventh of its error (embedded model).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from engine.lm.layers import DecoderLayer
from engine.lm.model import LanguageModel
from engine.ort.graph import CONTRIB, Dims, Graph
from engine.ort.quantised import array_of, product

PARTS = ("keys", "values")
HEAD_BITS = 8
IN_8_BITS = {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}


def build(model: LanguageModel, cross: bool, bits: int | None, small_cache: bool) -> Graph:
    """The graph of one step; `cross`: with a memory to attend to; `bits` 8, 4, or None for float32.

    `small_cache`: keys and values in 8 bits; their scales [D] are further inputs.  [generate]
    """
    config = model.config
    graph = Graph(inputs={"added": ["rows", 1, config.dim]})
    graph.input("tokens", ["rows", 1, config.n_codebooks], np.int64)
    graph.input("lengths", ["rows"], np.int32)
    graph.input("total", [1], np.int32)
    writer = _Writer(graph, config.n_heads, config.head_dim, bits, small_cache, cross)
    layers = model.layers
    x = writer.embed(model)
    normed = writer.norm(x, layers[0].norm1, "first")
    for index, layer in enumerate(layers):
        following = layers[index + 1].norm1 if index + 1 < len(layers) else model.out_norm
        normed, x = writer.layer(layer, f"layer{index}", normed, x, following)
    heads = torch.cat([cast(Tensor, head.weight) for head in model.linears])
    logits = product(graph, normed, heads, "heads", HEAD_BITS if bits else None)
    graph.name_output(logits, "logits", ["rows", 1, len(heads)])
    return graph


@dataclass
class _Writer:
    """Writes layers into a graph."""

    graph: Graph
    n_heads: int
    head_dim: int
    bits: int | None
    small_cache: bool
    cross: bool

    def embed(self, model: LanguageModel) -> str:
        """Sum of the codebooks' embeddings and the known inputs."""
        graph, config = self.graph, model.config
        table = torch.cat([cast(Tensor, emb.weight) for emb in model.emb])
        offsets = graph.numbers(*(k * (config.card + 1) for k in range(config.n_codebooks)))
        at = graph.one("Add", "tokens", offsets)
        found = graph.one("Gather", graph.weight("table", array_of(table)), at, axis=0)
        return graph.one("Add", "added", graph.one("ReduceSum", found, graph.numbers(2), keepdims=0))

    def layer(self, layer: DecoderLayer, name: str, normed: str, x: str, following: nn.LayerNorm) -> tuple[str, str]:
        """One layer, from its normed input and the residual to those of the next layer."""
        seen = self.attend(self.product(normed, layer.self_attn.in_proj_weight, f"{name}.qkv"), name)
        branch = self.product(seen, layer.self_attn.out_proj.weight, f"{name}.out")
        if self.cross and layer.cross_attention is not None and layer.norm_cross is not None:
            attended = layer.cross_attention
            normed, x = self.add_norm(x, branch, layer.norm_cross, f"{name}.norm_cross")
            query = self.product(normed, attended.in_proj_weight[: self.n_heads * self.head_dim], f"{name}.query")
            branch = self.product(self.attend_memory(query, name), attended.out_proj.weight, f"{name}.cross_out")
        normed, x = self.add_norm(x, branch, layer.norm2, f"{name}.norm2")
        wide = self.graph.one("Gelu", self.product(normed, layer.linear1.weight, f"{name}.widen"), domain=CONTRIB)
        return self.add_norm(x, self.product(wide, layer.linear2.weight, f"{name}.narrow"), following, f"{name}.next")

    def attend(self, qkv: str, name: str) -> str:
        """Self-attention over the cache; writes the new key and value in place."""
        shape: Dims = ["rows", self.n_heads, "capacity", self.head_dim]
        kind = np.int8 if self.small_cache else np.float32
        cache = [self.graph.input(f"{name}.{part}", shape, kind) for part in PARTS]
        inputs, more = [qkv, "", "", *cache, "lengths", "total"], dict[str, Any](num_heads=self.n_heads)
        if self.small_cache:
            width = self.n_heads * self.head_dim
            scales = [self.graph.input(f"{name}.{part}.scale", [width]) for part in PARTS]
            inputs, more = [*inputs, "", "", "", "", "", *scales], {**more, **IN_8_BITS}
        seen, *after = self.graph.add("GroupQueryAttention", inputs, 3, CONTRIB, kv_num_heads=self.n_heads, **more)
        for inner, part in zip(after, PARTS, strict=True):
            self.graph.give_in_place(inner, f"{name}.{part}.after", shape, kind)
        return seen

    def attend_memory(self, query: str, name: str) -> str:
        """Cross-attention to keys and values that are computed once a window."""
        shape: Dims = ["rows", self.n_heads, "memory", self.head_dim]
        memory = [self.graph.input(f"{name}.memory_{part}", shape) for part in PARTS]
        return self.graph.one("MultiHeadAttention", query, *memory, domain=CONTRIB, num_heads=self.n_heads)

    def product(self, x: str, weight: Tensor, name: str) -> str:
        return product(self.graph, x, weight, name, self.bits)

    def norm(self, x: str, norm: nn.LayerNorm, name: str) -> str:
        """LayerNorm of x."""
        return self.graph.one("LayerNormalization", x, *self._affine(norm, name), axis=-1, epsilon=norm.eps)

    def add_norm(self, x: str, branch: str, norm: Any, name: str) -> tuple[str, str]:
        """x + branch, and its LayerNorm: (normed, sum)."""
        inputs = [x, branch, *self._affine(norm, name)]
        normed, _, _, total = self.graph.add(
            "SkipLayerNormalization", inputs, 4, CONTRIB, unused=(1, 2), epsilon=norm.eps
        )
        return normed, total

    def _affine(self, norm: nn.LayerNorm, name: str) -> list[str]:
        return [
            self.graph.weight(f"{name}.gamma", array_of(norm.weight)),
            self.graph.weight(f"{name}.beta", array_of(norm.bias)),
        ]
