"""A host follows a leader: phase, tempo, jumps, loss and return; and the choice of the leader."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from rig import SimulatedHost, StubSource, follow

from bridge.time.units import Signature
from plugin_host.sync.clock_out import ClockMessage, ClockOut
from plugin_host.sync.host_time import HostTime
from plugin_host.sync.leader import Leader
from plugin_host.sync.midi_clock import MidiClock
from plugin_host.sync.reading import Reading

TICKS = 24


def steady(tempo_bpm: float, start: float = 1.0, signature: Signature | None = None) -> Callable[[float], Reading]:
    def says(now: float) -> Reading:
        return Reading(now, now >= start, max(now - start, 0) * tempo_bpm / 60, tempo_bpm, signature)

    return says


def errors_ms(host: SimulatedHost, beats_at: Callable[[float], float], tempo: float, until: float,
              step: Callable[[float, HostTime], None]) -> list[float]:  # fmt: skip
    found = []

    def measured(now: float, there: HostTime) -> None:
        step(now, there)
        found.append(1000 * (host.true_beats(now) - beats_at(now)) * 60 / tempo)

    host.until(until, measured)
    return sorted(abs(error) for error in found)


def test_host_stays_with_a_leader_whose_clock_runs_off() -> None:
    """Two minutes, with a card 80 parts in a million slow and callbacks up to 2 ms late."""
    source, host = StubSource(), SimulatedHost()
    source.says = steady(128.0)
    step = follow(host, Leader([source], lambda text: None))
    host.until(5.0, step)
    found = errors_ms(host, lambda now: (now - 1) * 128 / 60, 128, 120.0, step)
    assert found[int(0.95 * len(found))] < 5.0
    assert host.follower.jumps <= 3
    assert host.follower.tempo_changes < 40


def test_host_follows_a_midi_clock() -> None:
    """With 1 ms of jitter: phase within 5 ms, and again within a bar after a step of 20 bpm."""
    clock, host, spread = MidiClock(), SimulatedHost(), random.Random(5)
    due, tempo = 0.5, 120.0
    place: list[tuple[float, float]] = []
    clock.receive("start", 0, 0.4)
    leader = follow(host, Leader([clock], lambda text: None))

    def step(now: float, there: HostTime) -> None:
        nonlocal due
        while due <= now:
            place.append((due, len(place) / TICKS))
            clock.receive("clock", 0, due + abs(spread.gauss(0, 0.001)))
            due += 60 / tempo / TICKS
        leader(now, there)

    def theirs(now: float) -> float:
        return place[-1][1] + (now - place[-1][0]) * tempo / 60

    host.until(10.0, step)
    found = errors_ms(host, theirs, tempo, 40.0, step)
    assert found[int(0.95 * len(found))] < 6.0
    changes = host.follower.tempo_changes
    assert changes < 40
    tempo = 140.0
    host.until(40.0 + 4 * 60 / 140, step)
    assert host.timeline.now.tempo_bpm == pytest.approx(140, rel=0.02)
    host.until(46.0, step)
    found = errors_ms(host, theirs, tempo, 60.0, step)
    assert found[int(0.95 * len(found))] < 6.0


def test_start_jump_and_stop_are_followed() -> None:
    source, host = StubSource(), SimulatedHost()
    step = follow(host, Leader([source], lambda text: None))
    source.says = lambda now: Reading(now, False, 16.0, 93.7, Signature(7, 8))
    host.until(1.0, step)
    assert not host.timeline.now.playing
    assert host.timeline.now.position_beats == pytest.approx(16.0, abs=1e-4)
    assert (host.timeline.now.tempo_bpm, host.timeline.now.signature) == (93.7, Signature(7, 8))
    source.says = lambda now: Reading(now, True, 16 + (now - 1) * 93.7 / 60, 93.7, Signature(7, 8))
    host.until(3.0, step)
    assert host.true_beats(3.0) == pytest.approx(16 + 2 * 93.7 / 60, abs=0.01)
    source.says = lambda now: Reading(now, True, 128 + (now - 3) * 93.7 / 60, 93.7, Signature(7, 8))
    host.until(4.0, step)
    assert host.true_beats(4.0) == pytest.approx(128 + 93.7 / 60, abs=0.01)
    source.says = lambda now: Reading(now, False, 0.0, 93.7)
    host.until(4.5, step)
    assert not host.timeline.now.playing
    assert host.timeline.now.position_samples == 0


def test_loss_holds_and_return_rejoins() -> None:
    said: list[str] = []
    source, host = StubSource("MIDI clock"), SimulatedHost()
    lead = steady(126.0)
    source.says = lead
    step = follow(host, Leader([source], said.append))
    host.until(10.0, step)
    source.says = lambda now: None
    host.until(20.0, step)
    assert host.timeline.now.playing
    assert host.timeline.now.tempo_bpm == pytest.approx(126.0, rel=2e-4)  # the card's clock included
    assert abs(host.true_beats(20.0) - (lead(20.0).beats or 0)) < 0.02
    source.says = lead
    host.until(24.0, step)
    assert abs(host.true_beats(24.0) - (lead(24.0).beats or 0)) < 0.01
    assert [text.split(" at ")[0] for text in said] == ["following MIDI clock", "MIDI clock lost: going on",
                                                        "MIDI clock is back after 10.0 s"]  # fmt: skip


def test_best_speaking_source_leads() -> None:
    said: list[str] = []
    jack, midi, taps = StubSource("JACK"), StubSource("MIDI clock"), StubSource("taps")
    leader = Leader([jack, midi, taps], said.append)
    assert leader.reading(0.0) is None
    assert leader.current is None
    taps.says = steady(100.0)
    midi.says = steady(110.0)
    assert (leader.reading(1.0) or steady(0)(0)).tempo_bpm == 110
    jack.says = steady(120.0)
    assert (leader.reading(2.0) or steady(0)(0)).tempo_bpm == 120
    jack.says = lambda now: None
    assert leader.reading(3.0) is None
    assert leader.lost
    assert leader.reading(4.9) is None
    assert (leader.reading(5.1) or steady(0)(0)).tempo_bpm == 110
    jack.says = steady(120.0)
    assert (leader.reading(6.0) or steady(0)(0)).tempo_bpm == 120
    assert said[1] == "following JACK at 120.00 bpm"
    assert said[2].startswith("JACK lost: going on at 120.00 bpm")


# -- MIDI clock out -----------------------------------------------------------------------------------


def test_what_is_sent_out_leads_another_to_the_same_beat() -> None:
    """From one host's output to another's MIDI clock input: start, tempo change, jump to bar 33, stop, continue from
    the middle."""
    host, out, clock, kinds = SimulatedHost(), ClockOut(), MidiClock(), []
    waiting: list[ClockMessage] = []

    def step(now: float, there: HostTime) -> None:
        waiting.extend(out.plan(now, now + 0.025, there))
        while waiting and waiting[0].seconds <= now:
            message = waiting.pop(0)
            if message.kind != "clock":
                kinds.append((message.kind, message.value))
            clock.receive(message.kind, message.value, message.seconds)

    def apart_ms(now: float) -> float:
        reading = clock.reading(now)
        assert reading is not None
        return abs((reading.beats or 0) - host.true_beats(now)) * 60_000 / host.timeline.now.tempo_bpm

    host.until(2.0, step)
    host.timeline.play()
    host.until(8.0, step)
    assert apart_ms(8.0) < 3
    host.timeline.set_tempo(140.0)
    host.until(12.0, step)
    assert apart_ms(12.0) < 3
    host.timeline.locate(host.timeline.now.grid.bar_start(32))
    host.until(16.0, step)
    assert apart_ms(16.0) < 3
    host.timeline.stop()
    host.until(17.0, step)
    reading = clock.reading(17.0)
    assert reading is not None
    assert not reading.playing
    host.timeline.play()
    host.until(20.0, step)
    assert apart_ms(20.0) < 3
    assert [kind for kind, _ in kinds] == ["start", "stop", "songpos", "continue", "stop", "songpos", "continue"]
    assert kinds[2] == ("songpos", 512)
