"""The last stage before the ring: keeps the fader's output below a true-peak ceiling. All of it [generate].

Stream sample n at the output is stream sample n at the input: the limiter's look-ahead adds no delay.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.listen.limiter import LimiterState, PeakLimiter
from engine.serve.timeline.samples import StreamSample


class LimiterStage:
    """One stream's limiter; takes stream samples [n, channels] in order, or restarts elsewhere."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._limiter, self._channels = PeakLimiter(sample_rate_hz), channels
        self._state: LimiterState | None = None
        self.stream_fed = StreamSample(0)  # stream sample behind the last one taken

    @property
    def memory_samples(self) -> int:
        """Number of samples before a sample that affect its gain."""
        return self._limiter.memory_samples

    @property
    def running(self) -> bool:
        """Whether the samples before are known; else call `begin`."""
        return self._state is not None

    def go_on_at(self, stream_samples: StreamSample) -> None:
        """Continue at `stream_samples`."""
        self.stream_fed, self._state = stream_samples, None

    def begin(self, before: Tensor) -> None:
        """Begin after `before` [m, channels], the samples right before the next one."""
        self._state = self._limiter.init(self._channels, self.stream_fed, before.numpy())

    def push(self, audio: Tensor, last: bool) -> tuple[Tensor, StreamSample]:
        """Take [n, channels] more; returns final samples and the first one's position. `last` empties the limiter."""
        state = self._state or self._limiter.init(self._channels, self.stream_fed)
        out, after = self._limiter.step(audio.numpy(), state, last)
        self._state = None if last else after
        self.stream_fed = StreamSample(self.stream_fed + len(audio))
        return torch.from_numpy(out), StreamSample(state.next_sample)

    def whole(self, audio: Tensor, stream_begin: StreamSample, before: Tensor) -> Tensor:
        """Limit [n, channels] from a stream sample on, after `before`, without touching the running state."""
        state = self._limiter.init(self._channels, stream_begin, before.numpy())
        return torch.from_numpy(self._limiter.step(audio.numpy(), state, last=True)[0])
