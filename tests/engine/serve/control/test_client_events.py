"""Events of lanes and models: each is one message that its row can pack, to every client."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from lane_rig import RecordedEvents, RigHost

from bridge.control import messages
from bridge.control.arguments import Message
from bridge.control.clients import Client
from bridge.time.units import Signature
from engine.beat.analyse import RegionBeat
from engine.serve.control.client_events import ClientEvents
from engine.serve.lane.events import LaneEvents
from engine.serve.state import FAILED, READY, EngineState

TELLER = Client("127.0.0.1", 5000)
OF_LANES = {
    "state_changed": (("ended", 8.0, "x" * 1000), messages.EVENT_LANE),
    "command_heard": ((7, "/root/lane/prompt", 4.0, 0.5), messages.EVENT_HEARD),
    "guard_acted": ((4.0, "silence", "again", 0.9), messages.EVENT_GUARD),
    "beat_measured": ((0.01, 5.0, 0.8), messages.EVENT_GRID),
    "excerpt_chosen": ((1.5, 3.0), messages.EVENT_EXCERPT),
    "region_found": (("style", RegionBeat()), messages.EVENT_REGION),
    "blocks_late": ((3,), messages.EVENT_LATE),
    "time_set": ((TELLER, 1, 4.0, 120.0, Signature(7, 8)), messages.EVENT_TIME),
}


class EventsRig:
    """Events into a list, each packed as it would be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, tuple[object, ...], Client | None]] = []
        self.state, self.quit = EngineState(name=READY), threading.Event()
        self.events = ClientEvents(SimpleNamespace(notify=self._notify), self.state, self.quit)  # type: ignore[arg-type]

    def _notify(self, event: Message, *values: object, but: Client | None = None) -> None:
        assert event.pack(*values)
        self.sent.append((event, values, but))


@pytest.fixture
def rig() -> EventsRig:
    return EventsRig()


@pytest.mark.parametrize("name", [name for name in vars(LaneEvents) if not name.startswith("_")])
def test_each_event_of_a_lane_is_one_message(rig: EventsRig, host: RigHost, name: str) -> None:
    values, event = OF_LANES[name]
    getattr(rig.events, name)(host.lane, *values)
    getattr(RecordedEvents(), name)(host.lane, *values)  # the tests' recorder has this event too
    assert [(sent, values[0]) for sent, values, _ in rig.sent] == [(event, host.lane.number)]
    assert rig.sent[0][2] == (TELLER if name == "time_set" else None)


def test_a_lane_that_plays_to_nobody_says_so(rig: EventsRig, host: RigHost) -> None:
    host.reader.close()  # its host has ended
    rig.events.state_changed(host.lane, "playing", 0.0, "")
    rig.events.state_changed(host.lane, "playing", 0.0, "goes on")
    assert [values[3] for _, values, _ in rig.sent] == [host.lane.listener(), "goes on"]
    assert "nobody listens" in host.lane.listener()


def test_an_engine_that_has_failed_stays_so(rig: EventsRig) -> None:
    rig.events.start_failed("no such model")
    assert rig.quit.is_set()
    rig.events.engine_changed(READY, "")
    assert (rig.state.now.name, rig.state.now.text) == (FAILED, "no such model")
    assert [values for _, values, _ in rig.sent] == [(FAILED, "no such model")]


def test_a_take_and_a_model_are_reported(rig: EventsRig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.events.take_made(3, "drums", "/tmp/drums.wav")
    rig.events.model_changed("loading", "small", "reading")
    rig.events.model_changed("ready", "small", "on cpu")
    assert [sent for sent, _, _ in rig.sent] == [messages.EVENT_TAKE, messages.EVENT_MODEL, messages.EVENT_MODEL]
    assert capsys.readouterr().out == "segue engine: model small: ready, on cpu\n"
