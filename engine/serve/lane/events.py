"""What lanes tell as it happens: one protocol, of which every lane is handed an object when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bridge.control.clients import Client
    from bridge.time.units import Signature
    from engine.beat.analyse import RegionBeat
    from engine.serve.lane.lane import Lane


class LaneEvents(Protocol):
    """Who hears of lanes. Told on the thread that finds it out, so each returns at once. All of it [any]."""

    def state_changed(self, lane: Lane, state: str, beats: float, text: str) -> None:
        """A lane is `state` from a beat on, or stays so and there is something to say of it."""

    def command_heard(self, lane: Lane, id: int, address: str, beats: float, seconds: float) -> None:
        """The host has come to where a command is heard, so long after it arrived."""

    def guard_acted(self, lane: Lane, beats: float, what: str, done: str, sure: float) -> None:
        """The guard heard a fault, and this was done about it."""

    def beat_measured(self, lane: Lane, off_beats: float, off_ms: float, sure: float) -> None:
        """Made music is so far off the host's beat."""

    def excerpt_chosen(self, lane: Lane, start_seconds: float, seconds: float) -> None:
        """The model follows this part of the style region."""

    def region_found(self, lane: Lane, role: str, found: RegionBeat) -> None:
        """A region that is in place was listened to."""

    def blocks_late(self, lane: Lane, blocks: int) -> None:
        """The host got so many more blocks too late to play."""

    def time_told(
        self, lane: Lane, teller: Client, playing: int, beats: float, bpm: float, signature: Signature
    ) -> None:
        """A client said a time to a lane whose host writes the shared block itself; `playing` -1: a tempo alone."""
