"""audiocraft's training configuration: the entries that affect the computation."""

from __future__ import annotations

import re
from typing import Any

from engine.checkpoints.config import (
    N_CHROMA,
    ModelConfig,
    chroma_frames,
    count,
    counts,
    encodec,
    expect,
    lm_config,
    look_up,
    number,
    style_config,
    window,
)
from engine.codec.encodec import EncodecConfig
from engine.conditions.style_net import StyleConfig
from engine.core.config import LMConfig
from engine.errors import UnsupportedError

CHROMA, STYLE = "chroma_stem", "style"
STYLE_SCALES = {"xsmall": (256, 8, 4), "default": (512, 8, 8), "large": (1024, 16, 24)}  # width, heads, layers


def _conditioners(config: Any) -> tuple[str | None, bool]:
    """The kind of the music conditioner, and whether cross-attention reads text."""
    conditioners = look_up(config, "conditioners")
    if "description" not in conditioners or set(conditioners) - {"self_wav", "description"}:
        known = "description and self_wav"
        raise UnsupportedError(f"conditioners are {sorted(conditioners)}; this version runs {known}")
    expect(config, "conditioners.description.model", ("t5",))
    music = None
    if "self_wav" in conditioners:
        music = expect(config, "conditioners.self_wav.model", (CHROMA, STYLE))
    cross = expect(config, "fuser.cross", ([], ["description"]))
    expect(config, "fuser.sum", ([],))
    if cross and music:
        raise UnsupportedError("text by cross-attention beside a prefix of music: this version runs either")
    return music, bool(cross)


def _chroma_frames(config: Any, seconds: float, sample_rate: int) -> int:
    expect(config, "conditioners.self_wav.chroma_stem.n_chroma", (N_CHROMA,))
    expect(config, "conditioners.self_wav.chroma_stem.radix2_exp", (14,))
    expect(config, "conditioners.self_wav.chroma_stem.argmax", (True,))
    return chroma_frames(seconds, sample_rate)


def _style(config: Any) -> StyleConfig:
    """The style network; its transformer is named by size, or by width, heads and layers ("tiny-64-8-2")."""
    style = "conditioners.self_wav.style."
    for name, only in (("model_name", "mert"), ("batch_norm", True), ("use_middle_of_segment", False)):
        expect(config, style + name, (only,))
    scale = str(look_up(config, style + "transformer_scale"))
    own = re.fullmatch(r"[a-z]+-([0-9]{1,5})-([0-9]{1,3})-([0-9]{1,3})", scale)
    if own is None and scale not in STYLE_SCALES:
        raise UnsupportedError(f"the style transformer's scale is '{scale}'; this version runs {sorted(STYLE_SCALES)}")
    dim, n_heads, n_layers = STYLE_SCALES[scale] if own is None else (int(number) for number in own.groups())
    return style_config(
        dim=dim,
        n_heads=n_heads,
        n_layers=n_layers,
        n_codebooks=count(config, style + "n_q_out", 64),
        card=count(config, style + "bins"),
        ds_factor=count(config, style + "ds_factor", 1000),
    )


def lm_from_audiocraft(config: Any) -> ModelConfig:
    """The model's configuration from the `xp.cfg` of a state_dict.bin.  [any]"""
    expect(config, "codebooks_pattern.modeling", ("delay",))
    expect(config, "transformer_lm.activation", ("gelu",))
    expect(config, "transformer_lm.positional_embedding", ("sin",))
    expect(config, "transformer_lm.norm_first", (True,))
    music, cross = _conditioners(config)
    seconds = number(config, "dataset.segment_duration", 1, 600)
    window_frames, stride_frames = window(seconds)
    sample_rate = int(expect(config, "sample_rate", (32000,)))
    return ModelConfig(
        lm=_language_model(config, cross),
        text_prefix=not cross,
        chroma_frames=_chroma_frames(config, seconds, sample_rate) if music == CHROMA else 0,
        window_frames=window_frames,
        stride_frames=stride_frames,
        cfg_coef=float(number(config, "classifier_free_guidance.inference_coef", -1000, 1000)),
        sample_rate=sample_rate,
        channels=_channels(config),
        t5=str(look_up(config, "conditioners.description.t5.name")),
        style=_style(config) if music == STYLE else None,
    )


def _channels(config: Any) -> int:
    """2 if the codes of left and right are interleaved (old configurations without the entry: 1)."""
    if "interleave_stereo_codebooks" not in config or not look_up(config, "interleave_stereo_codebooks.use"):
        return 1
    expect(config, "interleave_stereo_codebooks.per_timestep", (False,))
    return int(expect(config, "channels", (2,)))


def _language_model(config: Any, cross: bool) -> LMConfig:
    return lm_config(
        dim=count(config, "transformer_lm.dim"),
        n_heads=count(config, "transformer_lm.num_heads"),
        n_layers=count(config, "transformer_lm.num_layers", 1000),
        n_codebooks=count(config, "transformer_lm.n_q", 64),
        card=count(config, "transformer_lm.card"),
        delays=counts(config, "codebooks_pattern.delay.delays", 0, 64),
        cross_attention=cross,
        ffn_mult=count(config, "transformer_lm.hidden_scale", 64),
    )


def codec_from_audiocraft(config: Any) -> EncodecConfig:
    """The codec's configuration from the `xp.cfg` of a compression_state_dict.bin.  [any]"""
    for name in ("encodec.causal", "encodec.renormalize"):
        expect(config, name, (False,))
    expect(config, "seanet.norm", ("weight_norm",))
    expect(config, "seanet.activation", ("ELU",))
    expect(config, "seanet.n_residual_layers", (1,))
    expect(config, "seanet.true_skip", (True,))
    expect(config, "seanet.decoder.trim_right_ratio", (1.0,))
    expect(config, "seanet.decoder.final_activation", (None,))
    return encodec(
        sample_rate=int(expect(config, "sample_rate", (32000,))),
        channels=count(config, "seanet.channels", 1),
        n_filters=count(config, "seanet.n_filters"),
        dim=count(config, "seanet.dimension"),
        ratios=counts(config, "seanet.ratios", 2, 64),
        n_codebooks=count(config, "rvq.n_q", 64),
        card=count(config, "rvq.bins"),
        kernel=count(config, "seanet.kernel_size", 64),
        last_kernel=count(config, "seanet.last_kernel_size", 64),
        residual_kernel=count(config, "seanet.residual_kernel_size", 64),
        compress=count(config, "seanet.compress", 64),
        lstm_layers=count(config, "seanet.lstm", 16),
        pad_mode=str(look_up(config, "seanet.pad_mode")),
    )
