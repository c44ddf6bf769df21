"""Conditions of the embedded model: text and style as memory, melody and the host's tempo frame by frame.

    rows     conditional, (without text,) null: only what guidance leads away from: a faint grid between the
             beats, and tones outside the key. The context is in all rows: it is heard, not asked for; guidance
             towards it has the model play it as well
    memory   16 text vectors, then 8 style vectors, zeros if not given

References are read at the window's offset on the stream's own time, so a looped region stays in phase. Without a
melody, the chords of the audio prompt take its place, and guidance leads away from tones outside its key: otherwise the
model soon leaves the key. A prompt without tones (drums alone) has no chords: it conditions nothing.

Instruments, density, section, key and context are frame features that models of the first three versions do not have:
their conditioner does not take them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from engine.codec.spectral import SpectralCodec
from engine.conditions.arrangement import density_asked, instruments_asked, key_asked, section_asked
from engine.conditions.cache import WhileItLives
from engine.conditions.encoders import STYLE_VECTORS, StyleEncoder, WordEncoder
from engine.conditions.frames import (
    CHROMA_COLUMNS,
    CONTEXT_COLUMNS,
    CONTEXT_GIVEN,
    DENSITY_COLUMNS,
    FRAME_SAMPLES,
    INSTRUMENT_COLUMNS,
    KEY_COLUMNS,
    MELODY_COLUMNS,
    MELODY_GIVEN,
    N_FEATURES,
    SAMPLE_RATE_HZ,
    SECTION_COLUMNS,
    STYLE_COLUMNS,
    TEMPO_COLUMNS,
    TEXT_COLUMNS,
    beats_on,
    chroma_frames,
    harmony_frames,
    melody_features,
    tempo_features,
)
from engine.conditions.scale import has_tones, outside_scale
from engine.conditions.words import encode_texts, words_of
from engine.core.guidance import Guidance
from engine.lm import Conditions
from engine.model import ARRANGEMENT, HARMONY, MELODY, STYLE, TEMPO, TEXT, Ask, ExcerptRange, FrameGrid, Reference

EARLY_SECONDS = 0.006  # attacks come so early for the conditioned beat: measured; most of it is the codec's frames
STYLE_FRAMES = 150
STRIDE_FRAMES = 200
TRAINED_RMS = 0.09
QUIETEST_RMS = 1e-4
HEARD_COLUMNS = slice(CONTEXT_COLUMNS.start, CONTEXT_GIVEN + 1)
CACHED_TEXTS = 64
OFF_BEATS = 0.25  # the null row's grid: between two eighths
OFF_SHARE = 0.3  # its strength; measured: onsets as clearly on the eighths as in the training set, 1 is stiffer

Vectors = tuple[Tensor, Tensor]  # memory [n, D], summary [32]


def at_trained_level(audio: Tensor) -> Tensor:
    """Audio scaled to the loudness of the training set; silence is unchanged.  [any]"""
    rms = float(audio.pow(2).mean().sqrt())
    return audio if rms < QUIETEST_RMS else audio * (TRAINED_RMS / rms)


def excerpt_range(ask: Ask, offset_frames: int) -> ExcerptRange | None:
    """Three seconds of an ask's style: from the given start, else the middle; all of it if it is shorter.  [any]"""
    if ask.style is None:
        return None
    wanted, length, given = STYLE_FRAMES * FRAME_SAMPLES, ask.style.audio.shape[-1], ask.excerpt.start_samples
    if given is None:
        return ExcerptRange(max(0, length - wanted) // 2, wanted)
    window = offset_frames // (ask.excerpt.stride_frames or STRIDE_FRAMES)
    return ExcerptRange(given[min(window, len(given) - 1)] % length, wanted)


def style_excerpt(reference: Reference, start_samples: int = 0) -> Tensor:
    """Three seconds [1, N] of a reference, repeated if needed.  [any]"""
    at = torch.arange(start_samples, start_samples + STYLE_FRAMES * FRAME_SAMPLES, device=reference.audio.device)
    return at_trained_level(reference.audio[:, at % reference.audio.shape[-1]])


def between_beats(grid: FrameGrid) -> Ask:
    """An ask with a grid a quarter of a beat off, from which guidance leads away.

    A null row without a grid finds the beat in the audio so far and agrees with the other row, so that guidance would
    not strengthen the beat.  [generate]
    """
    segments = tuple(replace(segment, beats=segment.beats + OFF_BEATS) for segment in grid.segments)
    return Ask(grid=replace(grid, start_beats=grid.start_beats + OFF_BEATS, segments=segments))


class EmbeddedConditioner:
    """Implements `engine.model.Conditioner` for the embedded model; all methods [generate].

    `n_features` is the model's number of frame features: of those in `frames`, it has the first ones.
    """

    def __init__(
        self, text: WordEncoder, style: StyleEncoder, codec: SpectralCodec, n_features: int = N_FEATURES
    ) -> None:
        self.n_features = n_features
        self.takes = frozenset({TEXT, MELODY, STYLE, TEMPO, HARMONY})
        if n_features == N_FEATURES:
            self.takes |= ARRANGEMENT
        self.text = text.eval()
        self.style = style.eval()
        self.codec = codec
        self._texts: dict[str | None, Vectors] = {}  # of recent texts
        self._cached_results = WhileItLives()  # [regions] prepares what [generate] uses

    @torch.no_grad()
    def __call__(
        self, asks: Sequence[Ask], guidance: Guidance, offset_frames: int, window_frames: int
    ) -> list[tuple[Conditions, ...]]:
        """See `engine.model.Conditioner`; asks do not affect each other."""
        return [self._of(ask, guidance, offset_frames, window_frames) for ask in asks]

    def excerpts(self, asks: Sequence[Ask], offset_frames: int) -> list[ExcerptRange | None]:
        """See `engine.model.Conditioner`; the seed has no effect here."""
        return [excerpt_range(ask, offset_frames) for ask in asks]

    def prepare(self, ask: Ask) -> None:
        """See `engine.model.Conditioner`: pitch classes and key, which take long for minutes of music."""
        if ask.melody is not None:
            self._cached("melody", ask.melody, _at_trained_level(chroma_frames))
        if ask.harmony is not None:
            self._cached("harmony", ask.harmony, _at_trained_level(harmony_frames))
            self._strange(ask.harmony)
            self._tonal(ask.harmony)
        if ask.context is not None:
            self._latents(ask.context)

    def _of(self, ask: Ask, guidance: Guidance, offset: int, count: int) -> tuple[Conditions, ...]:
        kinds = [ask, Ask()]
        if guidance.rows == 3:
            kinds.insert(1, ask.wordless())
        frames = torch.stack([self._frames(kind, offset, count) for kind in kinds])
        frames[-1, :, HEARD_COLUMNS] = frames[0, :, HEARD_COLUMNS]
        if ask.grid is not None:
            frames[-1, :, TEMPO_COLUMNS] = self._pushed_from(ask.grid, offset, count)
        if self._keeps_chords(ask) and ask.harmony is not None:
            strange = self._strange(ask.harmony).to(frames.device)
            frames[-1, :, CHROMA_COLUMNS], frames[-1, :, MELODY_GIVEN] = strange, strange.max()
        memory = None  # zero vectors would only add work
        if ask.weighted_styles() or any(words_of(text) for text, _ in ask.weighted_texts()):
            memories = [self._memory(kind, part, offset) for kind, part in zip(kinds, frames, strict=True)]
            memory = torch.stack(memories)
        frames = frames[..., : self.n_features].contiguous()
        if guidance.two_step and guidance.rows == 2:
            rows = [None, None] if memory is None else list(memory.split(1))
            return tuple(Conditions(memory=rows[i], frames=frames[i : i + 1]) for i in (0, 1))
        return (Conditions(memory=memory, frames=frames),)

    def _memory(self, ask: Ask, frames: Tensor, offset: int) -> Tensor:
        """Memory [24, D] of one row; its summaries are written into its frame features [count, F]."""
        texts = [(self._text_vectors(text), weight) for text, weight in ask.weighted_texts() or ((None, 1.0),)]
        styles = [(self._styled(ask, style, offset), weight) for style, weight in ask.weighted_styles()]
        text, frames[:, TEXT_COLUMNS] = _mixed(texts)
        if not styles:
            return torch.cat([text, text.new_zeros(STYLE_VECTORS, self.text.dim)])
        style, frames[:, STYLE_COLUMNS] = _mixed(styles)
        return torch.cat([text, style])

    def _text_vectors(self, text: str | None) -> Vectors:
        """Word vectors [16, D] and summary [32] of a text."""
        found = self._texts.get(text)
        if found is None:
            memory, summary = self.text(encode_texts([text]).to(self.text.widen.weight.device))
            found = memory[0], summary[0]
            self._texts[text] = found
            if len(self._texts) > CACHED_TEXTS:
                self._texts.pop(next(iter(self._texts)))
        return found

    def _styled(self, ask: Ask, style: Reference, offset: int) -> Vectors:
        """Style vectors [8, D] and summary [32] of one of an ask's styles in the window at `offset`."""
        excerpt = excerpt_range(replace(ask, style=style), offset)
        assert excerpt is not None
        start = excerpt.start_samples
        vectors: Vectors = self._cached(f"style {start}", style, lambda given: self._style_vectors(given, start))
        return vectors

    def _style_vectors(self, reference: Reference, start: int) -> Vectors:
        """Style vectors [8, D] and summary [32] of a reference."""
        device = self.text.widen.weight.device
        codes = self.codec.encode(style_excerpt(reference, start)[None].to(device))
        memory, summary = self.style(self.codec.net.dequantise(codes))
        return memory[0], summary[0]

    def _frames(self, ask: Ask, offset: int, count: int) -> Tensor:
        """Frame features [count, F] of one row."""
        frames = torch.zeros(count, N_FEATURES)
        if ask.melody is not None:
            chroma = self._cached("melody", ask.melody, _at_trained_level(chroma_frames))
            frames[:, MELODY_COLUMNS] = _along(ask.melody, chroma, ask.grid, offset, count)
        elif ask.harmony is not None and self._keeps_chords(ask):
            chroma = self._cached("harmony", ask.harmony, _at_trained_level(harmony_frames))
            chroma = chroma * (1.0 - self._strange(ask.harmony))
            frames[:, MELODY_COLUMNS] = _along(ask.harmony, chroma, ask.grid, offset, count)
        if ask.grid is not None:
            frames[:, TEMPO_COLUMNS] = self._tempo(ask.grid, offset, count)
        self._arrangement(frames, ask, offset)
        return frames.to(self.text.widen.weight.device)

    def _arrangement(self, frames: Tensor, ask: Ask, offset: int) -> None:
        """Write instruments, density, section, key and context of an ask into frame features [count, F]."""
        count = len(frames)
        if ask.instruments is not None:
            frames[:, INSTRUMENT_COLUMNS] = instruments_asked(ask.instruments, count)
        if ask.density is not None:
            frames[:, DENSITY_COLUMNS] = density_asked(ask.density, count)
        if ask.section is not None:
            frames[:, SECTION_COLUMNS] = section_asked(ask.section, count)
        if ask.key is not None:
            frames[:, KEY_COLUMNS] = key_asked(ask.key)
        if ask.context is not None:
            latents = self._latents(ask.context)
            frames[:, CONTEXT_COLUMNS] = latents[_at_frames(ask.context, len(latents), ask.grid, offset, count)]
            frames[:, CONTEXT_GIVEN] = 1.0

    def _keeps_chords(self, ask: Ask) -> bool:
        """Whether the chords of an ask's prompt condition it: there are some, and no melody."""
        if ask.melody is not None or ask.harmony is None or set(ask.instruments or ()) == {"drums"}:
            return False
        return self._tonal(ask.harmony)

    def _tonal(self, harmony: Reference) -> bool:
        """Whether a prompt has tones."""
        return bool(self._cached("tonal", harmony, lambda given: has_tones(given.audio[0].cpu())))

    def _latents(self, context: Reference) -> Tensor:
        """The context's codec latents [T, latent] at the trained level, scaled as in training."""

        def encoded(given: Reference) -> Tensor:
            codes = self.codec.encode(at_trained_level(given.audio)[None].to(self.text.widen.weight.device))
            return (self.codec.net.dequantise(codes)[0] / self.style.latent_scale).cpu()

        with torch.no_grad():
            latents: Tensor = self._cached("context", context, encoded)
        return latents

    def retime(self, conditions: tuple[Conditions, ...], ask: Ask, offset_frames: int, first_row: int) -> None:
        """See `FollowsGrid`: tempo and melody of the rows that have them, and of the null row."""
        rows = [row for part in conditions if part.frames is not None for row in part.frames]
        if not rows or first_row >= len(rows[0]) or ask.grid is None:
            return
        first, count = offset_frames + first_row, len(rows[0]) - first_row
        new = self._frames(ask, first, count)
        for row in rows[:-1]:
            row[first_row:, TEMPO_COLUMNS] = new[:, TEMPO_COLUMNS]
            row[first_row:, MELODY_COLUMNS] = new[:, MELODY_COLUMNS]
        for row in rows:
            row[first_row:, CONTEXT_COLUMNS] = new[:, CONTEXT_COLUMNS][:, : row[:, CONTEXT_COLUMNS].shape[1]]
        rows[-1][first_row:, TEMPO_COLUMNS] = self._pushed_from(ask.grid, first, count)

    def _pushed_from(self, grid: FrameGrid, offset: int, count: int) -> Tensor:
        """Tempo columns [count, 11] of the null row."""
        return OFF_SHARE * self._frames(between_beats(grid), offset, count)[:, TEMPO_COLUMNS]

    def _strange(self, harmony: Reference) -> Tensor:
        """How far each pitch class [12] is outside the prompt's key."""
        strange: Tensor = self._cached("scale", harmony, _at_trained_level(outside_scale))
        return strange

    @staticmethod
    def _tempo(grid: FrameGrid, offset: int, count: int) -> Tensor:
        """Tempo columns [count, 11] of a grid, its beats delayed by EARLY_SECONDS."""
        lies = beats_on(grid, offset, count)
        return tempo_features(lies.from_bar - lies.bpm * (EARLY_SECONDS / 60.0), lies.bpm, lies.beats_per_bar)

    def _cached(self, kind: str, reference: Reference, compute) -> Any:  # type: ignore[no-untyped-def]
        """The cached result for this audio, or a new one."""
        return self._cached_results(reference.audio, kind, lambda: compute(reference))


def _mixed(given: Sequence[tuple[Vectors, float]]) -> Vectors:
    """The weighted sum of memories and summaries; one of weight 1 is unchanged."""
    if len(given) == 1 and given[0][1] == 1.0:
        return given[0][0]
    weights = given[0][0][0].new_tensor([weight for _, weight in given])
    memory, summary = (torch.stack([vectors[part] for vectors, _ in given]) for part in (0, 1))
    return torch.einsum("n,nvd->vd", weights, memory), weights @ summary


def _at_trained_level(analysis: Callable[[Tensor], Tensor]) -> Callable[[Reference], Tensor]:
    """Apply an analysis [N] to [T, 12] to a reference at the trained level."""

    def analyse(given: Reference) -> Tensor:
        channel = given.audio[0]
        rms = float(torch.linalg.vector_norm(given.audio)) / given.audio.numel() ** 0.5  # no copy of long audio
        return analysis((channel if rms < QUIETEST_RMS else channel * (TRAINED_RMS / rms)).cpu())

    return analyse


def _along(reference: Reference, chroma: Tensor, grid: FrameGrid | None, offset: int, count: int) -> Tensor:
    """Melody columns [count, 25] of a reference's chroma [T, 12], repeated on the grid or at its speed."""
    return melody_features(chroma[_at_frames(reference, len(chroma), grid, offset, count)])


def _at_frames(reference: Reference, n_frames: int, grid: FrameGrid | None, offset: int, count: int) -> Tensor:
    """Which of a reference's own frames lie under frames offset..offset+count of a stream, [count]."""
    lies = reference.on_grid
    if grid is None or lies is None:
        at = torch.arange(offset, offset + count, dtype=torch.float64) + 0.5
        samples = (reference.start_samples + at * FRAME_SAMPLES * reference.speed) % reference.audio.shape[-1]
    else:
        phase = (beats_on(grid, offset, count).beats - lies.start_beats) % lies.beats
        samples = phase * (60.0 * SAMPLE_RATE_HZ / lies.bpm)
    return (samples // FRAME_SAMPLES).long().clamp(max=n_frames - 1)
