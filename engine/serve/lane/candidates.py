"""Several continuations of a lane's next second, made in one batch, of which the best is kept. All of it [generate].

stretch    |--- own dice ---|--- chosen of 4 ---|--- chosen of 4 ---|     STRETCH_FRAMES, counted from the start
ring       enough in it to wait for all of them: else the first goes on as if alone
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from engine.listen.choose import best, worth
from engine.listen.features import Audio
from engine.listen.seeds import derived_seed
from engine.serve.lane.lane import Lane
from engine.serve.lane.timing import LaneTiming
from engine.serve.render.stream_renderer import StreamRenderer
from engine.stream import TokenStream
from engine.stream.candidate_set import CandidateSet

STRETCH_FRAMES = 50
BEFORE_SECONDS = 2.0
SPARE_RATIO = 1.25  # how much faster than the host plays all candidates together must be made
LOW_SECONDS = 0.3  # what must be left in the ring when they are done
CANDIDATE_SALT = 2  # keeps these seeds apart from the guard's


class Candidates:
    """One lane's; `streams` says who is to be advanced, `gather` what came of it."""

    def __init__(self, lane: Lane, pace: LaneTiming) -> None:
        self._lane, self._pace = lane, pace
        self.chosen = 0  # stretches of this player that were chosen
        self._player: StreamRenderer | None = None
        self._version = 0
        self.heat: CandidateSet | None = None

    def forget(self) -> None:
        """Let go of the player, and of the model with it."""
        self._player = self.heat = None

    def streams(self, player: StreamRenderer, fill_seconds: float) -> tuple[TokenStream, ...]:
        """The player's stream, and its rivals while there are some; the first is always its own."""
        if player is not self._player:
            self._player, self.chosen, self.heat = player, 0, None
        if self.heat is not None and not self._goes_on(player, fill_seconds):
            self.heat = None
        elif self.heat is None and self._affords(player, fill_seconds):
            self._begin(player)
        return (player.stream,) if self.heat is None else self.heat.streams

    def running(self, player: StreamRenderer) -> bool:
        """Whether some of a player's candidates are still to be made."""
        return self.heat is not None and self._player is player

    def hop(self, player: StreamRenderer, frames: int) -> int:
        """So many frames at most, not beyond the end of the stretch."""
        if self._count() == 1 and self.heat is None:
            return frames
        return min(frames, STRETCH_FRAMES - _own_frame(player) % STRETCH_FRAMES)

    def gather(self, player: StreamRenderer) -> torch.Tensor | None:
        """New codes [K, n] for the player, whose stream is the best one then; None while some are still being made."""
        heat = self.heat
        if heat is not None and heat.done:
            player.stream = heat.streams[self._best(player, heat)]
            self.heat, self.chosen = None, self.chosen + 1
        elif heat is not None:
            return None
        return player.stream.codes(player.taken_frames)

    def _count(self) -> int:
        return int(self._lane.settings.values.get("candidates", 1.0))

    def _goes_on(self, player: StreamRenderer, fill_seconds: float) -> bool:
        """Whether the candidates are still of this stream, and there is time for them."""
        heat = self.heat
        assert heat is not None
        mine = player.version == self._version and player.stream is heat.streams[0]
        return mine and (fill_seconds > LOW_SECONDS or heat.done)

    def _affords(self, player: StreamRenderer, fill_seconds: float) -> bool:
        """Whether a stretch begins here and what is in the ring lasts until all candidates are made."""
        count, ratio, frame = self._count(), self._pace.realtime_ratio, _own_frame(player)
        if count < 2 or frame <= 0 or frame % STRETCH_FRAMES or player.stream.n_frames != player.taken_frames:
            return False
        if player.stream.finished or ratio < SPARE_RATIO * count:
            return False
        codec = player.model.codec
        seconds = STRETCH_FRAMES * codec.frame_samples / codec.sample_rate
        return fill_seconds > count * seconds / ratio + LOW_SECONDS

    def _begin(self, player: StreamRenderer) -> None:
        start = player.stream.n_frames
        dice = [derived_seed(player.seed, CANDIDATE_SALT, start, index) for index in range(1, self._count())]
        self.heat = CandidateSet.begin(player.stream, start + STRETCH_FRAMES, dice)
        self._version = player.version

    def _best(self, player: StreamRenderer, heat: CandidateSet) -> int:
        """The candidate that sits best on the lane's beats."""
        codec, chain = player.model.codec, player.chain
        before = _mono(chain.history[:, -int(BEFORE_SECONDS * codec.sample_rate) :])
        heard = [_mono(chain.preview(heat.codes(index), each.finished)) for index, each in enumerate(heat.streams)]
        beats_at = _beats_from(player, chain.audio_end, max(map(len, heard)))
        return best([worth(before, audio, codec.sample_rate, beats_at) for audio in heard])


def _beats_from(player: StreamRenderer, begin: int, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """Seconds after the codec's sample `begin` to beats, straight through the next `count` samples."""
    rate, to_host = player.model.codec.sample_rate, player.resampler.new / player.resampler.orig
    ends = [player.score.beats_at(round(at * to_host)) for at in (begin, begin + count)]
    slope = (ends[1] - ends[0]) / max(count, 1) * rate
    return lambda seconds: ends[0] + slope * np.asarray(seconds)


def _own_frame(player: StreamRenderer) -> int:
    return player.stream.n_frames - player.prompt_frames


def _mono(audio: torch.Tensor) -> Audio:
    return np.asarray(audio.float().mean(dim=0).cpu().numpy(), np.float32)
