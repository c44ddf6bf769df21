"""A stream fails inside a running engine: its lane recovers, and all clients get events. Closed lanes leave no memory.

The engine runs in its own process, with a step that raises an out-of-memory error while a file exists.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_rig import Engine, wait_for
from session_rig import SessionRig

from bridge.control import messages
from bridge.ring.reader import RingReader
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from engine.serve.control.server import Server
from engine.serve.lane.controller import LaneController
from engine.serve.lane.lane import Lane
from engine.serve.lane_settings import ReferenceAudio
from engine.serve.options import parse
from engine.serve.render.stream_renderer import StreamRenderer
from engine.stream import TokenStream
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import free_port
from plugin_host.client.udp_connection import Event

RATE = 48_000
OF_LANES = (Lane, LaneController, StreamRenderer, TokenStream, ReferenceAudio, RingWriter, Segment)

NO_MEMORY = """
import sys
from pathlib import Path
from engine.serve.control import server
from engine.stream.tokens import TokenStream

read_piece, fault = TokenStream.read_piece, Path({fault!r})

def read(stream):
    if fault.exists():
        raise MemoryError("no room for a step")
    return read_piece(stream)

TokenStream.read_piece = read
sys.exit(server.main(sys.argv[1:]))
"""


def test_a_lane_without_memory_plays_on_when_there_is_some(start_engine: Callable[..., Engine], tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    engine = start_engine(program=("-c", NO_MEMORY.format(fault=str(fault)))).wait_ready()
    events: list[tuple[str, str]] = []

    def on_event(event: Event) -> None:
        if event.message is messages.EVENT_LANE and event.values["text"]:
            events.append((str(event.values["state"]), str(event.values["text"])))

    rig = SessionRig(engine)
    with EngineClient(engine.port, on_event=on_event) as other:
        try:
            rig.play(0)
            wait_for(lambda: other.lane_status(rig.session.lane).state == "playing")
            fault.touch()
            wait_for(lambda: any(state == "preparing" and "no room for a step" in text for state, text in events))
            rig.look_until(lambda: rig.processor.counters.underruns)  # the made music is played, then the bar is held
            status = other.lane_status(rig.session.lane)
            assert status.state == "preparing"
            assert "tried again from the next bar" in status.fault
            fault.unlink()
            wait_for(lambda: any(text.startswith("plays again") for _, text in events))
            before = rig.processor.counters.played_samples
            rig.look_until(lambda: rig.processor.counters.played_samples > before)
        finally:
            rig.close()
    assert engine.process.poll() is None


@pytest.fixture
def server(tiny_model: list[str]) -> Iterator[Server]:
    """An engine in this process, so that its objects can be counted."""
    made = Server(parse([*tiny_model, "--port", str(free_port())]))
    for part in (made.endpoint, made.lane_handlers.regions, made._generate, made._pulse, made.loader.thread):
        part.start()
    made._begin()
    wait_for(lambda: made.state.now.name == "ready", 60)
    yield made
    made._stop()


@pytest.fixture
def heap(server: Server) -> Iterator[None]:
    """What is there before the test is set aside: other tests of this process may have left some, and it is much."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive() -> Counter[type]:
    """Objects of lanes and tensors that were made in this test and are still referenced."""
    gc.collect()
    return Counter(type(each) for each in gc.get_objects() if type(each) in (*OF_LANES, torch.Tensor))


def freed() -> bool:
    """Whether there are no objects of lanes."""
    now = alive()
    return not any(now[kind] for kind in OF_LANES)


@pytest.mark.usefixtures("heap")
def test_lanes_that_played_leave_nothing_in_the_engine(server: Server) -> None:
    noise = np.random.default_rng(1).standard_normal((RATE, 2)).astype(np.float32) / 8
    counted: list[Counter[type]] = []
    with EngineClient(server.endpoint.port) as client:
        for _ in range(3):
            for _ in range(2):
                opened = client.open_lane(-1, RATE, 2)
                reader = RingReader.attach(opened.ring)
                reader.publish(Transport(True, 0, Grid(RATE, 120.0)), 0, 256)
                client.region_audio(opened.lane, "continue", noise, RATE, 120.0, 0.0)
                client.set(opened.lane, "temperature", 0.9)
                client.play(opened.lane, "now", 0)
                client.close_lane(opened.lane)
                reader.close()
                del reader
            wait_for(freed, 100)  # the answer comes first
            counted.append(alive())
    assert counted[-1][torch.Tensor] == counted[-2][torch.Tensor]
