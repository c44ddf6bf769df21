"""Calls that change or query a lane: one method per request of the message table.

Commands take `at`: 'now', 'beat', 'bar', 'bars 4', 'bar 12' or a beat. They return at once, with the beat from which
the change will be heard; `on_heard` is called when it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Requests about a lane; `call` sends them."""

    def set(
        self: _Caller, lane: int, name: str, value: float, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.Set:
        """Set a parameter.  [main]"""
        return replies.Set(*self.call(messages.LANE_SET, lane, name, value, at, on_heard=on_heard))

    def get(self: _Caller, lane: int, name: str) -> replies.ParameterReply:
        """Read a parameter.  [main]"""
        return replies.ParameterReply(*self.call(messages.LANE_GET, lane, name))

    def prompt(
        self: _Caller, lane: int, text: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PlacedReply:
        """Set the prompt of a lane; empty for none.  [main]"""
        return replies.PlacedReply(*self.call(messages.LANE_PROMPT, lane, text, at, on_heard=on_heard))

    def preset(
        self: _Caller, lane: int, name: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PresetReply:
        """Set all values of a preset.  [main]"""
        return replies.PresetReply(*self.call(messages.LANE_PRESET, lane, name, at, on_heard=on_heard))

    def slot(
        self: _Caller, lane: int, slot: int, text: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.Slot:
        """Set one of a lane's prompts, 1 to 8, to be mixed; empty for none.  [main]"""
        return replies.Slot(*self.call(messages.LANE_SLOT, lane, slot, text, at, on_heard=on_heard))

    def morph(
        self: _Caller,
        lane: int,
        weights: Sequence[float],
        beats: float = 0.0,
        at: When = "now",
        what: str = "prompts",
        on_heard: OnHeard | None = None,
    ) -> replies.Mix:
        """Set the weights of the prompts, or of the "styles"; they glide there in `beats`.  [main]"""
        return replies.Mix(*self.call(messages.LANE_MORPH, lane, what, beats, at, *weights, on_heard=on_heard))

    def surface(
        self: _Caller,
        lane: int,
        x: float,
        y: float,
        beats: float = 0.0,
        at: When = "now",
        what: str = "prompts",
        on_heard: OnHeard | None = None,
    ) -> replies.Mix:
        """Set the weights of the first four prompts, or of the "styles", by a point between corners.  [main]"""
        return replies.Mix(*self.call(messages.LANE_SURFACE, lane, x, y, beats, at, what, on_heard=on_heard))

    def recall(
        self: _Caller, lane: int, name: str, beats: float = 0.0, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PresetReply:
        """Set all values of a preset or scene, and glide to its prompts in `beats`.  [main]"""
        return replies.PresetReply(*self.call(messages.LANE_RECALL, lane, name, beats, at, on_heard=on_heard))

    def save_preset(self: _Caller, lane: int, name: str, description: str = "") -> str:
        """Save a lane's prompts, weights and parameters as a preset of the user's; returns the path.  [main]"""
        return str(self.call(messages.PRESET_SAVE, lane, name, description)[0])

    def preset_list(self: _Caller, first: int = 0) -> replies.PresetList:
        """The presets with their descriptions, from a number on.  [main]"""
        return replies.PresetList(*self.call(messages.PRESET_LIST, first))

    def play(
        self: _Caller, lane: int, at: When = "now", bars: int = -1, past: bool = False, on_heard: OnHeard | None = None
    ) -> replies.Play:
        """Start the stream; bars 0: until stopped, -1: the parameter `bars`.

        `past`: the music keeps this place even if the host is past it; the music before the host is made first.
        [main]
        """
        return replies.Play(*self.call(messages.LANE_PLAY, lane, at, bars, int(past), on_heard=on_heard))

    def stop(self: _Caller, lane: int, at: When = "now", on_heard: OnHeard | None = None) -> float:
        """End the stream; returns the beat on which it ends.  [main]"""
        return float(self.call(messages.LANE_STOP, lane, at, on_heard=on_heard)[0])

    def mute(
        self: _Caller,
        lane: int,
        on: bool = True,
        at: When = "now",
        beats: float = 0.0,
        on_heard: OnHeard | None = None,
    ) -> replies.PlacedReply:
        """Mute a lane, or unmute it with `on` False, for `beats`; 0: until the next mute command.

        Its music continues meanwhile.  [main]
        """
        return replies.PlacedReply(*self.call(messages.LANE_MUTE, lane, int(on), at, beats, on_heard=on_heard))

    def reseed(
        self: _Caller, lane: int, at: When = "now", seed: int = -1, on_heard: OnHeard | None = None
    ) -> replies.Reseed:
        """Continue with another seed, -1 for a new one, and the same settings.  [main]"""
        return replies.Reseed(*self.call(messages.LANE_RESEED, lane, at, seed, on_heard=on_heard))

    def clear_region(
        self: _Caller, lane: int, role: str, at: When = "now", on_heard: OnHeard | None = None
    ) -> replies.PlacedReply:
        """Remove a region from a lane.  [main]"""
        return replies.PlacedReply(*self.call(messages.REGION_CLEAR, lane, role, at, on_heard=on_heard))

    def cancel(self: _Caller, lane: int, which: int = 0) -> int:
        """Cancel a scheduled command by its id, or with 0 all of the lane; returns their number.  [main]"""
        return int(self.call(messages.LANE_CANCEL, lane, which)[0])

    def scheduled(self: _Caller, lane: int) -> replies.Scheduled:
        """The scheduled commands.  [main]"""
        return replies.Scheduled(*self.call(messages.LANE_SCHEDULED, lane))

    def ring(self: _Caller, lane: int) -> str:
        """The name of a lane's ring, for listeners on this machine.  [main]"""
        return str(self.call(messages.LANE_RING, lane)[0])

    def lane_status(self: _Caller, lane: int) -> replies.LaneStatus:
        """The state of a lane.  [main]"""
        return replies.LaneStatus(*self.call(messages.LANE_STATUS, lane))

    def lane_stats(self: _Caller, lane: int) -> replies.LaneStats:
        """The measurements of a lane.  [main]"""
        return replies.LaneStats(*self.call(messages.LANE_STATS, lane))

    def tokens(self: _Caller, lane: int, first: int = 0) -> replies.LaneTokens:
        """A part of the codes of a lane's music, from a frame on.  [main]"""
        return replies.LaneTokens(*self.call(messages.LANE_TOKENS, lane, first))

    def tap(self: _Caller, lane: int, downbeat: bool = False) -> replies.Tap:
        """Tap a beat of a lane; returns the tempo of the taps so far.  [any]"""
        return replies.Tap(*self.call(messages.TAP, lane, int(downbeat)))
