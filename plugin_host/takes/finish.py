"""From the recording to the file: loop, level, sample format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.ring.form import Audio
from bridge.time.units import nearest, seconds_to_samples
from plugin_host.takes.loudness import Loudness, gain_db, measure

TAIL_SECONDS = 0.05  # of music after the last bar, faded out over the first


@dataclass(frozen=True)
class Finished:
    """Audio for the file, its loudness, and the changes: `gain_db`, `clipped` samples, a note."""

    audio: Audio
    loudness: Loudness | None
    gain_db: float
    clipped: int
    note: str


def tail_samples(rate_hz: int) -> int:
    """Samples that a loop needs after its bars.  [any]"""
    return nearest(seconds_to_samples(TAIL_SECONDS, rate_hz))


def looped(audio: Audio, n_samples: int) -> Audio:
    """The first `n_samples`, with the last leading to the first: the music after the end fades out over the beginning.

    begin  [ / fades in   ............... ] end
    tail   [ \\ fades out ]                     constant power; the tail was made to follow the end

    Audio [n, channels], longer than `n_samples`; the length is `n_samples` exactly.  [any]
    """
    body, tail = audio[:n_samples].copy(), audio[n_samples:]
    n_fade = min(len(tail), n_samples)
    turn = np.linspace(0, np.pi / 2, n_fade, endpoint=False, dtype=np.float32)[:, None]
    body[:n_fade] = body[:n_fade] * np.sin(turn) + tail[:n_fade] * np.cos(turn)
    return body


def finish(audio: Audio, rate_hz: int, request: str, bits: int) -> Finished:
    """Audio [n, channels] at the requested loudness; counts samples that clip in a file of whole numbers.  [any]"""
    change, note = gain_db(request, measure(audio, rate_hz)) if request != "off" else (0.0, "")
    louder = audio * np.float32(10 ** (change / 20)) if change else audio
    clipped = 0 if bits == 32 else int(np.count_nonzero(np.abs(louder) > 1.0))
    return Finished(louder, measure(louder, rate_hz), change, clipped, note)


def encoded(audio: Audio, bits: int) -> bytes:
    """Interleaved little-endian samples: 16 bits with a fixed triangular dither; 24; 32 as floats.  [any]"""
    if bits == 32:
        return audio.astype("<f4").tobytes()
    scale = float(1 << (bits - 1))
    scaled = audio.astype(np.float64) * scale
    if bits == 16:
        rng = np.random.default_rng(16)
        scaled += rng.random(scaled.shape) - rng.random(scaled.shape)
    whole = np.clip(np.rint(scaled), -scale, scale - 1).astype("<i4")
    if bits == 16:
        return whole.astype("<i2").tobytes()
    return np.ascontiguousarray(whole.view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()


def decoded(data: bytes, bits: int, channels: int) -> Audio:
    """Inverse of `encoded`, up to its rounding: float32 [n, channels]; drops an incomplete last sample.  [any]"""
    frame_bytes = bits // 8 * channels
    data = data[: len(data) // frame_bytes * frame_bytes]
    if bits == 32:
        flat = np.frombuffer(data, "<f4").astype(np.float32)
    elif bits == 16:
        flat = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(1 << 15)
    else:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        flat = (wide.reshape(-1).view("<i4") >> 8).astype(np.float32) / np.float32(1 << 23)
    return flat.reshape(-1, channels)
