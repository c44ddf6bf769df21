"""Joins new audio to old without a click, and glides between levels. All of it [generate].

begin after a prompt       its continuation ~~\\__ new audio            a few milliseconds
cut into made music             old music ~~~~\\__ new audio            20 ms; or held first, then 5 ms
level                                 before ____/~~~ after             20 ms
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.audio.extrapolate import carry_on

GLIDE_SECONDS = 0.02  # from one level to another
SEAM_SECONDS = 0.006  # within which a step at the joint fades
JOIN_SECONDS = 0.0015  # from the extrapolated music to the new: short, so that attacks stay sharp


class Seam:
    """Fades into a stream's first samples; takes its audio [C, n] in order."""

    def __init__(self, rate_hz: int, before: Tensor, leaving: Tensor | None, hold_samples: int | None) -> None:
        """`before` [C, n] sounds right before; `leaving` [C, n] is the old music from there on, if it was made.

        It fades out, after `hold_samples` more if given.
        """
        self._join_samples, self._step_samples = int(JOIN_SECONDS * rate_hz), int(SEAM_SECONDS * rate_hz)
        self._leaving = before[:, :0] if leaving is None else leaving
        self._crossed_whole = self._leaving.shape[1]
        self._held = None if hold_samples is None else min(hold_samples, self._crossed_whole)
        self._ahead: Tensor | None = None  # continuation of the music before
        if before.shape[1] and not self._crossed_whole:
            self._ahead = torch.from_numpy(carry_on(before.numpy(), self._join_samples))

    def go_on_from(self, ahead: Tensor | None) -> None:
        """Set the known continuation [C, m] of the music before; call it before the first audio."""
        if self._ahead is not None and ahead is not None and ahead.shape[1] >= self._join_samples:
            self._ahead = ahead[:, : self._join_samples].float().cpu()

    def joined(self, audio: Tensor) -> Tensor:
        """Join the stream's next audio [C, n]."""
        return self._crossed(self._smooth(audio))

    def _smooth(self, audio: Tensor) -> Tensor:
        """Begin at the value and slope of the music before, and blend into the new within a few milliseconds."""
        if self._ahead is None or audio.shape[1] == 0:
            return audio
        ahead, audio = self._ahead, audio.clone()
        count = min(audio.shape[1], self._step_samples)
        audio[:, :count] += (ahead[:, :1] - audio[:, :1]) * _falling(count)
        count = min(audio.shape[1], ahead.shape[1])
        audio[:, :count] += (ahead[:, :count] - audio[:, :count]) * _falling(count)
        self._ahead = None
        return audio

    def _crossed(self, audio: Tensor) -> Tensor:
        """Fade from the old music to the new."""
        count = min(audio.shape[1], self._leaving.shape[1])
        if not count:
            return audio
        whole = self._crossed_whole
        begin = whole - self._leaving.shape[1]
        along = torch.arange(whole)  # always the whole fade, so that any cut gives the same bits
        if self._held is None:
            leaves = 0.5 + 0.5 * torch.cos((along + 0.5) * (math.pi / whole))
        else:  # linear, so that the change is heard from its first sample on
            leaves = 1.0 - ((along + 1 - self._held) / max(whole - self._held, 1)).clamp(0, 1)
        audio = audio.clone()
        audio[:, :count] += (self._leaving[:, :count] - audio[:, :count]) * leaves[begin : begin + count]
        self._leaving = self._leaving[:, count:]
        return audio


class GlidingLevel:
    """A gain factor that glides to another one."""

    def __init__(self, rate_hz: int, level: float) -> None:
        self._glide_samples = int(GLIDE_SECONDS * rate_hz)
        self.target = self.now = self._before = level
        self._glided = 0  # samples since the previous level

    def glide_to(self, level: float) -> None:
        """Glide to another level from the present one."""
        self.target, self._before, self._glided = level, self.now, 0

    def levelled(self, audio: Tensor) -> Tensor:
        """Apply the level to the next audio [C, n]."""
        if self.now == self.target:
            return audio if self.target == 1.0 else audio * self.target
        begin = self._glided
        self._glided += audio.shape[1]
        along = torch.arange(begin, self._glided + 1) / self._glide_samples
        # behind the glide exactly the target: the same bits as in the next audio
        gains = torch.where(along < 1.0, self._before + (self.target - self._before) * along, self.target)
        self.now = self.target if self._glided >= self._glide_samples else float(gains[-1])
        return audio * gains[:-1]


def _falling(count: int) -> Tensor:
    """From 1 to 0, smooth at both ends."""
    return 0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, count))
