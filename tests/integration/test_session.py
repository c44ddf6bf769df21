"""The host's session if the engine hangs, dies, returns, or never starts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from engine_rig import Engine, wait_for
from session_rig import SessionRig

from bridge.control import messages
from bridge.errors import LaneInUse, SegmentMissing
from bridge.ring import shared_memory
from bridge.ring.reader import RingReader
from plugin_host.client.client import EngineClient
from plugin_host.playback.processor import BlockState

RATE = 48_000


@pytest.fixture
def rig(engine: Engine) -> Iterator[SessionRig]:
    made = SessionRig(engine)
    yield made
    made.close()


def test_engine_that_hangs_is_noticed_and_found_again(rig: SessionRig, engine: Engine) -> None:
    rig.play(0)
    rig.look_until(lambda: rig.processor.counters.played_samples > 2 * RATE)
    muted = rig.processor.counters.muted_samples  # a busy machine may be late with the very first sound
    ring = engine.segments()
    engine.process.send_signal(signal.SIGSTOP)
    try:
        rig.look_until(lambda: rig.session.lost)
        rig.look_until(lambda: rig.processor.state == BlockState.HOLDING)
    finally:
        engine.process.send_signal(signal.SIGCONT)
    rig.look_until(lambda: not rig.session.lost)
    assert rig.said("no sign of life")
    assert rig.said("only slow")
    assert engine.segments() == ring
    assert rig.processor.counters.muted_samples == muted


def test_host_that_loops_and_changes_its_tempo_while_the_engine_hangs_hears_no_hole(
    rig: SessionRig, engine: Engine
) -> None:
    rig.play(0)
    rig.look_until(lambda: rig.processor.counters.played_samples > 2 * RATE)
    muted = rig.processor.counters.muted_samples
    engine.process.send_signal(signal.SIGSTOP)
    try:
        rig.look_until(lambda: rig.processor.state == BlockState.HOLDING)
        now = rig.host.timeline.now
        bar = float(now.grid.bar_start_beats(now.grid.next_bar(now.position_samples)))
        rig.host.timeline.set_loop((bar, bar + 4.0))
        rig.look_until(lambda: rig.processor.counters.jumps >= 1)
        rig.host.timeline.set_tempo(200.0)
        rig.look_until(lambda: rig.processor.counters.jumps >= 2)
    finally:
        engine.process.send_signal(signal.SIGCONT)
    rejoins = rig.processor.counters.rejoins
    rig.look_until(lambda: rig.processor.counters.rejoins > rejoins and not rig.session.lost)
    assert rig.processor.counters.muted_samples == muted


def test_engine_on_the_same_port_takes_over(start_engine: Callable[..., Engine]) -> None:
    first = start_engine().wait_ready()
    rig = SessionRig(first)
    try:
        rig.play(40)
        rig.session.set("temperature", 1.25)
        rig.session.prompt("slow pads")
        rig.look_until(lambda: rig.processor.counters.played_samples > 2 * RATE)
        muted = rig.processor.counters.muted_samples
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        rig.look_until(lambda: rig.session.lost)
        held = rig.processor.counters.played_samples
        second = start_engine(port=first.port)
        rig.look_until(lambda: rig.said("engine back after"), 110)
        rig.look_until(lambda: rig.processor.counters.played_samples > held + RATE)
        assert rig.session.losses == 1
        assert not first.segments()
        assert len(second.segments()) == 1
        assert rig.processor.counters.muted_samples == muted
        references = rig.client.lane_status(rig.session.lane).references
        assert "continue" in references  # the music heard last, though there was no region
        assert rig.client.get(rig.session.lane, "temperature").value == 1.25
        assert rig.client.get(rig.session.lane, "seed").value == 1
    finally:
        rig.close()
    wait_for(lambda: not second.segments())


def test_host_comes_back_after_a_living_engine_freed_its_lane(rig: SessionRig, engine: Engine) -> None:
    """As after a host that was silent so long that its lane was freed: the same name, another ring."""
    rig.play(0)
    rig.look_until(lambda: rig.processor.counters.played_samples > RATE)
    ring = engine.segments()
    rig.client.call(messages.LANE_CLOSE, rig.session.lane)
    rig.look_until(lambda: rig.said("engine back after"))
    played = rig.processor.counters.played_samples
    rig.look_until(lambda: rig.processor.counters.played_samples > played + RATE)
    assert rig.said("was removed")
    assert engine.segments() == ring
    assert rig.session.losses == 1


def test_only_its_owner_closes_a_lane(rig: SessionRig, engine: Engine) -> None:
    with (
        EngineClient(engine.port, name="a patch") as stranger,
        pytest.raises(LaneInUse, match="only that one may close it"),
    ):
        stranger.close_lane(rig.session.lane)
    assert len(engine.segments()) == 1


def test_closed_session_gives_the_lane_back(rig: SessionRig, engine: Engine) -> None:
    (name,) = engine.segments()
    rig.runner.stop()
    rig.session.close()
    rig.session.close()
    wait_for(lambda: name not in shared_memory.existing())
    with pytest.raises(SegmentMissing, match=name):
        RingReader.attach(name)
