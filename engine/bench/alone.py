"""Speed of one loaded model alone, and of transformers' generate at the same sizes, alternating in one run.

    python -m engine.bench [--seconds 6] [--rounds 3] [--threads 2] [--json FILE]

`segue bench` runs this besides its measurements of the whole system. Streams are complete: windows roll, each from an
empty cache to a full one. Figures are medians over the rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.model import Ask, FrameGrid, LoadedModel
from engine.stream import StreamSettings, TokenStream, WindowSize

FRAMES_PER_SECOND = 50
PREFILL_FRAMES = 300
TOP_K = 250


def seconds_of(work: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call.  [main]"""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def stream(model: LoadedModel, n_frames: int, seed: int) -> torch.Tensor:
    """Codes [K, n] of one guided lane, windows rolling as in the engine.  [main]"""
    guidance = Guidance(model.cfg_coef)
    settings = StreamSettings(
        Sampling(True, model.temperature, min(TOP_K, model.lm.config.card), 0.0),
        guidance,
        WindowSize(model.window_frames, model.stride_frames),
    )
    ask = Ask(text="rock", grid=FrameGrid(120.0) if "tempo" in model.takes else None)

    def conditions(offset: int, count: int) -> Any:
        return model.conditioner([ask], guidance, offset, count)[0]

    return TokenStream.begin(model.executor, conditions, None, settings, seed).advance(n_frames)


def prefill(model: LoadedModel) -> None:
    """The work of a window roll before its first new step: conditions, and the overlapping frames in one pass.
    [main]"""
    guidance = Guidance(model.cfg_coef)
    conditions = model.conditioner([Ask(text="rock")], guidance, 0, model.window_frames)[0][0]
    state = model.executor.init_state(guidance.rows, model.window_frames + 4, conditions)
    tokens = torch.randint(0, model.lm.config.card, (guidance.rows, model.lm.config.n_codebooks, PREFILL_FRAMES))
    model.executor.prefill(tokens, conditions, state)


def reference_model(config: LMConfig) -> Any:
    """transformers' MusicGen with this language model's sizes, random weights and a codec too small to matter.

    [main]
    """
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    text = T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    audio = EncodecConfig(
        sampling_rate=32000, audio_channels=1, num_filters=2, hidden_size=8, codebook_size=config.card,
        codebook_dim=8, upsampling_ratios=[8, 5, 4, 4], num_lstm_layers=1, target_bandwidths=[2.0],
        normalize=False, chunk_length_s=None,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=config.card, hidden_size=config.dim, num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads, ffn_dim=config.ffn_mult * config.dim, num_codebooks=config.n_codebooks,
        pad_token_id=config.card, bos_token_id=config.card, max_position_embeddings=2048,
        audio_channels=config.n_codebooks // (config.max_delay + 1),
    )  # fmt: skip
    whole = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=audio.to_dict(), decoder=decoder.to_dict())
    return MusicgenForConditionalGeneration(whole).eval()


def reference_generate(reference: Any, n_frames: int, cfg_coef: float) -> None:
    """The same number of frames from transformers' `generate`, with the same guidance and sampling.  [main]"""
    inputs = torch.arange(2, 10)[None]
    special = reference.config.decoder.pad_token_id
    reference.generate(
        input_ids=inputs, attention_mask=torch.ones_like(inputs), do_sample=True, guidance_scale=cfg_coef,
        top_k=TOP_K, max_new_tokens=n_frames + 3, decoder_start_token_id=special, pad_token_id=special,
    )  # fmt: skip


def measure(model: LoadedModel, seconds: float, rounds: int) -> dict[str, float]:
    """All figures; both sides alternate, so that a busy machine affects both.  [main]"""
    n_frames = int(seconds * FRAMES_PER_SECOND)
    codes = stream(model, n_frames, 0)
    audio = model.codec.decode(codes[None])
    runs: dict[str, Callable[[], Any]] = {
        "language model": lambda: stream(model, n_frames, 1),
        "codec decode": lambda: model.codec.decode(codes[None]),
        "codec encode": lambda: model.codec.encode(audio),
        "prefill": lambda: prefill(model),
    }
    try:
        reference = reference_model(model.lm.config)
        runs["transformers"] = lambda: reference_generate(reference, n_frames, model.cfg_coef)
    except ImportError:
        print("transformers is not installed (pip install '.[bench]'): no comparison", file=sys.stderr)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, work in runs.items():
            taken[name].append(seconds_of(work))
    median = {name: statistics.median(times) for name, times in taken.items()}
    figures = {
        "language model, x real time": seconds / median["language model"],
        "language model, ms a step": 1000.0 * median["language model"] / n_frames,
        "codec decode, x real time": seconds / median["codec decode"],
        "codec encode, x real time": seconds / median["codec encode"],
        f"prefill of {PREFILL_FRAMES} frames, ms": 1000.0 * median["prefill"],
    }
    if "transformers" in median:
        figures["transformers, x real time"] = seconds / median["transformers"]
        figures["language model against transformers, times as fast"] = (
            median["transformers"] / median["language model"]
        )
    return figures
