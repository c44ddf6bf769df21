"""Names and shapes of every tensor in the published files, from the sizes of a model.

Written independently of `names.py`, so that each checks the other: a checkpoint made of these must load, and these
must equal the names of the original classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.checkpoints.catalog import Published
from engine.codec.encodec import EncodecConfig
from engine.conditions.style_net import StyleConfig
from engine.conditions.text_t5 import T5Config
from engine.core.config import LMConfig

Named = Iterator[tuple[str, tuple[int, ...]]]
T5_BASE = T5Config(dim=768, n_heads=12, head_dim=64, ffn_dim=3072, n_layers=12, vocabulary=32128)
CHROMA_WINDOW, N_CHROMA = 16384, 12


@dataclass(frozen=True)
class ModelSizes:
    """All sizes that determine names and shapes.  [any]"""

    lm: LMConfig
    kind: str = "text"
    channels: int = 1
    codec: EncodecConfig = field(default_factory=EncodecConfig)
    t5: T5Config = T5_BASE
    style: StyleConfig = field(default_factory=StyleConfig)
    seconds: int = 30


def sizes_of(model: Published) -> ModelSizes:
    """The published sizes.  [any]"""
    cross = model.kind == "text"
    lm = LMConfig(
        model.dim, model.n_heads, model.n_layers, model.n_codebooks, delays=model.delays, cross_attention=cross
    )
    return ModelSizes(lm, model.kind, model.channels)


def audiocraft_lm(sizes: ModelSizes) -> Named:
    """`best_state` of state_dict.bin, float16.  [any]"""
    lm, dim = sizes.lm, sizes.lm.dim
    conditioner = "condition_provider.conditioners."
    yield from _linear(conditioner + "description.output_proj", sizes.t5.dim, dim)
    if sizes.kind == "melody":
        yield from _linear(conditioner + "self_wav.output_proj", N_CHROMA, dim)
        yield conditioner + "self_wav.chroma.spec.window", (CHROMA_WINDOW,)
    if sizes.kind == "style":
        yield from ((f"{conditioner}self_wav.{name}", shape) for name, shape in _style(sizes.style, dim))
    for k in range(lm.n_codebooks):
        yield f"emb.{k}.weight", (lm.card + 1, dim)
    for layer in range(lm.n_layers):
        yield from _layer(f"transformer.layers.{layer}.", dim, lm.ffn_mult, lm.cross_attention)
    yield from _norm("out_norm", dim)
    for k in range(lm.n_codebooks):
        yield f"linears.{k}.weight", (lm.card, dim)


def _layer(at: str, dim: int, ffn_mult: int, cross: bool) -> Named:
    for name in ("self_attn", "cross_attention") if cross else ("self_attn",):
        yield f"{at}{name}.in_proj_weight", (3 * dim, dim)
        yield f"{at}{name}.out_proj.weight", (dim, dim)
    yield f"{at}linear1.weight", (ffn_mult * dim, dim)
    yield f"{at}linear2.weight", (dim, ffn_mult * dim)
    for name in ("norm1", "norm2", "norm_cross") if cross else ("norm1", "norm2"):
        yield from _norm(at + name, dim)


def _norm(name: str, dim: int) -> Named:
    yield f"{name}.weight", (dim,)
    yield f"{name}.bias", (dim,)


def _linear(name: str, n_in: int, n_out: int) -> Named:
    yield f"{name}.weight", (n_out, n_in)
    yield f"{name}.bias", (n_out,)


def _style(style: StyleConfig, dim: int) -> Named:
    yield from _linear("output_proj", style.dim, dim)
    yield from _linear("embed", style.features, style.dim)
    for layer in range(style.n_layers):
        yield from _layer(f"transformer.layers.{layer}.", style.dim, 4, False)
    yield "batch_norm.running_mean", (style.dim,)
    yield "batch_norm.running_var", (style.dim,)
    yield "batch_norm.num_batches_tracked", ()
    for k in range(style.n_codebooks):
        yield from _codebook(f"rvq.vq.layers.{k}._codebook.", style.card, style.dim)


def _codebook(at: str, card: int, dim: int) -> Named:
    yield f"{at}inited", (1,)
    yield f"{at}cluster_size", (card,)
    yield f"{at}embed", (card, dim)
    yield f"{at}embed_avg", (card, dim)


def audiocraft_codec(codec: EncodecConfig) -> Named:
    """`best_state` of compression_state_dict.bin, float32.  [any]"""
    width, last = codec.n_filters, codec.n_filters * 2 ** len(codec.ratios)
    yield from _conv("encoder.model.0.conv.conv", codec.channels, width, codec.kernel)
    for index, ratio in enumerate(reversed(codec.ratios)):
        yield from _residual(f"encoder.model.{3 * index + 1}", width, codec)
        yield from _conv(f"encoder.model.{3 * index + 3}.conv.conv", width, 2 * width, 2 * ratio)
        width *= 2
    at = 3 * len(codec.ratios) + 1
    yield from _lstm(f"encoder.model.{at}.lstm", last, codec.lstm_layers)
    yield from _conv(f"encoder.model.{at + 2}.conv.conv", last, codec.dim, codec.last_kernel)
    yield from _conv("decoder.model.0.conv.conv", codec.dim, last, codec.kernel)
    yield from _lstm("decoder.model.1.lstm", last, codec.lstm_layers)
    for index, ratio in enumerate(codec.ratios):
        yield from _conv(f"decoder.model.{3 * index + 3}.convtr.convtr", width, width // 2, 2 * ratio, turned=True)
        width //= 2
        yield from _residual(f"decoder.model.{3 * index + 4}", width, codec)
    yield from _conv(f"decoder.model.{at + 2}.conv.conv", width, codec.channels, codec.last_kernel)
    for k in range(codec.n_codebooks):
        yield from _codebook(f"quantizer.vq.layers.{k}._codebook.", codec.card, codec.dim)


def _conv(name: str, n_in: int, n_out: int, kernel: int, turned: bool = False) -> Named:
    """Weight norm's two parts; a transposed convolution has the input channels first."""
    first, second = (n_in, n_out) if turned else (n_out, n_in)
    yield f"{name}.bias", (n_out,)
    yield f"{name}.weight_g", (first, 1, 1)
    yield f"{name}.weight_v", (first, second, kernel)


def _residual(at: str, width: int, codec: EncodecConfig) -> Named:
    inner = width // codec.compress
    yield from _conv(f"{at}.block.1.conv.conv", width, inner, codec.residual_kernel)
    yield from _conv(f"{at}.block.3.conv.conv", inner, width, 1)


def _lstm(at: str, width: int, n_layers: int) -> Named:
    for layer in range(n_layers):
        yield f"{at}.weight_ih_l{layer}", (4 * width, width)
        yield f"{at}.weight_hh_l{layer}", (4 * width, width)
        yield f"{at}.bias_ih_l{layer}", (4 * width,)
        yield f"{at}.bias_hh_l{layer}", (4 * width,)


def t5_encoder(t5: T5Config) -> Named:
    """The encoder of T5, float32, tied table stored once.  [any]"""
    inner = t5.n_heads * t5.head_dim
    yield "shared.weight", (t5.vocabulary, t5.dim)
    for block in range(t5.n_layers):
        at = f"encoder.block.{block}.layer."
        for name in ("q", "k", "v"):
            yield f"{at}0.SelfAttention.{name}.weight", (inner, t5.dim)
        yield f"{at}0.SelfAttention.o.weight", (t5.dim, inner)
        if block == 0:
            yield f"{at}0.SelfAttention.relative_attention_bias.weight", (t5.n_buckets, t5.n_heads)
        yield f"{at}0.layer_norm.weight", (t5.dim,)
        yield f"{at}1.DenseReluDense.wi.weight", (t5.ffn_dim, t5.dim)
        yield f"{at}1.DenseReluDense.wo.weight", (t5.dim, t5.ffn_dim)
        yield f"{at}1.layer_norm.weight", (t5.dim,)
    yield "encoder.final_layer_norm.weight", (t5.dim,)
