"""The due beat of a command, and how far ahead of the host it lies.

host   ....position....ready.........|.........|        ready: music from here on can be made in time
                                   beat, bar, bars 4

too late for its beat      the next such beat that is ready
in a loop                  a beat inside is met in this pass or the next, one behind its end waits
behind the host otherwise  no distance: it waits until the host is there again
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bridge.control.arguments import At
from bridge.time.transport import Transport
from engine.serve.timeline.samples import HostSample

PASS_SECONDS = 0.5  # within which a loop pass is noticed


@dataclass(frozen=True, slots=True)
class Due:
    """The beat on which a command takes effect; `seek_id` is the host's first for which it holds.

    `late`: the beat asked for was missed, and this is the next one.  [any]
    """

    beats: Fraction
    late: bool = False
    seek_id: int = 0


@dataclass(frozen=True, slots=True)
class LoopRange:
    """The host's present or next loop: first sample and the one behind the last.  [any]"""

    start: HostSample
    end: HostSample

    @property
    def length(self) -> int:
        """Length in samples.  [any]"""
        return self.end - self.start


def loop_ahead(transport: Transport) -> LoopRange | None:
    """The loop whose end the host will not pass; None without one, or if the host is past it.  [any]"""
    if transport.loop_beats is None:
        return None
    start, end = (HostSample(transport.grid.sample_at(beats)) for beats in transport.loop_beats)
    return LoopRange(start, end) if start < end and transport.position_samples < end else None


def due_at(at: At, transport: Transport, margin_samples: int) -> Due:
    """The due beat of `at` for a host, at least the margin ahead; a nearer or past one is too late.  [any]"""
    margin = margin_samples if transport.playing else 0
    if at.word == "now":
        return _wrapped(transport, margin)
    here = _next_place(at, transport, 0)
    ahead = ahead_samples(here, transport)
    if ahead is not None and ahead >= margin:
        return here
    loop, place = loop_ahead(transport), transport.grid.sample_at(here.beats)
    explicit = not at.word or at.bar is not None
    if explicit and (ahead is None) and place > transport.position_samples:
        return here  # behind the loop's end: it waits
    if explicit and loop is not None and loop.start <= place < loop.end:
        return Due(here.beats, True, transport.seek_id + 1)
    following = At("beat") if not at.word else At("bar") if at.bar is not None else at
    found = _next_place(following, transport, margin)
    return Due(found.beats, True, found.seek_id)


def _next_place(at: At, transport: Transport, margin: int) -> Due:
    """The first such beat at least `margin` ahead; an explicit one as it is."""
    grid, seek_id, loop = transport.grid, transport.seek_id, loop_ahead(transport)
    if not at.word or at.bar is not None:
        return Due(at.resolve(grid, transport.position_samples))
    begin = transport.position_samples + margin
    if loop is not None and begin >= loop.end:
        passes, into = divmod(begin - loop.end, loop.length)
        begin, seek_id = loop.start + into, seek_id + passes + 1
    beats = at.resolve(grid, begin)
    if loop is None or grid.sample_at(beats) < loop.end:
        return Due(beats, seek_id=seek_id)
    beats = at.resolve(grid, loop.start)  # in the next pass; without one there, the loop's start
    if grid.sample_at(beats) >= loop.end:
        beats = grid.beats_at(loop.start)
    return Due(beats, seek_id=seek_id + 1)


def _wrapped(transport: Transport, margin: int) -> Due:
    """The beat `margin` samples ahead of the host, through loop ends."""
    position, seek_id, loop = transport.position_samples + margin, transport.seek_id, loop_ahead(transport)
    if loop is not None and position >= loop.end:
        passes, into = divmod(position - loop.end, loop.length)
        position, seek_id = loop.start + into, seek_id + passes + 1
    return Due(transport.grid.beats_at(position), seek_id=seek_id)


def ahead_samples(due: Due, transport: Transport) -> int | None:
    """Samples until the host reaches a due beat; None if it will not without a jump.  [any]"""
    place, here = transport.grid.sample_at(due.beats), transport.position_samples
    loop = loop_ahead(transport)
    passes = max(0, due.seek_id - transport.seek_id)
    if loop is None:
        return place - here if place >= here else None
    if place >= here and not passes and place < loop.end:
        return place - here
    if not loop.start <= place < loop.end:
        return None
    return loop.end - here + (max(passes, 1) - 1) * loop.length + place - loop.start


def passes_ahead(due: Due, transport: Transport) -> int:
    """How often the host passes its loop's end before it reaches a due beat; 0 if it will not reach it.  [any]"""
    ahead, loop = ahead_samples(due, transport), loop_ahead(transport)
    if ahead is None or loop is None:
        return 0
    return max(0, (transport.position_samples + ahead - loop.start) // loop.length)


def advanced_samples(before: Transport, now: Transport) -> int | None:
    """Samples that the host advanced between two snapshots, through loop passes; None for a jump.  [any]"""
    if now.seek_id == before.seek_id:
        moved = now.position_samples - before.position_samples
        return moved if moved >= 0 else None
    loop, passes = loop_ahead(before), now.seek_id - before.seek_id
    if loop is None or passes < 0:
        return None
    into = now.position_samples - loop.start
    if not 0 <= into < PASS_SECONDS * now.sample_rate_hz:
        return None
    return loop.end - before.position_samples + (passes - 1) * loop.length + into
