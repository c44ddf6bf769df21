"""The memory floor: the bytes that a step must read, and the time that this machine takes for that.

    weights   every matrix of the step's products, in its stored precision, with its scales
    cache     keys and values of all filled positions, rows and layers; those of the memory too

Not counted: the few rows of the embedding tables, LayerNorms, positions, writes. A step does not read
cross-attention's key and value matrices: their products are the memory's keys and values.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.config import LMConfig
from engine.ort.quantised import block_of

WEIGHT_BITS = {"float32": 32.0, "bfloat16": 16.0, "float16": 16.0, "int8": 8.0, "int4": 4.0}
SCALE_BITS = 32.0  # one for each block of a quantised row
HEAD_PRECISION = {"int4": "int8"}  # see `engine.lm.executors.onnx_graph`


@dataclass(frozen=True)
class StepBytes:
    """The bytes that one step of one lane reads.  [any]"""

    weights: float
    cache: float

    @property
    def total(self) -> float:
        """Both.  [any]"""
        return self.weights + self.cache


def step_weights(config: LMConfig) -> int:
    """The number of matrix weights in a step's products.  [any]"""
    own = 4 + 2 * config.ffn_mult  # query, key, value, out; feed-forward up and down
    crossed = 2 if config.cross_attention else 0  # query and out
    layers = config.n_layers * (own + crossed) * config.dim**2
    return layers + head_weights(config)


def head_weights(config: LMConfig) -> int:
    """The number of the heads' weights.  [any]"""
    return config.n_codebooks * config.card * config.dim


def all_weights(config: LMConfig) -> int:
    """The number of the language model's weights, without LayerNorms.  [any]"""
    crossed = 2 * config.n_layers * config.dim**2 if config.cross_attention else 0
    return step_weights(config) + crossed + config.n_codebooks * (config.card + 1) * config.dim


def bits_of(precision: str, width: int) -> float:
    """Bits of a weight, its share of a scale included; `width` is that of the matrix's rows.  [any]"""
    bits = WEIGHT_BITS[precision]
    if precision not in ("int8", "int4"):
        return bits
    block = block_of(width)
    return 32.0 if block is None else bits + SCALE_BITS / block


def cache_bytes(config: LMConfig, rows: int, positions: int, item_bytes: float) -> float:
    """Bytes of keys and values.  [any]"""
    return 2.0 * config.n_layers * rows * positions * config.dim * item_bytes


def step_bytes(
    config: LMConfig, precision: str, rows: int, filled: int, memory: int, cache_item_bytes: float
) -> StepBytes:
    """What a step reads at `filled` positions, prefix included, with `memory` vectors to attend to.  [any]"""
    heads = head_weights(config)
    weights = (step_weights(config) - heads) * bits_of(precision, config.dim) / 8.0
    weights += heads * bits_of(HEAD_PRECISION.get(precision, precision), config.dim) / 8.0
    crossed = cache_bytes(config, rows, memory, 4.0 if "int" in precision else WEIGHT_BITS[precision] / 8.0)
    return StepBytes(weights, cache_bytes(config, rows, filled, cache_item_bytes) + crossed)


def fraction_of_floor(step_seconds: float, n_bytes: float, bytes_per_second: float) -> float:
    """Floor over step: 1.0 = as fast as memory allows, 0.5 = twice as long.  [any]"""
    return n_bytes / bytes_per_second / step_seconds
