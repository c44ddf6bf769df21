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
from engine.serve.render.fader import Fader
from engine.serve.render.output_stage import FADE_SECONDS, OutputStage
from engine.serve.timeline.beat_map import BeatMap
from engine.serve.timeline.placement import FIRST, StreamPlacement
from engine.serve.timeline.samples import HostSample, StreamSample
from engine.serve.timeline.tempo_curve import TempoCurve

PASS_SECONDS = 0.5  # a loop pass is seen this long after it at the latest


class CatchUp:
    """A host inside music that is still being made: what lies before it is thrown away. All [generate]."""

    def __init__(self) -> None:
        self.keeps_place = False  # a take that is the same wherever its host comes to it
        self.stream_behind = FIRST  # where the host is that the music is still to catch up with; 0: it is ahead of it

    def begin(self, keeps_place: bool, here: StreamSample) -> None:
        """Music begins for a host at a stream sample; one that keeps its place is caught up with."""
        self.keeps_place, self.stream_behind = keeps_place, max(FIRST, here) if keeps_place else FIRST

    def from_start(self) -> None:
        """The music is made from its start once more, for a host inside it."""
        self.stream_behind = max(StreamSample(1), self.stream_behind)

    def host_at(self, here: StreamSample) -> None:
        """The host is at a stream sample that is not made yet."""
        self.stream_behind = here

    def done(self) -> None:
        """The music is ahead of its host."""
        self.stream_behind = FIRST


class RingOutput:
    """The ring's side of one stream; all methods [generate].

    "Own" samples and frames are counted from where the stream's music begins; `placement` says where they lie in
    the host's pass of the timeline, `writing` where they lie at the end of what is written, `beat_map` for which
    beats they were made.
    """

    def __init__(self, ring: RingWriter, placement: StreamPlacement, gain: float = 1.0) -> None:
        self.ring = ring
        self.fader = Fader(ring.form.sample_rate_hz, gain)
        self.catch_up = CatchUp()
        self._stage = OutputStage(ring.form.sample_rate_hz, ring.form.channels, self.fader)
        self.placement = self.writing = placement
        self.beat_map = BeatMap(placement)
        self.loop: tuple[HostSample, HostSample] | None = None  # first sample and the one behind the last
        self.stream_written = FIRST  # stream samples that are in the ring, or were thrown away before the start
        self._stream_begun = FIRST  # where writing began anew last
        self._pending = torch.zeros(0, ring.form.channels)

    # -- how far it is --------------------------------------------------------------------------------

    @property
    def stream_end(self) -> StreamSample:
        """Own sample behind the music's last."""
        return min(self.placement.stream_of(self.placement.end_samples), StreamSample(ENDLESS_SAMPLES))

    @property
    def stream_made(self) -> StreamSample:
        """Own samples that are made, in the ring or about to be."""
        return min(StreamSample(self.stream_written + len(self._pending)), self.stream_end)

    @property
    def finished(self) -> bool:
        """True when the music has an end and all of it is in the ring."""
        return self.stream_written >= self.stream_end

    def ahead_samples(self, position_samples: HostSample) -> int:
        """How far what is written reaches beyond a position of the present pass; negative: behind it."""
        return self.stream_written - self.placement.stream_of(position_samples)

    @property
    def kept_from(self) -> StreamSample:
        """First stream sample whose sound is kept, to be written once more."""
        return self._stage.kept_from

    def wants(self, position_samples: HostSample, lead_seconds: float) -> bool:
        """Whether more is to be made for a host at `position_samples`: never more than the lead."""
        heard = max(self.placement.stream_of(position_samples), self.placement.unheard_samples)
        due = min(heard + int(lead_seconds * self.ring.form.sample_rate_hz), self.stream_end)
        return self.stream_made < due and not len(self._pending)

    # -- where it lies --------------------------------------------------------------------------------

    def begin(self, placement: StreamPlacement, prompt: TempoCurve | None) -> None:
        """The stream begins (anew) on `placement`; a prompt of another tempo lies on its own line."""
        self.placement, self.beat_map = placement, BeatMap(placement, prompt)

    def cut(self, stream_sample: StreamSample, placement: StreamPlacement) -> None:
        """From a stream sample on the stream is made anew and lies on `placement`; what waits is forgotten."""
        self.placement = placement
        self.go_on_at(stream_sample)
        self.beat_map.lay(stream_sample, placement)

    def steer(self, stream_sample: StreamSample, placement: StreamPlacement) -> None:
        """From a stream sample on the same pass lies on `placement`; what is made stays."""
        self.placement = placement
        self.writing = replace(placement, zero_samples=self.writing.zero_samples, timeline=self.writing.timeline)
        self.beat_map.lay(stream_sample, self.writing)

    def join(self, placement: StreamPlacement, loop: tuple[HostSample, HostSample] | None, host: HostSample) -> None:
        """Lie on another renderer's line: the same stream samples at the same positions, for a host at `host`."""
        self.placement = self.writing = placement
        self.loop = loop
        self._wrap(host)

    def loop_changed(self, loop: tuple[HostSample, HostSample] | None) -> None:
        """The host loops elsewhere, or no longer: first sample and the one behind the last."""
        self.loop = loop

    def host_beyond_end(self, placement: StreamPlacement) -> None:
        """The host is past the music's end, which lies on `placement`."""
        self.placement = placement

    # -- writing --------------------------------------------------------------------------------------

    def go_on_at(self, stream_samples: StreamSample) -> None:
        """What comes next is `stream_samples`; nothing waits."""
        self.stream_written = self._stream_begun = stream_samples
        self._pending = self._pending[:0]
        self._stage.go_on_at(stream_samples)
        self.writing = self.placement

    def put(self, audio: Tensor, begin: StreamSample) -> None:
        """More stream samples [n, channels], from `begin` on; cut and faded at the end, thrown away before the start.

        So are those that lie before where writing goes on.
        """
        known = max(0, self._stage.stream_fed - begin)
        audio, begin = audio[known:], StreamSample(begin + min(known, len(audio)))
        self._stage.keep(audio, begin)
        self._feed(audio, begin)

    def _feed(self, audio: Tensor, begin: StreamSample) -> None:
        """Kept stream samples [n, channels], from `begin` on, as they are to be heard."""
        if begin > self._stage.stream_fed and len(audio):
            self.go_on_at(begin)
        out, first = self._stage.feed(audio, begin, self.stream_end)
        early = min(max(0, self.placement.unheard_samples - first), len(out))
        self.stream_written = StreamSample(self.stream_written + early)
        self._pending = torch.cat([self._pending, out[early:]])

    def refade(self, host: HostSample, points: list[tuple[StreamSample, float]], generation: int) -> None:
        """Be so loud from these stream samples on; what is made is written once more, for a host at `host`."""
        for stream_sample, gain in points:
            self.fader.fade(stream_sample, gain)
        made, fed = self.stream_made, self._stage.stream_fed
        stream_sample = max(points[0][0], self.kept_from, self.placement.unheard_samples)
        if stream_sample < made:
            self.go_on_at(stream_sample)
            self._feed(self._stage.kept(stream_sample, fed), stream_sample)
            self._wrap(host)
            begin, writing = self.writing.host_of(self.stream_written), self.writing
            self.write(generation)  # before the plan says so: a host that has come there meanwhile finds them
            self.announce(begin, generation, writing)
            self.ring.set_reach(self.placement.host_of(self.stream_written))

    def write(self, generation: int | None = None) -> int:
        """Put what waits into the ring as far as there is room; returns how many samples.

        Of the plan's generation, or of one whose plan is still to come.
        """
        of = self.ring.plan.generation if generation is None else generation
        total = 0
        behind = min(max(0, self.catch_up.stream_behind - self.stream_written), len(self._pending))
        self.stream_written, self._pending = StreamSample(self.stream_written + behind), self._pending[behind:]
        while len(self._pending):
            begin = self.writing.host_of(self.stream_written)
            count = len(self._pending)
            if self.loop is not None and begin < self.loop[1]:
                count = min(count, self.loop[1] - begin)
            part = self._pending[:count].numpy()
            shift = self.placement.zero_samples - self.writing.zero_samples
            taken = self.ring.write(begin, part, of, self.writing.timeline, shift)
            self._pending = self._pending[taken:]
            self.stream_written = StreamSample(self.stream_written + taken)
            total += taken
            self._wrap(begin)
            if taken < count:
                break
        return total

    def _wrap(self, from_samples: HostSample) -> None:
        """Where writing came from `from_samples` to the loop's end, it goes on at its start, a pass later."""
        if self.loop is None:
            return
        start, end = self.loop
        while from_samples < end <= self.writing.host_of(self.stream_written):
            wrap = self.writing.stream_of(end)
            zero = HostSample(self.writing.zero_samples - (end - start))
            self.writing = replace(self.writing, zero_samples=zero, timeline=self.writing.timeline + 1)
            self.beat_map.lay(max(wrap, self._stream_begun), self.writing)
            from_samples = start

    def end_at(self, end_samples: HostSample, generation: int) -> None:
        """The music ends at a host position: a fade before it where what is made reaches beyond."""
        made = self.stream_made
        self.placement = replace(self.placement, end_samples=max(end_samples, self.placement.zero_samples))
        if self.stream_end >= made:
            self.announce(self.placement.host_of(made), generation)
            return
        seconds = FADE_SECONDS + units.SAMPLES_PER_FRAME / units.CODEC_RATE_HZ
        begin = HostSample(end_samples - int(seconds * self.ring.form.sample_rate_hz))
        stream_sample = max(self.kept_from, self.placement.stream_of(begin))
        begin = self.placement.host_of(stream_sample)
        self.announce(begin, generation)
        audio = self._stage.once_more(stream_sample, self.stream_end)
        self.ring.write(begin, audio.numpy(), generation, self.placement.timeline)
        self._pending, self.stream_written = self._pending[:0], max(self.stream_written, self.stream_end)
        self._stage.go_on_at(self.stream_written)

    # -- the plan -------------------------------------------------------------------------------------

    def passed(self, transport: Transport) -> bool:
        """The host's timeline has another number: True when that is the loop pass that was written for."""
        passes = transport.timeline - self.placement.timeline
        if self.loop is None or not 0 < passes <= self.writing.timeline - self.placement.timeline:
            return False
        start, end = self.loop
        if not 0 <= transport.position_samples - start < PASS_SECONDS * transport.sample_rate_hz:
            return False
        zero = HostSample(self.placement.zero_samples - passes * (end - start))
        self.placement = replace(self.placement, zero_samples=zero, timeline=transport.timeline)
        plan = self.ring.plan
        if plan.timeline <= transport.timeline:  # else it is for a pass still to come, as it stands
            begin = HostSample(plan.from_samples) if plan.timeline == transport.timeline else start
            self.announce(begin, plan.generation)
        self.ring.set_reach(self.placement.host_of(self.stream_written))
        return True

    def announce(self, from_samples: HostSample, generation: int, placement: StreamPlacement | None = None) -> None:
        """Tell the host the plan: older blocks count up to `from_samples`."""
        placement = placement or self.placement
        plan = PlaybackPlan(
            generation, True, from_samples, placement.start_samples, placement.end_samples, placement.timeline
        )
        self.ring.set_plan(plan)

    def announce_here(self, host: HostSample, generation: int) -> None:
        """Tell a host at `host` the plan: older blocks count up to where writing goes on, maybe a loop's pass later."""
        self._wrap(host)
        self.announce(self.writing.host_of(self.stream_written), generation, self.writing)
        self.ring.set_reach(self.placement.host_of(self.stream_written))

    def shift(self, host: HostSample, from_sample: StreamSample, placement: StreamPlacement, generation: int) -> None:
        """What is made sounds elsewhere from `from_sample` on: not made anew, only written once more.

        `placement` has another zero (the start moves), or the loop has changed before.
        """
        fed = self._stage.stream_fed
        begin = min(max(from_sample, self.kept_from), fed)
        self.beat_map.move(placement.zero_samples - self.placement.zero_samples)
        self.placement = placement
        self.go_on_at(begin)
        self._feed(self._stage.kept(begin, fed), begin)
        self.take_turn(host, generation)

    def take_turn(self, host: HostSample, generation: int) -> None:
        """What is made and not written yet takes over from what the ring holds."""
        self.announce_here(host, generation)
        self.write()
