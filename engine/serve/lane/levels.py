"""Sets the fader as a lane's settings say, now and on due beats to come; made music is written again.

level, mute   . . : : : : . .     immediate, many a second: the newest counts, written at most ten times a second
              .       :      .    scheduled: written at its beat, and sent to the host for its held bar
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bridge.ring.fader_block import Fader
from bridge.ring.layout import FADER_CHANGES
from bridge.ring.writer import RingWriter
from bridge.system.clock import Clock
from bridge.time.transport import Transport
from engine.serve.lane.command import Command
from engine.serve.lane.commands import Commands
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.placement import FIRST
from engine.serve.timeline.samples import HostSample, StreamSample, position_of

SOON_SECONDS = 0.06  # until an immediate quick change is heard
REST_SECONDS = 0.1  # between two: all made music passes the last stage again


class Levels:
    """One lane's levels; all [generate]."""

    def __init__(self, next_plan_revision: Callable[[], int], clock: Clock) -> None:
        self._next_plan_revision, self._clock = next_plan_revision, clock
        self._written_seconds = 0.0

    def follow(
        self,
        renderer: StreamRenderer,
        transport: Transport,
        base: LaneSettings,
        commands: Commands,
        fresh: list[Command],
    ) -> list[Command]:
        """Set the fader to `base` from now on and to `commands` later; returns the `fresh` commands that still wait.

        Those are the immediate ones that regenerate music, or all of them right after another change of level.
        """
        now_gain, set_points = renderer.output.fader.set_to
        gain, points = base.gain, gain_points(base, [(each.stream_sample, each) for each in commands.made])
        soon = int(SOON_SECONDS * transport.sample_rate_hz) if transport.playing else 0
        stream_now = max(FIRST, renderer.placement.stream_of(HostSample(transport.position_samples + soon)))
        wanted = [(stream_now, gain), *points] if now_gain != gain else points
        if wanted != set_points:
            now = self._clock.now_seconds()
            if points == set_points and now - self._written_seconds < REST_SECONDS:
                return fresh
            self._written_seconds = now
            same = [one for one, other in zip(wanted, set_points, strict=False) if one == other]
            changed = wanted[len(same) :] or [(set_points[len(same)][0], same[-1][1] if same else now_gain)]
            renderer.output.refade(position_of(transport), changed, self._next_plan_revision())
        if now_gain != gain:
            commands.make([each for each in fresh if not each.slow], stream_now)
        renderer.output.fader.set(gain, points)
        return [each for each in fresh if each.slow]

    @staticmethod
    def publish(
        ring: RingWriter,
        renderer: StreamRenderer | None,
        transport: Transport,
        base: LaneSettings,
        to_come: Iterable[tuple[StreamSample, float]] = (),
    ) -> None:
        """Send the fader to the host, for a bar that it holds: music outside the ring cannot be written again.

        `to_come`: waiting changes, for which the engine may be late; stream sample, gain from there on.
        """
        if renderer is None:
            ring.set_fader(Fader(base.gain, (), transport.seek_id))
            return
        placement = renderer.placement
        gain, later = renderer.output.fader.standing(placement.stream_of(position_of(transport)))
        changes = sorted([*later, *to_come], key=lambda each: each[0])[:FADER_CHANGES]
        coming = tuple((placement.host_of(stream_sample), to) for stream_sample, to in changes)
        ring.set_fader(Fader(gain, coming, placement.seek_id))


def gain_points(
    base: LaneSettings, commands: Iterable[tuple[StreamSample | None, Command]]
) -> list[tuple[StreamSample, float]]:
    """The fader's changes by commands in order: stream sample, gain from there on.  [generate]"""
    settings, points = base, []
    for stream_sample, command in commands:
        before, settings = settings.gain, command.applied(settings)
        if settings.gain != before and stream_sample is not None:
            points.append((stream_sample, settings.gain))
    return points
