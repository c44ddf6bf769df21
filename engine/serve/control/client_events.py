"""Sends the events of lanes and models to all clients, as messages of the table."""

from __future__ import annotations

import threading

from bridge.control import messages
from bridge.control.clients import Client
from bridge.control.endpoint import Endpoint
from bridge.time.units import Signature
from engine.beat.analyse import RegionBeat
from engine.serve.control.region_analysis import found_values
from engine.serve.lane.lane import PLAYING, Lane
from engine.serve.screen import complain, say
from engine.serve.state import FAILED, EngineState

TEXT_MAX, NAME_MAX = 400, 300  # characters of an event's text and of a model's name
LATE_TEXT = "the engine falls behind; less load or a longer lead_seconds helps"


class ClientEvents:
    """The `LaneEvents` and `ModelEvents` of a server; sets `quit_engine` when the engine must end. All of it [any].

    Stateless: one event is one datagram to each client.
    """

    def __init__(self, endpoint: Endpoint, state: EngineState, quit_engine: threading.Event) -> None:
        self._endpoint, self._state, self._quit = endpoint, state, quit_engine

    # -- lanes ----------------------------------------------------------------------------------------

    def state_changed(self, lane: Lane, state: str, beats: float, text: str) -> None:
        """event/lane; the text says if no host plays the lane."""
        if state == PLAYING and not text and not lane.host_plays():
            text = lane.listener()
        self._endpoint.notify(messages.EVENT_LANE, lane.number, state, beats, text[:TEXT_MAX])

    def command_heard(self, lane: Lane, id: int, address: str, beats: float, seconds: float) -> None:
        """event/heard."""
        self._endpoint.notify(messages.EVENT_HEARD, lane.number, id, address, beats, seconds)

    def guard_acted(self, lane: Lane, beats: float, what: str, done: str, sure: float) -> None:
        """event/guard."""
        self._endpoint.notify(messages.EVENT_GUARD, lane.number, beats, what, done, sure)

    def beat_measured(self, lane: Lane, off_beats: float, off_ms: float, sure: float) -> None:
        """event/grid."""
        self._endpoint.notify(messages.EVENT_GRID, lane.number, off_beats, off_ms, sure)

    def excerpt_chosen(self, lane: Lane, start_seconds: float, seconds: float) -> None:
        """event/excerpt."""
        self._endpoint.notify(messages.EVENT_EXCERPT, lane.number, start_seconds, seconds)

    def region_found(self, lane: Lane, role: str, found: RegionBeat) -> None:
        """event/region."""
        self._endpoint.notify(messages.EVENT_REGION, lane.number, role, *found_values(found))

    def blocks_late(self, lane: Lane, blocks: int) -> None:
        """event/late."""
        self._endpoint.notify(messages.EVENT_LATE, lane.number, blocks, LATE_TEXT)

    def time_set(
        self, lane: Lane, sender: Client, playing: int, beats: float, bpm: float, signature: Signature
    ) -> None:
        """event/time, to all clients but the sender."""
        meter = signature.numerator, signature.denominator
        self._endpoint.notify(messages.EVENT_TIME, lane.number, playing, beats, bpm, *meter, but=sender)

    # -- models, takes and the engine -----------------------------------------------------------------

    def model_changed(self, state: str, model: str, text: str) -> None:
        """event/model; also on the screen, except progress."""
        self._endpoint.notify(messages.EVENT_MODEL, state, model[:NAME_MAX], text[:TEXT_MAX])
        if state != "loading":
            say(f"model {model}: {state}{', ' if text else ''}{text}")

    def engine_changed(self, state: str, text: str) -> None:
        """event/engine; a failed engine stays failed until it ends."""
        if self._state.change(state, text):
            self._endpoint.notify(messages.EVENT_ENGINE, state, text[:TEXT_MAX])

    def start_failed(self, text: str) -> None:
        """event/engine, and the engine ends."""
        complain(f"the model cannot be used: {text}")
        self.engine_changed(FAILED, text)
        self._quit.set()

    def take_made(self, order: int, name: str, path: str) -> None:
        """event/take."""
        self._endpoint.notify(messages.EVENT_TAKE, order, name, path)
