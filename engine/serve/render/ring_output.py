"""Own samples of a stream go into a lane's ring, at the host's positions, through loops and changes of mind.

Where the host loops, the stream goes on while positions start again: what lies behind the loop's end is
written for the next pass, that is for the next number of the timeline, before the host gets there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bridge.ring.form import PlaybackPlan
from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.ring.writer import RingWriter
from bridge.time import units
from bridge.time.transport import Transport
from engine.serve.render.fader import Fader, RecentAudio
from engine.serve.render.limiter_stage import LimiterStage
from engine.serve.timeline.beat_map import BeatMap
from engine.serve.timeline.placement import StreamPlacement

FADE_SECONDS = 0.01  # at the end of the music
PASS_SECONDS = 0.5  # a loop pass is seen this long after it at the latest


class RingOutput:
    """The ring's side of one stream; all methods [generate].

    "Own" samples and frames are counted from where the stream's music begins; `place` says where they lie in
    the host's present pass of the timeline, `writing` where they lie at the end of what is written, `score` for which
    beats they were made.
    """

    def __init__(self, ring: RingWriter, place: StreamPlacement, gain: float = 1.0) -> None:
        self.ring = ring
        self.fader = Fader(ring.form.sample_rate_hz, gain)
        self.tape = RecentAudio(ring.form.sample_rate_hz, ring.form.channels)
        self._finish = LimiterStage(ring.form.sample_rate_hz, ring.form.channels)
        self.place = self.writing = place
        self.score = BeatMap(place)
        self.loop: tuple[int, int] | None = None  # first sample and the one behind the last
        self.written_own = 0  # own samples that are in the ring, or were thrown away before the start
        self._begun_own = 0  # where writing began anew last
        self.behind_own = 0  # where the host is that the music is still to catch up with; 0: it is ahead of it
        self.keeps_place = False  # a take that is the same wherever its host comes to it
        self._pending = torch.zeros(0, ring.form.channels)

    # -- how far it is --------------------------------------------------------------------------------

    @property
    def end_own(self) -> int:
        """Own sample behind the music's last."""
        return min(self.place.end_samples - self.place.zero_samples, ENDLESS_SAMPLES)

    @property
    def made_own(self) -> int:
        """Own samples that are made, in the ring or about to be."""
        return min(self.written_own + len(self._pending), self.end_own)

    @property
    def finished(self) -> bool:
        """True when the music has an end and all of it is in the ring."""
        return self.written_own >= self.end_own

    def ahead_samples(self, position_samples: int) -> int:
        """How far what is written reaches beyond a position of the present pass; negative: behind it."""
        return self.written_own - (position_samples - self.place.zero_samples)

    # -- writing --------------------------------------------------------------------------------------

    def _from(self, own_samples: int) -> None:
        """What comes next is own sample `own_samples`; nothing waits."""
        self.written_own = self._begun_own = own_samples
        self._pending = self._pending[:0]
        self._finish.go_on_at(own_samples)
        self.writing = self.place

    def _put(self, audio: Tensor, begin: int) -> None:
        """More own samples [n, channels], from `begin` on; cut and faded at the end, thrown away before the start.

        So are those that lie before where writing goes on.
        """
        known = max(0, self._finish.fed_own - begin)
        audio, begin = audio[known:], begin + min(known, len(audio))
        self.tape.put(audio, begin)
        self._feed(audio, begin)

    def _feed(self, audio: Tensor, begin: int) -> None:
        """Own samples [n, channels] that are on the tape, from `begin` on, as they are to be heard."""
        finish, end = self._finish, self.end_own
        if begin > finish.fed_own and len(audio):
            self._from(begin)
        if not finish.running:
            finish.begin(self._before(begin))
        last = begin < end <= begin + len(audio)
        out, first = finish.push(self._loud(audio[: max(0, end - begin)], begin), last)
        early = min(max(0, self.place.unheard_samples - first), len(out))
        self.written_own += early
        self._pending = torch.cat([self._pending, out[early:]])

    def _before(self, own: int) -> Tensor:
        """What is heard right before an own sample, as far as it has a part in what follows."""
        begin = max(self.tape.begin_own, own - self._finish.memory_samples)
        return self._loud(self.tape.between(begin, own), begin)

    def _once_more(self, own: int, end: int) -> Tensor:
        """What is heard from one own sample to another [n, channels], as far as it is known, as it is to be by now."""
        return self._finish.whole(self._loud(self.tape.between(own, end), own), own, self._before(own))

    def _loud(self, audio: Tensor, begin_own: int) -> Tensor:
        """Own samples [n, channels] from `begin_own` on as they are to be heard."""
        return self.fader.faded(self._faded(audio, begin_own), begin_own)

    def refade(self, host: int, points: list[tuple[int, float]], generation: int) -> None:
        """Be so loud from these own samples on; what is made is written once more, for a host at `host`."""
        for own, gain in points:
            self.fader.fade(own, gain)
        made, own = self.made_own, max(points[0][0], self.tape.begin_own, self.place.unheard_samples)
        fed = self._finish.fed_own
        if own < made:
            self._from(own)
            self._feed(self.tape.between(own, fed), own)
            self._wrap(host)
            begin, writing = self.writing.zero_samples + self.written_own, self.writing
            self.write(generation)  # before the plan says so: a host that has come there meanwhile finds them
            self.announce(begin, generation, writing)
            self.ring.set_reach(self.place.zero_samples + self.written_own)

    def _faded(self, audio: Tensor, begin_own: int) -> Tensor:
        """A short fade right before the end of the music."""
        if self.place.end_samples == ENDLESS_SAMPLES or not len(audio):
            return audio
        fade = max(1, int(FADE_SECONDS * self.ring.form.sample_rate_hz))
        left = self.end_own - begin_own - torch.arange(len(audio))
        return audio * (left.clamp(max=fade) / fade)[:, None]

    def write(self, generation: int | None = None) -> int:
        """Put what waits into the ring as far as there is room; returns how many samples.

        Of the plan's generation, or of one whose plan is still to come.
        """
        of = self.ring.plan.generation if generation is None else generation
        total = 0
        behind = min(max(0, self.behind_own - self.written_own), len(self._pending))
        self.written_own, self._pending = self.written_own + behind, self._pending[behind:]
        while len(self._pending):
            begin = self.writing.zero_samples + self.written_own
            count = len(self._pending)
            if self.loop is not None and begin < self.loop[1]:
                count = min(count, self.loop[1] - begin)
            part = self._pending[:count].numpy()
            shift = self.place.zero_samples - self.writing.zero_samples
            taken = self.ring.write(begin, part, of, self.writing.timeline, shift)
            self._pending = self._pending[taken:]
            self.written_own += taken
            total += taken
            self._wrap(begin)
            if taken < count:
                break
        return total

    def _wrap(self, from_samples: int) -> None:
        """Where writing came from `from_samples` to the loop's end, it goes on at its start, a pass later."""
        if self.loop is None:
            return
        start, end = self.loop
        while from_samples < end <= self.writing.zero_samples + self.written_own:
            wrap = end - self.writing.zero_samples
            zero = self.writing.zero_samples - (end - start)
            self.writing = replace(self.writing, zero_samples=zero, timeline=self.writing.timeline + 1)
            self.score.lay(max(wrap, self._begun_own), self.writing)
            from_samples = start

    def _end_early(self, made: int, end_samples: int, generation: int) -> None:
        """The place ends at a host position now: a fade before it where `made` own samples reach beyond."""
        if self.end_own >= made:
            self.announce(self.place.zero_samples + made, generation)
            return
        seconds = FADE_SECONDS + units.SAMPLES_PER_FRAME / units.CODEC_RATE_HZ
        begin = end_samples - int(seconds * self.ring.form.sample_rate_hz)
        own = max(self.tape.begin_own, begin - self.place.zero_samples)
        self.announce(self.place.zero_samples + own, generation)
        audio = self._once_more(own, self.end_own)
        self.ring.write(self.place.zero_samples + own, audio.numpy(), generation, self.place.timeline)
        self._pending, self.written_own = self._pending[:0], max(self.written_own, self.end_own)
        self._finish.go_on_at(self.written_own)

    # -- the plan -------------------------------------------------------------------------------------

    def passed(self, transport: Transport) -> bool:
        """The host's timeline has another number: True when that is the loop pass that was written for."""
        passes = transport.timeline - self.place.timeline
        if self.loop is None or not 0 < passes <= self.writing.timeline - self.place.timeline:
            return False
        start, end = self.loop
        if not 0 <= transport.position_samples - start < PASS_SECONDS * transport.sample_rate_hz:
            return False
        zero = self.place.zero_samples - passes * (end - start)
        self.place = replace(self.place, zero_samples=zero, timeline=transport.timeline)
        plan = self.ring.plan
        if plan.timeline <= transport.timeline:  # else it is for a pass still to come, as it stands
            begin = plan.from_samples if plan.timeline == transport.timeline else start
            self.announce(begin, plan.generation)
        self.ring.set_reach(zero + self.written_own)
        return True

    def announce(self, from_samples: int, generation: int, place: StreamPlacement | None = None) -> None:
        """Tell the host the plan: older blocks count up to `from_samples`."""
        place = place or self.place
        plan = PlaybackPlan(generation, True, from_samples, place.start_samples, place.end_samples, place.timeline)
        self.ring.set_plan(plan)

    def join(self, place: StreamPlacement, loop: tuple[int, int] | None, host: int) -> None:
        """Lie on another player's line: the same own samples at the same positions, for a host at `host`."""
        self.place = self.writing = place
        self.loop = loop
        self._wrap(host)

    def _go_on(self, host: int, generation: int) -> None:
        """After a cut: where writing goes on, maybe behind the loop's end, and the plan that says so."""
        self._wrap(host)
        self.announce(self.writing.zero_samples + self.written_own, generation, self.writing)
        self.ring.set_reach(self.place.zero_samples + self.written_own)
