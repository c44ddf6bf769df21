"""Streaming phase reconstruction: magnitudes in, audio out, one hop at a time.

Each frame's phase is estimated from the output so far and one frame of look-ahead, by a few iterations of real-time
iterative spectrogram inversion with look-ahead (Zhu, Beauregard and Wyse 2007). After a prompt, the phases continue
those of its audio.

    frame j covers samples [320 (j + 1) - 1280, 320 (j + 1)): it ends where its hop ends
    audio of a hop is final once the three later frames that overlap it and one of look-ahead are in
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_SAMPLES = 1280
HOP_SAMPLES = 320
OVERLAP_SAMPLES = WINDOW_SAMPLES - HOP_SAMPLES
N_BINS = WINDOW_SAMPLES // 2 + 1
ITERATIONS = 3
LOOKAHEAD_HOPS = 1
WINDOW = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
WINDOW_SUM = np.float32(1.5)  # sum of the squared window over its four overlapping copies
SYNTHESIS = WINDOW / WINDOW_SUM
SILENT_POWER = np.float32(1e-14)
RANDOM_PHASE = np.exp(2j * np.pi * np.random.default_rng(5).random(N_BINS)).astype(np.complex64)

ONE = np.float32(1.0)

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]


@dataclass
class PhaseState:
    """`committed` [1280 + 320] is the overlap-add so far, from the start of the next frame to commit; `pending` are the
    magnitudes [641] that wait as look-ahead, `begun` is their frame [1280] as its phase estimate gives it; the first
    `skip_samples` of output belong to the prompt or to silence, and are dropped."""

    committed: Array
    pending: Array | None = None
    begun: Array | None = None
    skip_samples: int = OVERLAP_SAMPLES


def frame_audio(audio: Array) -> Array:
    """Audio [N] to windowed frames [N / 320, 1280], silence before it; the frames of this module.  [any]"""
    padded = np.concatenate([np.zeros(OVERLAP_SAMPLES, np.float32), audio.astype(np.float32)])
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES] * WINDOW


def magnitudes(audio: Array) -> Array:
    """Magnitudes [N / 320, 641] of audio [N], N a multiple of 320.  [any]"""
    return np.abs(np.fft.rfft(frame_audio(audio), axis=-1)).astype(np.float32)


def init_phase(prompt: Array | None = None) -> PhaseState:
    """State to begin from silence, or in phase with the end of `prompt` [N].  [generate]"""
    committed = np.zeros(WINDOW_SAMPLES + HOP_SAMPLES, np.float32)
    if prompt is not None and len(prompt):
        tail = np.zeros(2 * OVERLAP_SAMPLES + HOP_SAMPLES, np.float32)
        count = min(len(tail), len(prompt))
        tail[len(tail) - count :] = prompt[len(prompt) - count :]
        frames = np.lib.stride_tricks.sliding_window_view(tail, WINDOW_SAMPLES)[::HOP_SAMPLES] * (WINDOW * WINDOW)
        total = np.zeros(len(tail), np.float32)
        for index, frame in enumerate(frames):
            total[index * HOP_SAMPLES : index * HOP_SAMPLES + WINDOW_SAMPLES] += frame
        committed[:OVERLAP_SAMPLES] = total[-OVERLAP_SAMPLES:] / WINDOW_SUM
    return PhaseState(committed)


def _units(signal: Array, count: int) -> Spectra:
    """Phase factors [count, 641] of the first frames of `signal`, count 1 or 2.

    In silence they are fixed random ones (equal ones would be a click).
    """
    spectra = np.fft.rfft(_strided(signal, count) * WINDOW).astype(np.complex64, copy=False)
    power = spectra.real**2
    power += spectra.imag**2
    silent = power <= SILENT_POWER if power.min() <= SILENT_POWER else None
    scale = power if silent is None else np.maximum(power, SILENT_POWER)
    np.divide(ONE, np.sqrt(scale, out=scale), out=scale)
    np.multiply(spectra, scale, out=spectra)
    if silent is not None:
        np.copyto(spectra, RANDOM_PHASE, where=silent)
    return spectra


def _strided(signal: Array, count: int) -> Array:
    """The first frames [count, 1280] of `signal`, not copied."""
    return np.ndarray((count, WINDOW_SAMPLES), np.float32, signal, strides=(4 * HOP_SAMPLES, 4))


def _frames(mags: Array, phase: Spectra) -> Array:
    """Frames [count, 1280] as they are added to the output."""
    frames = np.fft.irfft(mags * phase).astype(np.float32, copy=False)
    frames *= SYNTHESIS
    return frames


def _commit(state: PhaseState, mags: Array) -> Array:
    """Fix the phase of the first of `mags` [1 or 2, 641]; returns the hop of audio [320] that is final.

    Each spectrum and each frame is computed once, since calls cost more than their arithmetic: the last frames are
    both the settled one and the next one's beginning.
    """
    count, base = len(mags), state.committed
    first = state.begun if state.begun is not None else _frames(mags[:1], _units(base, 1))[0]
    signal = base.copy()
    signal[:WINDOW_SAMPLES] += first
    frames = _frames(mags, _units(signal, count))
    for _ in range(1, ITERATIONS):
        signal = base.copy()
        signal[:WINDOW_SAMPLES] += frames[0]
        if count > 1:
            signal[HOP_SAMPLES:] += frames[1]
        frames = _frames(mags, _units(signal, count))
    state.committed = np.zeros_like(base)
    base[:WINDOW_SAMPLES] += frames[0]
    state.committed[:-HOP_SAMPLES] = base[HOP_SAMPLES:]
    state.begun = frames[1] if count > 1 else None
    return base[:HOP_SAMPLES]


def push(state: PhaseState, mags: Array, last: bool = False) -> Array:
    """Push magnitudes [n, 641]; returns the audio that is final now, all the rest with `last`.  [generate]

    Changes `state` in place; any cut of the frames gives the same audio.
    """
    hops = []
    for mag in mags:
        if state.pending is not None:
            hops.append(_commit(state, np.stack([state.pending, mag])))
        state.pending = mag
    if last:
        if state.pending is not None:
            hops.append(_commit(state, state.pending[None]))
            state.pending = None
        hops.append(state.committed[:OVERLAP_SAMPLES].copy())
    audio = np.concatenate(hops) if hops else np.zeros(0, np.float32)
    dropped = min(state.skip_samples, len(audio))
    state.skip_samples -= dropped
    return audio[dropped:]
