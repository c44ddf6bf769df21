"""transformers' config.json: language model, codec and text encoder side by side."""

from __future__ import annotations

import math
from typing import Any

from engine.checkpoints.config import (
    N_CHROMA,
    WINDOW_SECONDS,
    ModelConfig,
    count,
    counts,
    encodec,
    expect,
    lm_config,
    look_up,
    number,
    window,
)
from engine.codec.encodec import EncodecConfig
from engine.conditions.text_t5 import T5Config
from engine.errors import UnsupportedError

DELAYS = {1: (0, 1, 2, 3), 2: (0, 0, 1, 1, 2, 2, 3, 3)}  # by channels
_T5_DEFAULTS = {
    "feed_forward_proj": "relu",
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "layer_norm_epsilon": 1e-6,
}


def lm_from_transformers(config: Any, generation: Any, chunk_seconds: float | None) -> ModelConfig:
    """The model's configuration from config.json, generation_config.json and the feature extractor's chunk length.
    [any]"""
    kind = expect(config, "model_type", ("musicgen", "musicgen_melody"))
    decoder = look_up(config, "decoder")
    channels = count({"audio_channels": 1} | decoder, "audio_channels", 2)
    expect(decoder, "activation_function", ("gelu",))
    expect(decoder, "scale_embedding", (False,))
    melody = kind == "musicgen_melody"
    if melody:
        expect(config, "num_chroma", (N_CHROMA,))
    dim, ffn = count(decoder, "hidden_size"), count(decoder, "ffn_dim")
    if ffn % dim:
        raise UnsupportedError(f"ffn_dim {ffn} is not a multiple of hidden_size {dim}")
    lm = lm_config(
        dim=dim,
        n_heads=count(decoder, "num_attention_heads"),
        n_layers=count(decoder, "num_hidden_layers", 1000),
        n_codebooks=int(expect(decoder, "num_codebooks", (len(DELAYS[channels]),))),
        card=count(decoder, "vocab_size"),
        delays=DELAYS[channels],
        cross_attention=not melody,
        ffn_mult=ffn // dim,
    )
    window_frames, stride_frames = window(chunk_seconds or WINDOW_SECONDS)
    return ModelConfig(
        lm=lm,
        text_prefix=melody,
        chroma_frames=count(config, "chroma_length") if melody else 0,
        window_frames=window_frames,
        stride_frames=stride_frames,
        cfg_coef=float(number({"guidance_scale": 3.0} | generation, "guidance_scale", -1000, 1000)),
        channels=channels,
    )


def t5_from_transformers(config: Any) -> T5Config:
    """The encoder's sizes from a config.json of model type t5; missing entries have T5's defaults.  [any]"""
    config = _T5_DEFAULTS | config
    expect(config, "feed_forward_proj", ("relu",))
    return T5Config(
        dim=count(config, "d_model"),
        n_heads=count(config, "num_heads"),
        head_dim=count(config, "d_kv"),
        ffn_dim=count(config, "d_ff"),
        n_layers=count(config, "num_layers", 1000),
        vocabulary=count(config, "vocab_size"),
        n_buckets=count(config, "relative_attention_num_buckets"),
        max_distance=count(config, "relative_attention_max_distance"),
        eps=float(number(config, "layer_norm_epsilon", 0, 1)),
    )


def _codebooks(config: Any, sample_rate: int, ratios: tuple[int, ...]) -> int:
    """Number of codebooks, which the codec's configuration gives as the largest bandwidth in kbit/s."""
    bandwidths = look_up(config, "target_bandwidths")
    frame_rate = math.ceil(sample_rate / math.prod(ratios))
    bits = math.ceil(math.log2(count(config, "codebook_size")))
    last = bandwidths[-1] if isinstance(bandwidths, list) and bandwidths else None
    kilobits = number({"target_bandwidths": last}, "target_bandwidths", 0.01, 1000)
    return max(1, int(1000 * kilobits // (frame_rate * bits)))


def codec_from_transformers(config: Any) -> EncodecConfig:
    """The codec's configuration from a config.json of model type encodec.  [any]"""
    expect(config, "use_causal_conv", (False,))
    expect(config, "normalize", (False,))
    expect(config, "norm_type", ("weight_norm",))
    expect(config, "num_residual_layers", (1,))
    expect(config, "use_conv_shortcut", (False,))
    expect(config, "trim_right_ratio", (1.0,))
    sample_rate = int(expect(config, "sampling_rate", (32000,)))
    ratios = counts(config, "upsampling_ratios", 2, 64)
    return encodec(
        sample_rate=sample_rate,
        channels=count(config, "audio_channels", 1),
        n_filters=count(config, "num_filters"),
        dim=count(config, "hidden_size"),
        ratios=ratios,
        n_codebooks=_codebooks(config, sample_rate, ratios),
        card=count(config, "codebook_size"),
        kernel=count(config, "kernel_size", 64),
        last_kernel=count(config, "last_kernel_size", 64),
        residual_kernel=count(config, "residual_kernel_size", 64),
        compress=count(config, "compress", 64),
        lstm_layers=count(config, "num_lstm_layers", 16),
        pad_mode=str(look_up(config, "pad_mode")),
    )
