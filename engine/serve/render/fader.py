"""A lane's fader: gain by stream sample, with short glides; and the recent audio before it.

gain   1 ------\\                /------     points: (stream sample, gain from there on)
       0        \\______________/
               mute           unmute
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.serve.timeline.beat_map import ALWAYS
from engine.serve.timeline.samples import StreamSample

GLIDE_SECONDS = 0.01
RECENT_SECONDS = 8.0  # more than a host can lag behind made music


class StreamFader:
    """Gain by stream sample; all [generate]."""

    def __init__(self, rate_hz: int, gain: float = 1.0) -> None:
        self.glide_samples = max(1, int(GLIDE_SECONDS * rate_hz))
        self._points: list[tuple[StreamSample, float, float]] = [
            (ALWAYS, gain, gain)
        ]  # stream sample, gain before, gain after
        self._stored_samples = int(2 * RECENT_SECONDS * rate_hz)
        self.set_to: tuple[float, list[tuple[StreamSample, float]]] = (gain, [])  # gain now, points to come

    def set(self, gain: float, points: list[tuple[StreamSample, float]]) -> None:
        """Set what a lane's settings ask for: the gain now, and from which stream samples on another one."""
        self.set_to = gain, points

    def passed(self, here: StreamSample) -> None:
        """The host is at a stream sample: drop the points it has passed."""
        gain, points = self.set_to
        passed = [point for point in points if point[0] <= here]
        self.set_to = passed[-1][1] if passed else gain, points[len(passed) :]

    def moved(self) -> None:
        """Stream samples lie elsewhere from now on: keep the present gain and drop the points; `set` sets new ones."""
        gain = self.set_to[0]
        self._points, self.set_to = [(ALWAYS, gain, gain)], (gain, [])

    @property
    def target(self) -> float:
        """The gain after the last point."""
        return self._points[-1][2]

    def standing(self, stream_samples: StreamSample) -> tuple[float, list[tuple[StreamSample, float]]]:
        """The gain reached by a stream sample, and the points behind it."""
        gain = next(after for stream_sample, _, after in reversed(self._points) if stream_sample <= stream_samples)
        return gain, [
            (stream_sample, after) for stream_sample, _, after in self._points if stream_sample > stream_samples
        ]

    def fade(self, stream_samples: StreamSample, gain: float) -> None:
        """Glide to another gain from a stream sample on; later points are dropped."""
        before = float(self.over(stream_samples, 1)[0])
        points = [point for point in self._points if point[0] < stream_samples]
        while len(points) > 1 and points[1][0] < stream_samples - self._stored_samples:
            points.pop(0)
        self._points = [*points, (stream_samples, before, gain)]

    def over(self, stream_begin: StreamSample, count: int) -> Tensor:
        """Gains [count] of stream samples from `stream_begin` on."""
        placement = torch.arange(stream_begin, stream_begin + count, dtype=torch.int64)
        gains = torch.full((count,), self._points[0][2])
        for stream_sample, before, after in self._points[1:]:
            along = ((placement - stream_sample + 1).double() / self.glide_samples).clamp(0, 1).float()
            gains = torch.where(placement >= stream_sample, before + (after - before) * along, gains)
        return gains

    def faded(self, audio: Tensor, stream_begin: StreamSample) -> Tensor:
        """Apply the gains to stream samples [n, channels] from `stream_begin` on."""
        if len(self._points) == 1 and self.target == 1.0:
            return audio
        return audio * self.over(stream_begin, len(audio))[:, None]


class RecentAudio:
    """The last seconds of a stream's audio, before its fader; all [generate]."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._stored_samples = int(RECENT_SECONDS * rate_hz)
        self._audio = torch.zeros(0, channels)
        self.stream_end = StreamSample(0)

    @property
    def stream_begin(self) -> StreamSample:
        """First stream sample that is stored."""
        return StreamSample(self.stream_end - len(self._audio))

    def put(self, audio: Tensor, stream_begin: StreamSample) -> None:
        """Store stream samples [n, channels] from `stream_begin` on; they replace what is stored from there on."""
        known = self._audio if stream_begin == self.stream_end else self.between(self.stream_begin, stream_begin)
        if stream_begin > self.stream_end:
            known = known[:0]
        self._audio = torch.cat([known, audio])[-self._stored_samples :]
        self.stream_end = StreamSample(stream_begin + len(audio))

    def between(self, stream_begin: StreamSample, stream_end: StreamSample) -> Tensor:
        """Stream samples [n, channels] of a stretch, as far as they are stored."""
        first = self.stream_begin
        return self._audio[max(0, stream_begin - first) : max(0, stream_end - first)]
