"""The last stage before the ring: what the fader lets through, its true peak under the ceiling. All of it [generate].

Own sample n of what comes out is stream sample n of what goes in: the limiter's look-ahead is waited for, not added.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.listen.limiter import LimiterState, PeakLimiter
from engine.serve.timeline.samples import StreamSample


class LimiterStage:
    """One stream's limiter; takes stream samples [n, channels] in turn, or goes on elsewhere."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._limiter, self._channels = PeakLimiter(sample_rate_hz), channels
        self._state: LimiterState | None = None
        self.stream_fed = StreamSample(0)  # stream sample behind the last one taken

    @property
    def memory_samples(self) -> int:
        """How much of what comes before a sample has a part in how loud it is."""
        return self._limiter.memory_samples

    @property
    def running(self) -> bool:
        """Whether it knows what came before; else `begin`."""
        return self._state is not None

    def go_on_at(self, stream_samples: StreamSample) -> None:
        """What comes next is `stream_samples`."""
        self.stream_fed, self._state = stream_samples, None

    def begin(self, before: Tensor) -> None:
        """`before` [m, channels] is what was taken right before the next sample."""
        self._state = self._limiter.init(self._channels, self.stream_fed, before.numpy())

    def push(self, audio: Tensor, last: bool) -> tuple[Tensor, StreamSample]:
        """[n, channels] more; what is final, and its first stream sample. `last` empties everything."""
        state = self._state or self._limiter.init(self._channels, self.stream_fed)
        out, after = self._limiter.step(audio.numpy(), state, last)
        self._state = None if last else after
        self.stream_fed = StreamSample(self.stream_fed + len(audio))
        return torch.from_numpy(out), StreamSample(state.next_sample)

    def whole(self, audio: Tensor, stream_begin: StreamSample, before: Tensor) -> Tensor:
        """[n, channels] from a stream sample on, all of it, after `before`; what runs is left alone."""
        state = self._limiter.init(self._channels, stream_begin, before.numpy())
        return torch.from_numpy(self._limiter.step(audio.numpy(), state, last=True)[0])
