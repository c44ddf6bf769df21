"""Writes a stream's samples into a lane's ring at host positions, through loops and plan changes.

When the host loops, the stream goes on while positions start again: music behind the loop's end is written for the
next pass, with the next seek id, before the host gets there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bridge.ring.form import PlaybackPlan
from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.ring.writer import RingWriter
from bridge.time import units
from bridge.time.transport import Transport
from engine.serve.journal.recorder import recorded
from engine.serve.render.fader import StreamFader
from engine.serve.render.output_stage import FADE_SECONDS, OutputStage
from engine.serve.timeline.beat_map import BeatMap
from engine.serve.timeline.placement import FIRST, StreamPlacement
from engine.serve.timeline.samples import HostSample, StreamSample
from engine.serve.timeline.tempo_curve import TempoCurve

PASS_SECONDS = 0.5  # within which a loop pass is noticed


class CatchUp:
    """A host inside music that is still being made: the music before it is discarded. All [generate]."""

    def __init__(self) -> None:
        self.keeps_place = False  # a take with a fixed placement: the same wherever its host starts
        self.stream_behind = FIRST  # host position that the music must catch up with; 0: the music is ahead

    def begin(self, keeps_place: bool, here: StreamSample) -> None:
        """Begin music for a host at a stream sample; a take with a fixed placement catches up with it."""
        self.keeps_place, self.stream_behind = keeps_place, max(FIRST, here) if keeps_place else FIRST

    def from_start(self) -> None:
        """The music is regenerated from its start, for a host inside it."""
        self.stream_behind = max(StreamSample(1), self.stream_behind)

    def host_at(self, here: StreamSample) -> None:
        """The host is at a stream sample that is not made yet."""
        self.stream_behind = here

    def done(self) -> None:
        """The music is ahead of its host."""
        self.stream_behind = FIRST


class HeldBack:
    """The newest music, which the guard may still take back: it is not for the ring until the end is made."""

    samples = 0

    def hold(self, samples: int) -> None:
        """Hold so much back from now on.  [generate]"""
        self.samples = samples

    def of(self, made: StreamSample, end: StreamSample) -> int:
        """How many samples are held back of music made up to `made`, whose last is before `end`.  [generate]"""
        return 0 if made >= end else self.samples


def _state(output: RingOutput) -> dict[str, Any]:
    """What recorded operations depend on besides earlier ones: where to catch up with, the gain, what is held back."""
    held = output.held.samples or None
    return {"behind": output.catch_up.stream_behind or None, "gain": output.fader.set_to[0], "held": held}


operation = recorded("output", lambda output: output.ring, _state)


class RingOutput:
    """The ring's side of one stream; all methods [generate].

    Stream samples and frames count from where the stream's music begins; `placement` maps them to the host's present
    pass of the timeline, `writing` to the pass being written, `beat_map` to the beats for which they were made.
    """

    def __init__(self, ring: RingWriter, placement: StreamPlacement, gain: float = 1.0) -> None:
        self.ring = ring
        self.fader = StreamFader(ring.form.sample_rate_hz, gain)
        self.catch_up = CatchUp()
        self._stage = OutputStage(ring.form.sample_rate_hz, ring.form.channels, self.fader)
        self.placement = self.writing = placement
        self.beat_map = BeatMap(placement)
        self.loop: tuple[HostSample, HostSample] | None = None  # first sample and the one behind the last
        self.stream_written = FIRST  # stream samples in the ring, or discarded before the start
        self._stream_begun = FIRST  # where writing last restarted
        self._pending = torch.zeros(0, ring.form.channels)
        self.held = HeldBack()

    # -- progress --------------------------------------------------------------------------------

    @property
    def stream_end(self) -> StreamSample:
        """Stream sample behind the music's last."""
        return min(self.placement.stream_of(self.placement.end_samples), StreamSample(ENDLESS_SAMPLES))

    @property
    def stream_made(self) -> StreamSample:
        """Stream samples made, in the ring or pending."""
        return min(StreamSample(self.stream_written + len(self._pending)), self.stream_end)

    @property
    def finished(self) -> bool:
        """True when the music has an end and all of it is in the ring."""
        return self.stream_written >= self.stream_end

    def ahead_samples(self, position_samples: HostSample) -> int:
        """How far written music reaches beyond a position of the present pass; negative: behind it."""
        return self.stream_written - self.placement.stream_of(position_samples)

    @property
    def stored_from(self) -> StreamSample:
        """First stream sample that is stored and can be written again."""
        return self._stage.stored_from

    def wants(self, position_samples: HostSample, lead_seconds: float) -> bool:
        """Whether more music is needed for a host at `position_samples`: never more than the lead."""
        position = max(self.placement.stream_of(position_samples), self.placement.unheard_samples)
        lead, held = int(lead_seconds * self.ring.form.sample_rate_hz), self.held.of(self.stream_made, self.stream_end)
        due = min(position + lead + held, self.stream_end)
        return self.stream_made < due and len(self._pending) <= held

    # -- placement ------------------------------------------------------------------------------------

    def begin(self, placement: StreamPlacement, prompt: TempoCurve | None) -> None:
        """(Re)start the stream on `placement`; a prompt of another tempo lies on its own tempo curve."""
        self.placement, self.beat_map = placement, BeatMap(placement, prompt)

    def cut(self, stream_sample: StreamSample, placement: StreamPlacement) -> None:
        """Regenerate from a stream sample on, on `placement`; pending samples are dropped."""
        self.placement = placement
        self.go_on_at(stream_sample)
        self.beat_map.lay(stream_sample, placement)

    def steer(self, stream_sample: StreamSample, placement: StreamPlacement) -> None:
        """Change the placement of the same pass from a stream sample on; made music stays."""
        self.placement = placement
        passes, later = self.writing.seek_id - placement.seek_id, placement.zero_samples - self.writing.zero_samples
        self.writing = replace(placement.later(later), seek_id=placement.seek_id + passes)
        self.beat_map.lay(stream_sample, self.writing)

    def join(self, placement: StreamPlacement, loop: tuple[HostSample, HostSample] | None, host: HostSample) -> None:
        """Take another renderer's placement: the same stream samples at the same positions, for a host at `host`."""
        self.placement = self.writing = placement
        self.loop = loop
        self._wrap(host)

    @operation
    def loop_changed(self, loop: tuple[HostSample, HostSample] | None) -> None:
        """Set the host's loop: first sample and the one behind the last; None without a loop."""
        self.loop = loop

    @operation
    def host_beyond_end(self, placement: StreamPlacement) -> None:
        """The host is past the music's end on `placement`."""
        self.placement = placement

    # -- writing --------------------------------------------------------------------------------------

    def go_on_at(self, stream_samples: StreamSample) -> None:
        """Continue at `stream_samples`, with nothing pending but what is held back before it."""
        kept = stream_samples - self.stream_written if self.held.samples else 0
        kept = kept if 0 < kept <= len(self._pending) else 0
        self._pending, self._stream_begun = self._pending[:kept], stream_samples
        self.stream_written = StreamSample(stream_samples - kept)
        self._stage.go_on_at(stream_samples)
        self.writing = self.placement

    def put(self, audio: Tensor, begin: StreamSample) -> None:
        """Add stream samples [n, channels] from `begin` on; cut and faded at the end, discarded before the start.

        Samples before the point where writing continues are discarded too.
        """
        known = max(0, self._stage.stream_fed - begin)
        audio, begin = audio[known:], StreamSample(begin + min(known, len(audio)))
        self._stage.keep(audio, begin)
        self._feed(audio, begin)

    def _feed(self, audio: Tensor, begin: StreamSample) -> None:
        """Pass stored stream samples [n, channels], from `begin` on, through the output stage."""
        if begin > self._stage.stream_fed and len(audio):
            self.go_on_at(begin)
        out, first = self._stage.feed(audio, begin, self.stream_end)
        early = min(max(0, self.placement.unheard_samples - first), len(out))
        before, self.stream_written = self.stream_written, StreamSample(self.stream_written + early)
        if early:
            self._wrap(self.writing.host_of(before))
        self._pending = torch.cat([self._pending, out[early:]])

    @operation
    def refade(self, host: HostSample, points: list[tuple[StreamSample, float]], plan_revision: int) -> None:
        """Set gains from stream samples on; made music is written again, for a host at `host`."""
        for stream_sample, gain in points:
            self.fader.fade(stream_sample, gain)
        made, fed = self.stream_made, self._stage.stream_fed
        stream_sample = max(points[0][0], self.stored_from, self.placement.unheard_samples)
        if stream_sample < made:
            self.go_on_at(stream_sample)
            self._feed(self._stage.kept(stream_sample, fed), stream_sample)
            self._wrap(host)
            begin, writing = self.writing.host_of(self.stream_written), self.writing
            self.write(plan_revision)  # before the plan changes: a host that is there meanwhile finds the blocks
            self.announce(begin, plan_revision, writing)
            self.ring.set_reach(self.placement.host_of(self.stream_written))

    @operation
    def write(self, plan_revision: int | None = None) -> int:
        """Write pending samples that are not held back to the ring as far as there is room; returns how many.

        The blocks get the plan's revision, or `plan_revision`, whose plan is set later.
        """
        of = self.ring.plan.plan_revision if plan_revision is None else plan_revision
        total = 0
        behind = min(max(0, self.catch_up.stream_behind - self.stream_written), len(self._pending))
        self.stream_written, self._pending = StreamSample(self.stream_written + behind), self._pending[behind:]
        while (count := len(self._pending) - self.held.of(self.stream_made, self.stream_end)) > 0:
            begin = self.writing.host_of(self.stream_written)
            if self.loop is not None and begin < self.loop[1]:
                count = min(count, self.loop[1] - begin)
            part = self._pending[:count].numpy()
            shift = self.placement.zero_samples - self.writing.zero_samples
            taken = self.ring.write(begin, part, of, self.writing.seek_id, shift)
            self._pending = self._pending[taken:]
            self.stream_written = StreamSample(self.stream_written + taken)
            total += taken
            self._wrap(begin)
            if taken < count:
                break
        return total

    def _wrap(self, from_samples: HostSample) -> None:
        """If writing from `from_samples` has reached the loop's end, continue at its start, a pass later."""
        if self.loop is None:
            return
        start, end = self.loop
        while from_samples < end <= self.writing.host_of(self.stream_written):
            wrap = self.writing.stream_of(end)
            self.writing = self.writing.later(end - start)
            self.beat_map.lay(max(wrap, self._stream_begun), self.writing)
            from_samples = start

    def end_at(self, end_samples: HostSample, plan_revision: int) -> None:
        """End the music at a host position, with a fade before it if made music reaches beyond."""
        if self.held.samples:
            self.held.hold(0)
            self.write()
        made = self.stream_made
        self.placement = replace(self.placement, end_samples=max(end_samples, self.placement.zero_samples))
        if self.stream_end >= made:
            self.announce(self.placement.host_of(made), plan_revision)
            return
        seconds = FADE_SECONDS + units.SAMPLES_PER_FRAME / units.CODEC_RATE_HZ
        begin = HostSample(end_samples - int(seconds * self.ring.form.sample_rate_hz))
        stream_sample = max(self.stored_from, self.placement.stream_of(begin))
        begin = self.placement.host_of(stream_sample)
        self.announce(begin, plan_revision)
        audio = self._stage.once_more(stream_sample, self.stream_end)
        self.ring.write(begin, audio.numpy(), plan_revision, self.placement.seek_id)
        self._pending, self.stream_written = self._pending[:0], max(self.stream_written, self.stream_end)
        self._stage.go_on_at(self.stream_written)

    # -- the plan -------------------------------------------------------------------------------------

    @operation
    def passed(self, transport: Transport) -> bool:
        """Follow the host's new seek id; True for a loop pass that was written ahead, or whose end was the music's."""
        passes = transport.seek_id - self.placement.seek_id
        if self.loop is None or passes <= 0:
            return False
        start, end = self.loop
        if passes > self.writing.seek_id - self.placement.seek_id and self.placement.end_samples > end:
            return False
        if not 0 <= transport.position_samples - start < PASS_SECONDS * transport.sample_rate_hz:
            return False
        self.placement = self.placement.later(end - start, passes)
        plan = self.ring.plan
        if plan.seek_id <= transport.seek_id:  # else the plan is for a later pass and stays
            begin = HostSample(plan.from_samples) if plan.seek_id == transport.seek_id else start
            self.announce(begin, plan.plan_revision)
        self.ring.set_reach(self.placement.host_of(self.stream_written))
        return True

    @operation
    def announce(
        self,
        from_samples: HostSample,
        plan_revision: int,
        placement: StreamPlacement | None = None,
        host: HostSample | None = None,
    ) -> None:
        """Send the host a plan: older blocks count up to `from_samples`.

        Of music that begins, `host` is where its host is; it may begin a loop pass later.
        """
        placement = placement or self.placement
        if host is not None and self.loop is not None and host < self.loop[1] <= placement.start_samples:
            self._wrap(host)
            length = self.loop[1] - self.loop[0]
            placement = placement.later(length, (placement.start_samples - self.loop[0]) // length)
            from_samples = placement.start_samples
        plan = PlaybackPlan(
            plan_revision, True, from_samples, placement.start_samples, placement.end_samples, placement.seek_id
        )
        self.ring.set_plan(plan)

    def announce_here(self, host: HostSample, plan_revision: int) -> None:
        """Send a host at `host` a plan: older blocks count up to the writing position, maybe a loop pass later."""
        self._wrap(host)
        self.announce(self.writing.host_of(self.stream_written), plan_revision, self.writing)
        self.ring.set_reach(self.placement.host_of(self.stream_written))

    @operation
    def shift(
        self, host: HostSample, from_sample: StreamSample, placement: StreamPlacement, plan_revision: int
    ) -> None:
        """Write made music again, elsewhere in the ring, from `from_sample` on.

        `placement` has another zero (the start moves), or the loop has just changed.
        """
        fed = self._stage.stream_fed
        begin = min(max(from_sample, self.stored_from), fed)
        self.beat_map.move(placement.zero_samples - self.placement.zero_samples)
        self.placement = placement
        self.go_on_at(begin)
        self._feed(self._stage.kept(begin, fed), begin)
        self.take_turn(host, plan_revision)

    @operation
    def take_turn(self, host: HostSample, plan_revision: int) -> None:
        """Let pending samples replace the ring's older blocks."""
        self.announce_here(host, plan_revision)
        self.write()
