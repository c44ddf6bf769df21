"""Calls that change what a lane plays, or ask how it is: one method per request of the message table.

Commands take `at`: 'now', 'beat', 'bar', 'bars 4', 'bar 12' or a beat. They return at once, with the beat from which
the change will be heard; `on_heard` is called when it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bridge.control import messages
from bridge.control.arguments import At, Message
from plugin_host.client import replies

When = At | float | str
OnHeard = Callable[[replies.CommandHeard], None]


class _Caller(Protocol):
    def call(self, message: Message, *values: object, on_heard: OnHeard | None = None) -> tuple[Any, ...]:
        """Any request of the table.  [main]"""


class LaneCalls:
    """What a client can tell and ask a lane; `call` does it."""

    def set(
        self: _Caller, lane: int, name: str, value: float, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.Set:
        """Set a parameter.  [main]"""
        return replies.Set(*self.call(messages.LANE_SET, lane, name, value, at, on_heard=on_heard))

    def get(self: _Caller, lane: int, name: str) -> replies.Parameter:
        """Read a parameter.  [main]"""
        return replies.Parameter(*self.call(messages.LANE_GET, lane, name))

    def prompt(
        self: _Caller, lane: int, text: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PlacedReply:
        """Set the prompt of a lane; empty for none.  [main]"""
        return replies.PlacedReply(*self.call(messages.LANE_PROMPT, lane, text, at, on_heard=on_heard))

    def preset(
        self: _Caller, lane: int, name: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PresetReply:
        """Lay a preset over a lane.  [main]"""
        return replies.PresetReply(*self.call(messages.LANE_PRESET, lane, name, at, on_heard=on_heard))

    def play(
        self: _Caller, lane: int, at: When = "now", bars: int = -1, past: bool = False, on_heard: OnHeard | None = None
    ) -> replies.Play:
        """Start the stream; bars 0: until stopped, -1: as the parameter says.

        `past`: the music lies there, also where the host is past that beat; what lies before the host is made first.
        [main]
        """
        return replies.Play(*self.call(messages.LANE_PLAY, lane, at, bars, int(past), on_heard=on_heard))

    def stop(self: _Caller, lane: int, at: When = "now", on_heard: OnHeard | None = None) -> float:
        """End the stream; the beat on which it ends.  [main]"""
        return float(self.call(messages.LANE_STOP, lane, at, on_heard=on_heard)[0])

    def mute(
        self: _Caller,
        lane: int,
        on: bool = True,
        at: When = "now",
        beats: float = 0.0,
        on_heard: OnHeard | None = None,
    ) -> replies.PlacedReply:
        """Silence a lane, or with `on` False let it be heard again, for so many `beats`; 0: until told otherwise.

        Its music goes on meanwhile.  [main]
        """
        return replies.PlacedReply(*self.call(messages.LANE_MUTE, lane, int(on), at, beats, on_heard=on_heard))

    def reseed(
        self: _Caller, lane: int, at: When = "now", seed: int = -1, on_heard: OnHeard | None = None
    ) -> replies.Reseed:
        """Go on with another seed, -1 for a new one, and everything else as it was.  [main]"""
        return replies.Reseed(*self.call(messages.LANE_RESEED, lane, at, seed, on_heard=on_heard))

    def clear_region(
        self: _Caller, lane: int, role: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PlacedReply:
        """Take a region off a lane.  [main]"""
        return replies.PlacedReply(*self.call(messages.REGION_CLEAR, lane, role, at, on_heard=on_heard))

    def cancel(self: _Caller, lane: int, which: int = 0) -> int:
        """Take back a scheduled command by its id, or with 0 all of the lane; how many there were.  [main]"""
        return int(self.call(messages.LANE_CANCEL, lane, which)[0])

    def scheduled(self: _Caller, lane: int) -> replies.Scheduled:
        """Which commands wait for their beat.  [main]"""
        return replies.Scheduled(*self.call(messages.LANE_SCHEDULED, lane))

    def lane_status(self: _Caller, lane: int) -> replies.LaneStatus:
        """How a lane is.  [main]"""
        return replies.LaneStatus(*self.call(messages.LANE_STATUS, lane))

    def lane_stats(self: _Caller, lane: int) -> replies.LaneStats:
        """What was measured on a lane.  [main]"""
        return replies.LaneStats(*self.call(messages.LANE_STATS, lane))

    def tap(self: _Caller, lane: int, downbeat: bool = False) -> replies.Tap:
        """A beat of a lane is now; the tempo that the taps so far say.  [any]"""
        return replies.Tap(*self.call(messages.TAP, lane, int(downbeat)))
