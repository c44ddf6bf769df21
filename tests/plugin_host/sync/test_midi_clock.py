"""MIDI clock over cables: jitter, lost and doubled ticks, tempo steps, interruptions, song position."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import pytest

from plugin_host.sync.clock_ticks import ClockTicks
from plugin_host.sync.midi_clock import MidiClock

BEAT_TICKS = 24


def instants(tempo_bpm: float, ticks: int, start: float = 0.0) -> list[float]:
    """When ticks are due, the first one a tick after `start`."""
    return [start + 60 / tempo_bpm / BEAT_TICKS * (n + 1) for n in range(ticks)]


def late(due: list[float], jitter: float, seed: int = 1) -> Iterator[tuple[float, float]]:
    """(due, arrived), in order."""
    spread = random.Random(seed)
    came = sorted(each + spread.gauss(0, jitter) for each in due)
    return zip(due, came, strict=True)


def p95(values: list[float]) -> float:
    return sorted(abs(value) for value in values)[int(0.95 * len(values))]


@pytest.mark.parametrize(("jitter_ms", "bpm_p95", "phase_ms"), [(0.0, 0.001, 0.01), (1.0, 0.08, 0.5), (3.0, 0.25, 1.6)])
@pytest.mark.parametrize("tempo", [20.0, 93.7, 174.0])
def test_jitter_is_filtered(tempo: float, jitter_ms: float, bpm_p95: float, phase_ms: float) -> None:
    ticks, off, phase = ClockTicks(), [], []
    for n, (due, came) in enumerate(late(instants(tempo, 24 * 4 * 40), jitter_ms / 1000)):
        ticks.tick(came)
        if n > 24 * 8:
            off.append((ticks.tempo_bpm or 0) - tempo)
            phase.append(1000 * (ticks.ticks_at(due) - n - 1) * 60 / tempo / BEAT_TICKS)
    assert p95(off) < bpm_p95 * max(1, tempo / 120) ** 1.5
    assert p95(phase) < phase_ms
    assert ticks.lost == ticks.doubled == ticks.restarts == 0


@pytest.mark.parametrize(
    ("before", "after", "jitters_ms"),
    [
        (120, 140, (0.3, 1.0, 2.0)), (120, 100, (0.3, 1.0, 2.0)), (60, 80, (0.3, 1.0, 2.0)), (174, 154, (0.3, 1.0)),
        (70, 140, (0.3, 1.0)), (140, 70, (0.3, 1.0)), (120, 300, (0.3,)), (300, 90, (0.3, 1.0)),
    ],
)  # fmt: skip
def test_step_of_tempo_is_found_within_a_bar(before: float, after: float, jitters_ms: tuple[float, ...]) -> None:
    for seed, jitter_ms in product(range(5), jitters_ms):
        ticks = ClockTicks()
        due = instants(before, 24 * 32)
        due += instants(after, 24 * 4, due[-1])
        for _, came in late(due, jitter_ms / 1000, seed):
            ticks.tick(came)
        assert abs((ticks.tempo_bpm or 0) - after) < 0.01 * after
        assert ticks.ticks == 24 * 36  # no tick was miscounted, so the beat is still right
        assert abs(ticks.ticks_at(due[-1]) - 24 * 36) < 0.2


def test_ramp_is_followed() -> None:
    ticks, now, off = ClockTicks(), 0.0, []
    spread = random.Random(3)
    for n in range(24 * 4 * 16):
        tempo = 120 + 40 * min(max(n - 24 * 16, 0) / (24 * 32), 1)
        now += 60 / tempo / BEAT_TICKS
        ticks.tick(now + spread.gauss(0, 0.001))
        off.append(ticks.ticks_at(now) - n - 1)
    assert p95(off) < 0.15  # of a tick: 3 ms
    assert ticks.lost == ticks.doubled == 0


@pytest.mark.parametrize("seed", range(4))
def test_lost_and_doubled_ticks_do_not_move_the_beat(seed: int) -> None:
    ticks, rng = ClockTicks(), random.Random(seed)
    due = instants(128, 24 * 200)
    for n, (_, came) in enumerate(late(due, 0.001, seed)):
        if n == 0 or rng.random() > 0.02:
            ticks.tick(came)
            if rng.random() < 0.02:
                ticks.tick(came + 0.0005)
    ticks.tick(due[-1] + 60 / 128 / BEAT_TICKS)
    assert ticks.ticks == 24 * 200 + 1
    assert abs((ticks.tempo_bpm or 0) - 128) < 0.5
    assert ticks.lost > 50
    assert ticks.doubled > 50


def test_two_clocks_on_one_cable_are_one() -> None:
    ticks = ClockTicks()
    for due in instants(120, 24 * 8):
        ticks.tick(due)
        ticks.tick(due + 0.002)
    assert abs((ticks.tempo_bpm or 0) - 120) < 1
    assert abs(ticks.ticks - 24 * 8) <= 1


def test_drop_out_holds_and_rejoins_on_the_beat() -> None:
    clock = MidiClock()
    clock.receive("start", 0, 0.0)
    due = instants(120, 24 * 60)
    for each in due[: 24 * 20]:
        clock.receive("clock", 0, each)
    held = clock.reading(due[24 * 20] + 0.3)
    assert held is not None
    assert held.tempo_bpm == pytest.approx(120, abs=0.01)
    assert clock.reading(due[24 * 20] + 1.0) is None
    for each in due[24 * 30 :]:
        clock.receive("clock", 0, each)
    back = clock.reading(due[-1])
    assert back is not None
    assert back.beats == pytest.approx(60 - 1 / 24, abs=0.001)


def test_start_stop_continue_and_song_position() -> None:
    clock = MidiClock()
    due = instants(125, 400)
    for each in due[:100]:
        clock.receive("clock", 0, each)  # continues while the song stands
    assert (still := clock.reading(due[99])) is not None
    assert not still.playing
    clock.receive("start", 0, due[99] + 0.001)
    assert not (clock.reading(due[99]) or still).playing  # from the next tick on
    for each in due[100:149]:
        clock.receive("clock", 0, each)
    playing = clock.reading(due[148])
    assert playing is not None
    assert playing.playing
    assert playing.beats == pytest.approx(2.0, abs=1e-4)
    clock.receive("stop", 0, due[148])
    stopped = clock.reading(due[148] + 0.1)
    assert stopped is not None
    assert not stopped.playing
    assert stopped.beats == pytest.approx(49 / 24, abs=1e-4)  # ticks counted: the position of continue
    clock.receive("songpos", 64, due[149])
    clock.receive("continue", 0, due[149])
    for each in due[149:174]:
        clock.receive("clock", 0, each)
    there = clock.reading(due[173])
    assert there is not None
    assert there.beats == pytest.approx(17.0, abs=1e-4)
    clock.receive("songpos", 0, due[173])  # while it plays: a jump with the next tick
    clock.receive("clock", 0, due[174])
    jumped = clock.reading(due[174])
    assert jumped is not None
    assert jumped.playing
    assert jumped.beats == pytest.approx(0.0, abs=1e-4)


def test_notes_are_handed_on_and_closing_twice_is_allowed() -> None:
    received, closed = [], []
    clock = MidiClock(lambda note, seconds: received.append((note, seconds)))
    clock.on_close(lambda: closed.append(1))
    clock.receive("note_on", 37, 1.5)
    assert received == [(37, 1.5)]
    assert clock.reading(2.0) is None
    clock.close()
    clock.close()
    assert closed == [1]
