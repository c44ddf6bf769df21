"""A lane's fader: from which own sample on a stream is how loud, with a short glide; and what it was before it.

gain   1 ------\\                /------     points: (own sample, gain from there on)
       0        \\______________/
               mute           unmute
"""

from __future__ import annotations

import torch
from torch import Tensor

GLIDE_SECONDS = 0.01
TAPE_SECONDS = 8.0  # more than a host can be behind what is made


class Fader:
    """Gain by own sample; all [generate]."""

    def __init__(self, rate_hz: int, gain: float = 1.0) -> None:
        self.glide_samples = max(1, int(GLIDE_SECONDS * rate_hz))
        self._points: list[tuple[int, float, float]] = [(-(1 << 62), gain, gain)]  # own sample, gain before, gain after
        self._kept_samples = int(2 * TAPE_SECONDS * rate_hz)
        self.told: tuple[float, list[tuple[int, float]]] = (gain, [])  # by the agenda: gain now, points to come

    @property
    def target(self) -> float:
        """The gain that it goes to last."""
        return self._points[-1][2]

    def fade(self, own_samples: int, gain: float) -> None:
        """Glide to another gain from an own sample on; what was to come after it is forgotten."""
        before = float(self.over(own_samples, 1)[0])
        points = [point for point in self._points if point[0] < own_samples]
        while len(points) > 1 and points[1][0] < own_samples - self._kept_samples:
            points.pop(0)
        self._points = [*points, (own_samples, before, gain)]

    def over(self, begin_own: int, count: int) -> Tensor:
        """Gains [count] of own samples from `begin_own` on."""
        place = torch.arange(begin_own, begin_own + count, dtype=torch.int64)
        gains = torch.full((count,), self._points[0][2])
        for own, before, after in self._points[1:]:
            along = ((place - own + 1).double() / self.glide_samples).clamp(0, 1).float()
            gains = torch.where(place >= own, before + (after - before) * along, gains)
        return gains

    def faded(self, audio: Tensor, begin_own: int) -> Tensor:
        """Own samples [n, channels] from `begin_own` on, as loud as they are to be heard."""
        if len(self._points) == 1 and self.target == 1.0:
            return audio
        return audio * self.over(begin_own, len(audio))[:, None]


class RecentAudio:
    """The last seconds of what a stream has put out, before its fader; all [generate]."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._kept_samples = int(TAPE_SECONDS * rate_hz)
        self._audio = torch.zeros(0, channels)
        self.end_own = 0

    @property
    def begin_own(self) -> int:
        """First own sample that is known."""
        return self.end_own - len(self._audio)

    def put(self, audio: Tensor, begin_own: int) -> None:
        """Own samples [n, channels] from `begin_own` on, in place of what is known from there on."""
        known = self._audio if begin_own == self.end_own else self.between(self.begin_own, begin_own)
        if begin_own > self.end_own:
            known = known[:0]
        self._audio = torch.cat([known, audio])[-self._kept_samples :]
        self.end_own = begin_own + len(audio)

    def between(self, begin_own: int, end_own: int) -> Tensor:
        """Own samples [n, channels] of a stretch, as far as it is known."""
        first = self.begin_own
        return self._audio[max(0, begin_own - first) : max(0, end_own - first)]
