"""The stage before a ring: fades, gain and limiter of a stream, and its last seconds. All of it [generate].

    stream samples --recent audio--> fade before the end --> fader --> limiter --> final

Recent audio is stored before the fader, so that it can pass the stage again, louder or softer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.serve.render.fader import RecentAudio, StreamFader
from engine.serve.render.limiter_stage import LimiterStage
from engine.serve.timeline.samples import StreamSample

FADE_SECONDS = 0.01  # at the end of the music


class OutputStage:
    """One stream's output stage; `end` is always the stream sample behind the music's last."""

    def __init__(self, rate_hz: int, channels: int, fader: StreamFader) -> None:
        self._fader, self._fade_samples = fader, max(1, int(FADE_SECONDS * rate_hz))
        self._recent = RecentAudio(rate_hz, channels)
        self._limiter = LimiterStage(rate_hz, channels)

    @property
    def stream_fed(self) -> StreamSample:
        """Stream sample behind the last one taken."""
        return self._limiter.stream_fed

    @property
    def stored_from(self) -> StreamSample:
        """First stream sample that is stored."""
        return self._recent.stream_begin

    def go_on_at(self, stream_sample: StreamSample) -> None:
        """Continue at a stream sample; samples still in the limiter are dropped."""
        self._limiter.go_on_at(stream_sample)

    def keep(self, audio: Tensor, begin: StreamSample) -> None:
        """Store stream samples [n, channels] from `begin` on; they replace what is stored from there on."""
        self._recent.put(audio, begin)

    def kept(self, begin: StreamSample, end: StreamSample) -> Tensor:
        """Stream samples [n, channels] of a stretch before the stage, as far as they are stored."""
        return self._recent.between(begin, end)

    def feed(self, audio: Tensor, begin: StreamSample, end: StreamSample) -> tuple[Tensor, StreamSample]:
        """Process stored stream samples [n, channels] from `begin` on; returns final samples and where they begin."""
        if not self._limiter.running:
            self._limiter.begin(self._before(begin, end))
        last = begin < end <= begin + len(audio)
        return self._limiter.push(self._loud(audio[: max(0, end - begin)], begin, end), last)

    def once_more(self, begin: StreamSample, end: StreamSample) -> Tensor:
        """The output from a stream sample to the music's end [n, channels], with the present gains."""
        loud = self._loud(self._recent.between(begin, end), begin, end)
        return self._limiter.whole(loud, begin, self._before(begin, end))

    def _before(self, stream_sample: StreamSample, end: StreamSample) -> Tensor:
        """The samples right before a stream sample that the limiter needs."""
        begin = max(self._recent.stream_begin, StreamSample(stream_sample - self._limiter.memory_samples))
        return self._loud(self._recent.between(begin, stream_sample), begin, end)

    def _loud(self, audio: Tensor, begin: StreamSample, end: StreamSample) -> Tensor:
        """Apply end fade and fader to stream samples [n, channels] from `begin` on."""
        return self._fader.faded(self._ended(audio, begin, end), begin)

    def _ended(self, audio: Tensor, begin: StreamSample, end: StreamSample) -> Tensor:
        """Apply a short fade right before the end of the music."""
        if begin + len(audio) + self._fade_samples <= end:
            return audio
        left = end - begin - torch.arange(len(audio))
        return audio * (left.clamp(max=self._fade_samples) / self._fade_samples)[:, None]
