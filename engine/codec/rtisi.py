"""Streaming phase reconstruction: magnitudes in, audio out, one hop at a time.

Each frame's phase is estimated from the output so far and one frame of look-ahead, by a few iterations of real-time
iterative spectrogram inversion with look-ahead (Zhu, Beauregard and Wyse 2007), which start as `initial_phase` says.
After a prompt, the phases continue those of its audio.

    frame j covers samples [320 (j + 1) - 1280, 320 (j + 1)): it ends where its hop ends
    audio of a hop is final once the three later frames that overlap it and one of look-ahead are in
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.codec.initial_phase import (
    FIRST_NOISE_BIN,
    HOP_SAMPLES,
    N_BINS,
    NOISE_FRAMES,
    NOISE_PHASES,
    WINDOW,
    WINDOW_SAMPLES,
    Array,
    Frame,
    Spectra,
    frames_of,
    noise_start,
    with_pulses,
)

OVERLAP_SAMPLES = WINDOW_SAMPLES - HOP_SAMPLES
ITERATIONS = 3
WINDOW_SUM = np.float32(1.5)  # sum of the squared window over its four overlapping copies
SYNTHESIS = WINDOW / WINDOW_SUM
SILENT_POWER = np.float32(1e-14)
RANDOM_PHASE = np.exp(2j * np.pi * np.random.default_rng(5).random(N_BINS)).astype(np.complex64)

ONE = np.float32(1.0)


@dataclass
class PhaseState:
    """`committed` [1280 + 320] is the overlap-add so far, from the start of the next frame to commit; `pending` is the
    frame that waits as look-ahead, `begun` its samples [1280] as its phase estimate gives them, `noise_at` its place
    in the noise; the first `skip_samples` of output belong to the prompt or to silence, and are dropped."""

    committed: Array
    pending: Frame | None = None
    begun: Array | None = None
    noise_at: int = 0
    skip_samples: int = OVERLAP_SAMPLES


Settle = Callable[[PhaseState, Frame | None], Array]


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


def settled(state: PhaseState, later: Frame | None) -> Array:
    """The pending frame as it is added to the output, and the later one as it begins: [1 or 2, 1280].  [generate]

    Each spectrum and each frame is computed once, since calls cost more than their arithmetic.
    """
    earlier, base = state.pending, state.committed
    assert earlier is not None
    mags = earlier.mags[None] if later is None else np.stack([earlier.mags, later.mags])
    first = state.begun if state.begun is not None else _frames(mags[:1], _units(base, 1))[0]
    signal = base.copy()
    signal[:WINDOW_SAMPLES] += first
    phase, done = _units(signal, len(mags)), 1
    if later is not None:
        np.copyto(phase[1, FIRST_NOISE_BIN:], NOISE_PHASES[state.noise_at], where=later.noise)
        if later.sudden:
            phase, done = _best(base, mags, with_pulses(phase, earlier, later)), 2
    frames = _frames(mags, phase)
    for _ in range(done, ITERATIONS):
        signal = base.copy()
        signal[:WINDOW_SAMPLES] += frames[0]
        if later is not None:
            signal[HOP_SAMPLES:] += frames[1]
        frames = _frames(mags, _units(signal, len(mags)))
    return frames


def _commit(state: PhaseState, later: Frame | None, settle: Settle) -> Array:
    """Fix the phase of the pending frame with a look at the later one; returns the hop of audio [320] that is final."""
    state.noise_at = (state.noise_at + 1) % NOISE_FRAMES
    frames, base = settle(state, later), state.committed
    state.committed = np.zeros_like(base)
    base[:WINDOW_SAMPLES] += frames[0]
    state.committed[:-HOP_SAMPLES] = base[HOP_SAMPLES:]
    state.begun = frames[1] if later is not None else None
    return base[:HOP_SAMPLES]


def _best(base: Array, mags: Array, tried: Spectra) -> Spectra:
    """Of phases [m, 2, 641] those whose sound comes nearest to `mags` [2, 641], after one iteration: [2, 641]."""
    frames = _frames(mags, tried)
    signals = np.repeat(base[None], len(tried), axis=0)
    signals[:, :WINDOW_SAMPLES] += frames[:, 0]
    signals[:, HOP_SAMPLES:] += frames[:, 1]
    spectra = np.fft.rfft(np.stack([signals[:, :WINDOW_SAMPLES], signals[:, HOP_SAMPLES:]], axis=1) * WINDOW)
    error = np.square(np.abs(spectra) - mags).sum(axis=(1, 2))
    return _units(signals[int(error.argmin())], 2)


def push(state: PhaseState, mags: Array, last: bool = False, settle: Settle = settled) -> Array:
    """Push magnitudes [n, 641]; returns the audio that is final now, all the rest with `last`.  [generate]

    Changes `state` in place; any cut of the frames gives the same audio. `settle` may be a faster `settled`.
    """
    hops, mags = [], np.ascontiguousarray(mags, np.float32)
    if state.pending is None and len(mags):
        state.noise_at = noise_start(mags[0])
    for frame in frames_of(mags, None if state.pending is None else state.pending.mags) if len(mags) else ():
        if state.pending is not None:
            hops.append(_commit(state, frame, settle))
        state.pending = frame
    if last:
        if state.pending is not None:
            hops.append(_commit(state, None, settle))
            state.pending = None
        hops.append(state.committed[:OVERLAP_SAMPLES].copy())
    audio = np.concatenate(hops) if hops else np.zeros(0, np.float32)
    dropped = min(state.skip_samples, len(audio))
    state.skip_samples -= dropped
    return audio[dropped:]
