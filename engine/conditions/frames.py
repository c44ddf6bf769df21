"""Per-frame features of the embedded model: melody chroma, and the host's tempo and beat phase.

    columns 0..11   chroma, loudest = 1          12..23  one-hot of the loudest      24  melody known
            25..32  beat and bar phase as sines and cosines, once and twice as fast
            33      log2(bpm / 120)              34      quarter notes a bar / 4     35  tempo known
            36..67  summary of the words         68..99  summary of the style (the same in every frame)
            100..108 instruments asked for       109..110 density         111..117 section
            118..141 key                         142..237 codec latents of the other parts (context)
            238     context known

Models of the first three versions have columns 0 to 99 only. Missing conditions are all zeros, flag included. Chroma
follows MusicGen-Melody's idea (Copet et al. 2023) at the codec's own frame rate, so that alignment is free.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.conditions import arrangement
from engine.model import FrameGrid

SAMPLE_RATE_HZ = 32000
FRAME_SAMPLES = 640
FRAMES_PER_SECOND = SAMPLE_RATE_HZ // FRAME_SAMPLES
N_FFT = 4096
N_CHROMA = 12
CHROMA_COLUMNS = slice(0, N_CHROMA)
MELODY_GIVEN = 2 * N_CHROMA
MELODY_COLUMNS = slice(0, MELODY_GIVEN + 1)
TEMPO_COLUMNS = slice(2 * N_CHROMA + 1, 36)
SUMMARY = 32
TEXT_COLUMNS = slice(36, 36 + SUMMARY)
STYLE_COLUMNS = slice(36 + SUMMARY, 36 + 2 * SUMMARY)
BASIC_FEATURES = STYLE_COLUMNS.stop  # of models that take neither instruments nor what follows
INSTRUMENT_COLUMNS = slice(BASIC_FEATURES, BASIC_FEATURES + arrangement.INSTRUMENT_WIDTH)
DENSITY_COLUMNS = slice(INSTRUMENT_COLUMNS.stop, INSTRUMENT_COLUMNS.stop + arrangement.DENSITY_WIDTH)
SECTION_COLUMNS = slice(DENSITY_COLUMNS.stop, DENSITY_COLUMNS.stop + arrangement.SECTION_WIDTH)
KEY_COLUMNS = slice(SECTION_COLUMNS.stop, SECTION_COLUMNS.stop + arrangement.KEY_WIDTH)
LATENT = 96
CONTEXT_COLUMNS = slice(KEY_COLUMNS.stop, KEY_COLUMNS.stop + LATENT)
CONTEXT_GIVEN = CONTEXT_COLUMNS.stop
N_FEATURES = CONTEXT_GIVEN + 1
LOW_HZ, HIGH_HZ = 80.0, 2000.0
SILENCE_DB = -50.0
HARMONY_FRAMES = 25
FRAMES_AT_ONCE = 256  # five seconds: spectra of ten minutes at once would take a gigabyte


@lru_cache(maxsize=1)
def _filter_bank() -> Tensor:
    """[12, bins]: each bin's power shared among the pitch classes near it, low and high bins left out."""
    hz = torch.arange(1, N_FFT // 2 + 1) * (SAMPLE_RATE_HZ / N_FFT)
    semitone = 12.0 * torch.log2(hz / 440.0) + 9.0  # C = 0
    distance = (semitone.unsqueeze(0) - torch.arange(N_CHROMA).unsqueeze(1) + 6.0) % 12.0 - 6.0
    width = torch.clamp(12.0 * torch.log2(1.0 + (SAMPLE_RATE_HZ / N_FFT) / hz), min=0.6)
    bank = torch.exp(-0.5 * (distance / (0.5 * width)) ** 2)
    bank = bank / bank.sum(dim=0, keepdim=True)
    bank[:, (hz < LOW_HZ) | (hz > HIGH_HZ)] = 0.0
    return F.pad(bank, (1, 0))


def chroma_frames(audio: Tensor) -> Tensor:
    """Chroma [T, 12] of mono audio [N] at 32 kHz, T = ceil(N / 640), each frame's loudest class 1.

    Frames more than 50 dB under the loudest are zero. Windows are centred on their frame.  [any]
    """
    n_frames = -(-audio.shape[-1] // FRAME_SAMPLES)
    left = (N_FFT - FRAME_SAMPLES) // 2
    parts = []
    for first in range(0, n_frames, FRAMES_AT_ONCE):
        last = min(first + FRAMES_AT_ONCE, n_frames) - 1
        begin, end = first * FRAME_SAMPLES - left, last * FRAME_SAMPLES - left + N_FFT
        part = audio[max(begin, 0) : min(end, audio.shape[-1])]
        padded = F.pad(part, (max(-begin, 0), max(end - audio.shape[-1], 0)))
        spectrum = torch.stft(
            padded, N_FFT, hop_length=FRAME_SAMPLES, window=torch.hann_window(N_FFT), center=False, return_complex=True
        )
        parts.append(_filter_bank() @ spectrum.abs() ** 2)
    chroma = torch.cat(parts, dim=1)
    energy = chroma.sum(dim=0)
    audible = energy > energy.max() * 10 ** (SILENCE_DB / 10) + 1e-9
    chroma = chroma.sqrt()
    chroma = chroma / chroma.amax(dim=0, keepdim=True).clamp(min=1e-9)
    return (chroma * audible).T.contiguous()


def harmony_frames(audio: Tensor) -> Tensor:
    """Chroma [T, 12] of half a second around each frame; audio [N] is repeated.

    It shows the chords rather than the melody.  [any]
    """
    chroma, reach = chroma_frames(audio), HARMONY_FRAMES // 2
    around = chroma[torch.arange(-reach, len(chroma) + reach) % len(chroma)]
    mean = around.unfold(0, 2 * reach + 1, 1).mean(dim=-1)
    return mean / mean.amax(dim=1, keepdim=True).clamp(min=1e-9)


def melody_features(chroma: Tensor) -> Tensor:
    """Chroma [T, 12] to the melody columns [T, 25].  [any]"""
    sounding = chroma.amax(dim=1, keepdim=True) > 0
    top = F.one_hot(chroma.argmax(dim=1), N_CHROMA).to(chroma.dtype) * sounding
    return torch.cat([chroma, top, torch.ones(chroma.shape[0], 1)], dim=1)


def tempo_features(beats: Tensor, bpm: Tensor | float, beats_per_bar: Tensor | float) -> Tensor:
    """Host beats at the middle of each frame [T] (float64), from a bar line, to the tempo columns [T, 11].

    Tempo and length of the bar may differ from frame to frame, float64 [T].  [any]
    """
    beat = (beats % 1.0).to(torch.float32) * (2 * math.pi)
    bar = ((beats % beats_per_bar) / beats_per_bar).to(torch.float32) * (2 * math.pi)
    waves = [f(n * phase) for phase in (beat, bar) for n in (1, 2) for f in (torch.sin, torch.cos)]
    tempo = torch.log2(torch.as_tensor(bpm, dtype=torch.float32) / 120.0).expand(len(beats))
    ones = torch.ones(len(beats))
    return torch.stack([*waves, tempo, (ones * (beats_per_bar / 4.0)).to(torch.float32), ones], dim=1)


def beats_of_frames(start_beats: float, bpm: float, first_frame: int, n_frames: int) -> Tensor:
    """Host beat at the middle of frames first..first+n, float64 [n].  [any]"""
    seconds = (torch.arange(first_frame, first_frame + n_frames, dtype=torch.float64) + 0.5) / FRAMES_PER_SECOND
    return start_beats + seconds * (bpm / 60.0)


@dataclass(frozen=True)
class FrameBeats:
    """Of each frame's middle, float64 [T]: the beat as the grid counts, since a bar line, tempo, length of the bar."""

    beats: Tensor
    from_bar: Tensor
    bpm: Tensor | float
    beats_per_bar: Tensor | float


def beats_on(grid: FrameGrid, first_frame: int, n_frames: int) -> FrameBeats:
    """The beats of frames first..first+n on a grid with its segments.  [any]"""
    if not grid.segments:
        beats = beats_of_frames(grid.start_beats, grid.bpm, first_frame, n_frames)
        return FrameBeats(beats, beats, grid.bpm, grid.beats_per_bar)
    middle = torch.arange(first_frame, first_frame + n_frames, dtype=torch.float64) + 0.5
    found = torch.empty(4, n_frames, dtype=torch.float64)
    for index, segment in enumerate(grid.segments):
        here = middle >= segment.frame if index else torch.ones(n_frames, dtype=torch.bool)
        minutes = (middle[here] - segment.frame) / (60.0 * FRAMES_PER_SECOND)
        passed = (
            segment.bpm / segment.slope * torch.expm1(segment.slope * minutes)
            if segment.slope
            else segment.bpm * minutes
        )
        bars = torch.full_like(passed, segment.beats_per_bar)
        beats = segment.beats + passed
        found[:, here] = torch.stack([beats, beats - segment.bar_beats, segment.bpm + segment.slope * passed, bars])
    return FrameBeats(*found)
