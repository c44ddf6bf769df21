"""The arguments of a `MusicGen` call as the asks of its pieces: checked, at the model's rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.api.generation import GenerationParams, frame_rate, frames_of, must_take
from engine.audio.convert import at_model_rate
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.errors import AudioError
from engine.model import (
    CONTEXT,
    HARMONY,
    MELODY,
    STYLE,
    TEXT,
    Ask,
    FrameGrid,
    LoadedModel,
    OnGrid,
    Reference,
    StyleExcerpt,
)
from engine.system.type_checks import must_be_list, must_be_whole

Wavs = Tensor | Sequence[Tensor | None] | None
Texts = Sequence[str | None]


@dataclass(frozen=True)
class Given:
    """Texts, wavs [C, n] or one tensor [B, C, n], excerpt starts, and a prompt [B, C, n] to continue.  [any]"""

    texts: Texts | None
    melody: Wavs = None
    style: Wavs = None
    rate_hz: int = 32_000
    starts: Sequence[int] | None = None
    prompt: Tensor | None = None
    prompt_rate_hz: int = 32_000
    context: Wavs = None

    def following(self, prompt: Tensor | None, rate_hz: int) -> Given:
        """After a prompt [B, C, n] or [C, n]; ValueError for other shapes, AudioError for no tensor.  [any]"""
        if prompt is None:
            return self
        if not isinstance(prompt, Tensor):
            raise AudioError(f"prompt is a {type(prompt).__name__}, must be one torch tensor [B, C, n] or [C, n]")
        prompt = prompt[None] if prompt.dim() == 2 else prompt
        if prompt.dim() != 3:
            raise ValueError(f"prompt has shape {tuple(prompt.shape)}, must be [B, C, n] or [C, n]")
        return replace(self, prompt=prompt, prompt_rate_hz=rate_hz)

    @property
    def count(self) -> int:
        """The number of pieces; ValueError if the arguments disagree.  [any]"""
        if isinstance(self.texts, str):
            raise ValueError(f"descriptions is the one text {self.texts[:40]!r}, must be a list of texts")
        if self.texts is not None:
            must_be_list("descriptions", self.texts, str, "texts and None")
        lists = (self.texts, _listed(self.melody), _listed(self.style), self.prompt, _listed(self.context))
        counts = [len(given) for given in lists if given is not None]
        if not counts or min(counts) != max(counts) or counts[0] < 1:
            raise ValueError(f"references for {counts} pieces were given, need one count, 1 or more")
        return counts[0]


def _listed(wavs: Wavs) -> Sequence[Tensor | None] | None:
    """Wavs as a list of [C, n]; one tensor [C, n] is one wav."""
    if isinstance(wavs, Tensor):
        if not 2 <= wavs.dim() <= 3:
            raise ValueError(f"wavs have shape {tuple(wavs.shape)}, must be [B, C, n], or a list of [C, n] and None")
        return list(wavs[None] if wavs.dim() == 2 else wavs)
    return wavs


def asks_for(
    model: LoadedModel, given: Given, params: GenerationParams, excerpt: StyleExcerpt, reference: bool, seed: int
) -> list[Ask]:
    """One ask per piece; piece b's seed is `seed` + b.

    Raises UnsupportedError, which names what the model cannot follow; AudioError; ValueError.  [generate]
    """
    count = given.count
    texts = [None] * count if given.texts is None else given.texts
    if any(texts):
        must_take(model, TEXT)
    whole = frames_of(params.duration_seconds, model) <= model.window_frames
    melodies = _references(model, MELODY, given, count, whole, reference)
    styles = _references(model, STYLE, given, count, whole, reference)
    beside = [_on_grid(heard, params.grid) for heard in _references(model, CONTEXT, given, count, whole, reference)]
    excerpt = replace(excerpt, stride_frames=frames_of(params.stride_seconds, model))
    if given.starts is not None:
        if not hasattr(given.starts, "__len__"):
            raise TypeError(f"style_starts is {given.starts!r}, must be a list of whole numbers, one per window")
        for start in given.starts:
            must_be_whole(style_starts=start)
        excerpt = replace(excerpt, start_samples=tuple(given.starts))
    chords, plays = _harmonies(model, given, params, melodies), params.plays
    return [
        Ask(
            texts[row], melodies[row], styles[row], params.grid, excerpt, seed + row, reference, chords[row],
            plays.instruments, plays.density, plays.section, plays.key, beside[row],
        )
        for row in range(count)
    ]  # fmt: skip


def _on_grid(heard: Reference | None, grid: FrameGrid | None) -> Reference | None:
    """A context that begins with the music; on its grid if there is one."""
    if heard is None or grid is None:
        return heard
    beats = heard.audio.shape[-1] / SAMPLE_RATE_HZ * grid.bpm / 60.0
    return replace(heard, on_grid=OnGrid(grid.start_beats, beats, grid.bpm))


def _harmonies(
    model: LoadedModel, given: Given, params: GenerationParams, melodies: list[Reference | None]
) -> list[Reference | None]:
    """The prompt of each piece without a melody (its whole bars if there is a tempo), for models with `harmony`."""
    if given.prompt is None or HARMONY not in model.takes or not params.keep_harmony:
        return [None] * len(melodies)
    rate_hz = model.codec.sample_rate
    return [
        harmony_of(at_model_rate(wav, given.prompt_rate_hz, rate_hz), rate_hz, params.grid) if melody is None else None
        for wav, melody in zip(given.prompt, melodies, strict=True)
    ]


def harmony_of(audio: Tensor, rate_hz: int, grid: FrameGrid | None) -> Reference:
    """A prompt [1, n] as the music whose harmony is kept: its whole bars if there is a tempo.  [any]"""
    if grid is None:
        return Reference(audio)
    beats = audio.shape[1] / rate_hz * grid.bpm / 60.0
    bars = int(beats / grid.beats_per_bar + 0.01)  # tolerate some missing samples
    looped = bars * grid.beats_per_bar if bars else beats
    return Reference(audio, on_grid=OnGrid(grid.start_beats, looped, grid.bpm))


def _references(
    model: LoadedModel, name: str, given: Given, count: int, whole: bool, exact: bool
) -> list[Reference | None]:
    """A reference per piece; pieces with the same samples share one, so that it is analysed once."""
    wavs = _listed({MELODY: given.melody, STYLE: given.style, CONTEXT: given.context}[name])
    if wavs is None:
        return [None] * count
    if any(wav is not None for wav in wavs):
        must_take(model, name)
    met: dict[tuple[object, ...], Reference] = {}
    references: list[Reference | None] = []
    for wav in wavs:
        if wav is None:
            references.append(None)
            continue
        if not isinstance(wav, Tensor):
            raise AudioError(f"a {name} is a {type(wav).__name__}, must be a torch tensor [C, n], or None")
        key = (wav.data_ptr(), wav.shape, wav.stride())
        if key not in met:
            converted = at_model_rate(wav, given.rate_hz, model.codec.sample_rate, exact=exact)
            met[key] = Reference(converted, whole=whole or exact)
        references.append(met[key])
    return references


def encode_prompt(model: LoadedModel, prompt: Tensor, rate_hz: int, duration: float, reference: bool) -> Tensor:
    """Prompt [B, C, n] to codes [B, K, P], each piece alone.

    Raises AudioError for a prompt that leaves nothing to generate, or exceeds a window.  [generate]
    """
    codec, device, rate = model.codec, model.lm.out_norm.weight.device, frame_rate(model)
    wavs = [at_model_rate(wav, rate_hz, codec.sample_rate, codec.channels, exact=reference) for wav in prompt]
    frames = math.ceil(wavs[0].shape[1] / codec.frame_samples)
    window_seconds = model.window_frames / rate
    if reference:  # as audiocraft counts, and it lets a prompt fill its window
        limit = int(min(duration, window_seconds) * rate) + 1
    else:
        limit = min(frames_of(duration, model), model.window_frames)
    if frames >= limit:
        raise AudioError(
            f"the prompt is {frames / rate:.2f} s long, must be shorter than the duration ({duration} s) and the "
            f"model's window ({window_seconds} s)"
        )
    with torch.no_grad():
        return torch.cat([codec.encode(wav[None].to(device)) for wav in wavs])
