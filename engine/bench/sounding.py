"""A musician's waiting times: first sound of a hot model, change of the prompt; and the codec's share of the work.

    first sound   ten seconds of music before the stream: encoded, prefilled, steps and decoding up to the first sample
    change        in a running stream: a new window from the overlap, steps and decoding up to the first changed sample

Text encoder, chroma, style features and the host are not included: `segue bench` without options measures the embedded
model through the engine's OSC port.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from engine.api.offline import decoded_as_made
from engine.bench.segue_side import conditions_of, settings_of
from engine.bench.shapes import Shape
from engine.codec.base import Codec
from engine.lm import Conditions
from engine.lm.executors.base import Executor
from engine.stream import TokenStream
from engine.stream.lanes import LaneBatch

PROMPT_SECONDS = 10
HOP_FRAMES, QUICK_FRAMES = 10, 4  # the engine's pieces: with time, and in a hurry
HOPS = 6


def random_codec(device: str) -> Codec:
    """EnCodec of the published sizes with random weights, in the runtime that is faster on this machine.  [main]"""
    from engine.codec.encodec import Encodec, EncodecConfig
    from engine.models.codec_choice import set_runtime

    torch.manual_seed(0)
    codec = Encodec(EncodecConfig()).eval().requires_grad_(False)
    codec.quantizer.get_buffer("tables").normal_()
    codec.to(device)
    set_runtime(codec)
    return codec


class Sounding:
    """One stream of a model with its codec.  All methods [generate]."""

    def __init__(self, shape: Shape, executor: Executor, codec: Codec) -> None:
        self.shape, self.executor, self.codec = shape, executor, codec
        self.device = str(executor.lm.device)
        self.conditions = conditions_of(shape, self.device)
        samples = PROMPT_SECONDS * codec.sample_rate
        self.audio = 0.1 * torch.randn(1, codec.channels, samples, generator=torch.Generator().manual_seed(3))

    def _conditions(self, offset: int, count: int) -> tuple[Conditions, ...]:
        return (replace(self.conditions),)

    @torch.inference_mode()
    def first_sound(self) -> tuple[float, TokenStream, Any]:
        """Seconds to the first samples; keeps the stream and the decoder's state for a change."""
        began = time.perf_counter()
        codes = self.codec.encode(self.audio.to(self.device))[0]
        kept = codes[:, -min(codes.shape[1], self.shape.keep_frames) :]
        settings = settings_of(self.shape)
        stream = TokenStream.begin(self.executor, self._conditions, kept, settings, seed=5)
        state = self.codec.init_decoder(None, codes[None])
        state = self._until_audio(stream, state)
        return time.perf_counter() - began, stream, state

    @torch.inference_mode()
    def change(self, stream: TokenStream, state: Any) -> float:
        """Seconds from a new prompt to the first samples that it makes; the stream's window is at least half full."""
        missing = self.shape.window_frames // 2 - stream.n_frames
        if missing > 0:  # arbitrary codes: the cost of a window does not depend on them
            config = self.executor.lm.config
            numbers = torch.randint(0, config.card, (config.n_codebooks, missing))
            stream.append(numbers.to(self.device))
        began = time.perf_counter()
        stream.roll(self._conditions)
        self._until_audio(stream, state)
        return time.perf_counter() - began

    @torch.inference_mode()
    def frame_with_codec(self, stream: TokenStream) -> float:
        """Seconds of a frame in a running stream, including decoding."""
        frames = (stream.advance(HOP_FRAMES)[None] for _ in range(HOPS))
        began = time.perf_counter()
        for _ in decoded_as_made(self.codec, frames, self.device):
            pass
        return (time.perf_counter() - began) / (HOPS * HOP_FRAMES)

    def _until_audio(self, stream: TokenStream, state: Any) -> Any:
        n_samples, lanes = 0, LaneBatch()
        lanes.add(0, stream)
        while not n_samples:
            frames = lanes.advance(QUICK_FRAMES)[0]
            if frames.error is not None:
                raise frames.error
            audio, state = self.codec.decode_step(frames.codes[None].to(self.device), state)
            n_samples = audio.cpu().shape[-1]
        return state

    @torch.inference_mode()
    def codec_frame(self) -> float:
        """Seconds of decoding a frame in a running stream, hop by hop."""
        numbers = torch.randint(0, self.codec.card, (1, self.codec.n_codebooks, HOP_FRAMES)).to(self.device)
        state = self.codec.init_decoder()
        _, state = self.codec.decode_step(numbers, state)
        began = time.perf_counter()
        for _ in range(HOPS):
            audio, state = self.codec.decode_step(numbers, state)
            audio.cpu()
        return (time.perf_counter() - began) / (HOPS * HOP_FRAMES)
