"""Several continuations of a lane's next second, made in one batch; the best is used. All of it [generate].

stretch    |--- own seed ---|--- best of 4 ---|--- best of 4 ---|     STRETCH_FRAMES, counted from the start
ring       must hold enough to wait for all of them, else the stream goes on without candidates; hosts that wait do
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from bridge.control.parameters import CANDIDATES
from engine.listen.choose import best, worth
from engine.listen.features import Audio
from engine.listen.seeds import derived_seed
from engine.serve.lane.lane import Lane
from engine.serve.lane.timing import LaneTiming
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import CodecSample
from engine.stream import TokenStream
from engine.stream.candidate_set import CandidateSet

STRETCH_FRAMES = 50
BEFORE_SECONDS = 2.0
SPARE_RATIO = 1.25  # real-time factor that all candidates together must reach
LOW_SECONDS = 0.3  # left in the ring when they are done
CANDIDATE_SALT = 2  # keeps these seeds apart from the guard's


class Candidates:
    """One lane's candidates: `streams` yields the streams to advance, `gather` the chosen codes."""

    def __init__(self, lane: Lane, timing: LaneTiming) -> None:
        self._lane, self._timing = lane, timing
        self.chosen = 0  # stretches of this renderer chosen among candidates
        self._renderer: StreamRenderer | None = None
        self._version = 0
        self.candidate_set: CandidateSet | None = None

    def forget(self) -> None:
        """Release the renderer, and with it the model."""
        self._renderer = self.candidate_set = None

    def streams(self, renderer: StreamRenderer, fill_seconds: float) -> tuple[TokenStream, ...]:
        """The renderer's stream first, then its candidates while there are any."""
        if renderer is not self._renderer:
            self._renderer, self.chosen, self.candidate_set = renderer, 0, None
        if self.candidate_set is not None and not self._goes_on(renderer, fill_seconds):
            self.candidate_set = None
        elif self.candidate_set is None and self._affords(renderer, fill_seconds):
            self._begin(renderer)
        return (renderer.stream,) if self.candidate_set is None else self.candidate_set.streams

    def running(self, renderer: StreamRenderer) -> bool:
        """Whether a renderer's candidates are being made."""
        return self.candidate_set is not None and self._renderer is renderer

    def hop(self, renderer: StreamRenderer, frames: int) -> int:
        """At most `frames`, and not beyond the end of the stretch."""
        if self._count() == 1 and self.candidate_set is None:
            return frames
        return min(frames, STRETCH_FRAMES - _stream_frame(renderer) % STRETCH_FRAMES)

    def gather(self, renderer: StreamRenderer) -> torch.Tensor | None:
        """New codes [K, n] for the renderer, which adopts the best candidate; None while candidates are being made."""
        candidate_set = self.candidate_set
        if candidate_set is not None and candidate_set.done:
            renderer.adopt_candidate(candidate_set.streams[self._best(renderer, candidate_set)])
            self.candidate_set, self.chosen = None, self.chosen + 1
        elif candidate_set is not None:
            return None
        return renderer.stream.codes(renderer.taken_frames)

    def _count(self) -> int:
        return self._lane.settings.get(CANDIDATES)

    def _goes_on(self, renderer: StreamRenderer, fill_seconds: float) -> bool:
        """Whether the candidates still belong to this stream and there is time for them."""
        candidate_set = self.candidate_set
        assert candidate_set is not None
        mine = renderer.version == self._version and renderer.stream is candidate_set.streams[0]
        return mine and (self._lane.waits or fill_seconds > LOW_SECONDS or candidate_set.done)

    def _affords(self, renderer: StreamRenderer, fill_seconds: float) -> bool:
        """Whether a stretch begins here and the ring's fill lasts until all candidates are made."""
        count, ratio, frame = self._count(), self._timing.realtime_ratio, _stream_frame(renderer)
        if count < 2 or frame <= 0 or frame % STRETCH_FRAMES or renderer.stream.n_frames != renderer.taken_frames:
            return False
        if renderer.stream.finished:
            return False
        if self._lane.waits:  # time plays no part: the same each time
            return True
        if ratio < SPARE_RATIO * count:
            return False
        codec = renderer.model.codec
        seconds = STRETCH_FRAMES * codec.frame_samples / codec.sample_rate
        return fill_seconds > count * seconds / ratio + LOW_SECONDS

    def _begin(self, renderer: StreamRenderer) -> None:
        start = renderer.stream.n_frames
        seeds = [derived_seed(renderer.seed, CANDIDATE_SALT, start, index) for index in range(1, self._count())]
        self.candidate_set = CandidateSet.begin(renderer.stream, start + STRETCH_FRAMES, seeds)
        self._version = renderer.version

    def _best(self, renderer: StreamRenderer, candidate_set: CandidateSet) -> int:
        """Index of the candidate that fits the lane's beats best."""
        codec, codec_output = renderer.model.codec, renderer.codec_output
        before = _mono(codec_output.history[:, -int(BEFORE_SECONDS * codec.sample_rate) :])
        pieces = [
            _mono(codec_output.decoder.preview(candidate_set.codes(index), each.finished))
            for index, each in enumerate(candidate_set.streams)
        ]
        beats_at = _beats_from(renderer, codec_output.audio_end, max(map(len, pieces)))
        return best([worth(before, audio, codec.sample_rate, beats_at) for audio in pieces])


def _beats_from(renderer: StreamRenderer, begin: CodecSample, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """Map seconds after codec sample `begin` to beats, linear over the next `count` samples."""
    rate, to_host = renderer.model.codec.sample_rate, renderer.codec_output.rates.stream_per_codec
    ends = [renderer.output.beat_map.beats_at(round(at * to_host)) for at in (begin, begin + count)]
    slope = (ends[1] - ends[0]) / max(count, 1) * rate
    return lambda seconds: ends[0] + slope * np.asarray(seconds)


def _stream_frame(renderer: StreamRenderer) -> int:
    return renderer.stream.n_frames - renderer.prompt_frames


def _mono(audio: torch.Tensor) -> Audio:
    return np.asarray(audio.float().mean(dim=0).cpu().numpy(), np.float32)
