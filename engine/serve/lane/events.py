"""The events of a lane: one protocol, of which every lane gets an object when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bridge.control.clients import Client
    from bridge.time.units import Signature
    from engine.beat.analyse import RegionBeat
    from engine.serve.lane.lane import Lane


class LaneEvents(Protocol):
    """Receives the events of lanes, on the thread where they happen: each returns at once. All of it [any]."""

    def state_changed(self, lane: Lane, state: str, beats: float, text: str) -> None:
        """A lane is `state` from a beat on, or stays so with a new text."""

    def command_heard(self, lane: Lane, id: int, address: str, beats: float, seconds: float) -> None:
        """A command is heard, `seconds` after it arrived."""

    def guard_acted(self, lane: Lane, beats: float, what: str, done: str, sure: float) -> None:
        """The guard detected a fault, and `done` says what was done about it."""

    def beat_measured(self, lane: Lane, off_beats: float, off_ms: float, sure: float) -> None:
        """Made music was compared with the host's beat."""

    def excerpt_chosen(self, lane: Lane, start_seconds: float, seconds: float) -> None:
        """The model is conditioned on this part of the style region."""

    def region_found(self, lane: Lane, role: str, found: RegionBeat) -> None:
        """A region in use was analysed."""

    def blocks_late(self, lane: Lane, blocks: int) -> None:
        """The host got `blocks` more blocks too late to play."""

    def time_set(
        self, lane: Lane, sender: Client, playing: int, beats: float, bpm: float, signature: Signature
    ) -> None:
        """A client sent a time to a lane whose host writes the shared block itself; `playing` -1: only a tempo."""
