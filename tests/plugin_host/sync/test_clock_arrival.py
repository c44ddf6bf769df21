"""MIDI clock as programs and cables deliver it: pauses, bursts of an audio block, two cables, irregular ticks.

The position is always start or song position and the ticks counted since; every test compares it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plugin_host.sync.burst_line import BurstLine
from plugin_host.sync.clock_pattern import Arrival, pattern
from plugin_host.sync.line_filter import LineFilter
from plugin_host.sync.midi_clock import MidiClock

TICKS = 24
tempi = st.floats(60, 200)
quick = settings(max_examples=25, derandomize=True)


def tick_seconds(tempo_bpm: float) -> float:
    return 60 / tempo_bpm / TICKS


def play(clock: MidiClock, events: Iterable[tuple[float, str]]) -> float:
    """Deliver events in the order of their instants; returns the last one."""
    seconds = 0.0
    for seconds, kind in sorted(events, key=lambda event: event[0]):
        clock.receive(kind, 0, seconds)
    return seconds


def ticks(clock: MidiClock, n: int, tempo_bpm: float, start: float, late: float = 0.0) -> float:
    """n ticks, the first at `start`; returns when the next one is due."""
    rng = random.Random(n)
    for i in range(n):
        clock.receive("clock", 0, start + i * tick_seconds(tempo_bpm) + late * rng.random())
    return start + n * tick_seconds(tempo_bpm)


def bursts(n: int, tempo_bpm: float, block: float, start: float = 0.0) -> list[float]:
    """Ticks that arrive with the next block."""
    return [math.ceil((start + i * tick_seconds(tempo_bpm)) / block - 1e-9) * block for i in range(n)]


def beats(clock: MidiClock, seconds: float) -> float:
    reading = clock.reading(seconds)
    assert reading is not None
    assert reading.beats is not None
    return reading.beats


# -- position ----------------------------------------------------------------------------------------------


@quick
@given(tempi, tempi, st.floats(0.05, 12), st.sampled_from((0.0, 0.001)))
def test_after_stop_silence_and_start_the_place_is_what_was_counted(
    before: float, after: float, silence: float, late: float
) -> None:
    clock = MidiClock()
    clock.receive("start", 0, -0.001)
    now = ticks(clock, 240, before, 0.0, late)
    clock.receive("stop", 0, now - 0.001)
    now += silence
    clock.receive("start", 0, now - 0.001)
    last = ticks(clock, 4 * TICKS + 1, after, now, late) - tick_seconds(after)
    reading = clock.reading(last)
    assert reading is not None
    assert reading.tempo_bpm == pytest.approx(after, rel=0.01)
    assert reading.beats == pytest.approx(4.0, abs=0.1 / TICKS + 1.2 * late * after / 60)


@quick
@given(st.lists(st.tuples(st.integers(1, 200), st.floats(0.01, 0.99), st.booleans()), min_size=1, max_size=12), tempi)
def test_continue_goes_on_at_the_tick_after_the_last(pauses: list[tuple[int, float, bool]], tempo: float) -> None:
    clock, counted = MidiClock(), 0
    now = ticks(clock, 100, tempo, 0.0)
    clock.receive("start", 0, now - 0.001)
    for n, phase, runs_on in pauses:
        now = ticks(clock, n, tempo, now)
        counted += n
        clock.receive("stop", 0, now - tick_seconds(tempo) * (1 - phase))
        assert beats(clock, now) == pytest.approx(counted / TICKS, abs=1e-6)
        now = ticks(clock, 37, tempo, now) if runs_on else now + 3.3
        clock.receive("continue", 0, now - 0.001)
    now = ticks(clock, 10, tempo, now)
    assert beats(clock, now - tick_seconds(tempo)) == pytest.approx((counted + 9) / TICKS, abs=0.002)


COMMANDS = st.one_of(
    st.tuples(st.just("ticks"), st.integers(1, 60)),
    st.tuples(st.sampled_from(("start", "stop", "continue")), st.just(0)),
    st.tuples(st.just("songpos"), st.integers(0, 16383)),
    st.tuples(st.just("tempo"), st.integers(60, 200)),
    st.tuples(st.just("silence"), st.integers(1, 8)),
)


@settings(max_examples=60, derandomize=True)
@given(st.lists(COMMANDS, max_size=30))
def test_any_sequence_of_messages_leads_to_the_place_that_was_counted(commands: list[tuple[str, int]]) -> None:
    """Start twice, no stop, song positions while it plays or stands, silences and other tempos while it stands."""
    clock, tempo, now = MidiClock(), 120.0, 0.0
    now = ticks(clock, 60, tempo, now)
    place, playing, begins = 0, False, False  # position of the next tick
    for kind, value in commands:
        if kind == "ticks":
            now = ticks(clock, value, tempo, now)
            playing, begins = playing or begins, False
            place += value if playing else 0
        elif kind == "tempo":
            tempo = tempo if playing else float(value)
        elif kind == "silence":
            now += 0 if playing else value
        else:
            clock.receive(kind, value, now - 0.0005)
            now += 0.0 if kind == "stop" else 2 * tick_seconds(tempo) if not playing else 0.0
            place = {"start": 0, "songpos": 6 * value}.get(kind, place)
            begins = kind in ("start", "continue") or (begins and kind == "songpos")
            begins, playing = (playing or begins, False) if kind in ("start", "songpos") else (begins, playing)
            if kind == "continue":
                begins = begins and not playing
            if kind == "stop":
                begins = playing = False
        now += 0.04 if not (playing or begins or kind == "ticks") else 0.0  # not a copy of the one before
    now = ticks(clock, 49, tempo, now)
    place += 49 if playing or begins else 0
    reading = clock.reading(now - tick_seconds(tempo))
    assert reading is not None
    assert reading.playing == (playing or begins)
    assert reading.beats == pytest.approx((place - reading.playing) / TICKS, abs=0.01)


def test_a_clock_that_stood_without_a_stop_goes_on_where_it_was_and_says_so() -> None:
    said: list[str] = []
    clock = MidiClock(say=said.append)
    clock.receive("start", 0, -0.001)
    now = ticks(clock, 240, 120.0, 0.0)
    assert clock.reading(now + 3.0) is None
    now = ticks(clock, 25, 120.0, now + 3.0075)
    assert beats(clock, now - tick_seconds(120)) == pytest.approx(11.0, abs=0.001)
    assert "stood still without a stop" in said[-1]


# -- bursts ---------------------------------------------------------------------------------------------

BLOCKS = [n / rate for n in (64, 128, 256, 512, 1024, 2048) for rate in (44_100, 48_000, 96_000)]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("tempo", [60.0, 117.19, 120.0, 128.0])
def test_bursts_are_followed_at_their_mean(tempo: float, block: float) -> None:
    said: list[str] = []
    clock, n = MidiClock(say=said.append), 14 * TICKS
    clock.receive("start", 0, -0.0001)
    wrong = 0
    for i, came in enumerate(bursts(n, tempo, block)):
        clock.receive("clock", 0, came)
        reading = clock.reading(came + 0.001)
        wrong += reading is not None and i > 8 * TICKS and abs(reading.tempo_bpm / tempo - 1) > 0.005
    assert wrong == 0
    late = (clock.reading(came + 0.001) or reading).beats - (came + 0.001) * tempo / 60  # type: ignore[operator,union-attr]
    assert abs(late) * 60 / tempo < block + 0.002
    assert said or block < 0.004 or clock.ticks.pattern.arrival is Arrival.EVEN
    assert all("bursts" in each for each in said)


@quick
@given(tempi, st.sampled_from(BLOCKS), st.sampled_from((0.0, 0.0003)))
@example(132.0, 0.0006666666666666666, 0.0003)  # 132 to 89 bpm: the first long gap looks like a lost tick
@example(116.0, 0.0013333333333333333, 0.0003)
@example(124.0, 0.0006666666666666666, 0.0003)
def test_bursts_at_any_tempo_and_then_another_one(tempo: float, block: float, late: float) -> None:
    other, rng = 60 + (tempo + 37) % 140, random.Random(1)
    came = bursts(12 * TICKS, tempo, block)
    came += bursts(12 * TICKS + 1, other, block, 12 * TICKS * tick_seconds(tempo))
    clock = MidiClock()
    clock.receive("start", 0, -0.0001)
    for each in came:
        clock.receive("clock", 0, each + late * rng.random())
    reading = clock.reading(came[-1] + late)
    assert reading is not None
    assert reading.tempo_bpm == pytest.approx(other, rel=0.01)
    assert abs(reading.beats - 24) * 60 / other < 1.2 * block + 0.003  # type: ignore[operator]


def test_a_tempo_between_two_blocks_is_not_taken_for_the_blocks() -> None:
    """120 bpm in blocks of 512 samples at 48 kHz: 117.19 for twenty ticks, then a gap of half the time."""
    came = bursts(49, 120.0, 512 / 48_000)
    assert pattern(came).arrival is Arrival.BURSTS
    assert pattern([each * 1.0003 for each in came]).seconds == pytest.approx(512 / 48_000, rel=0.01)
    line = BurstLine(came, 512 / 24_000, 512 / 48_000)
    assert line.step_seconds == pytest.approx(tick_seconds(120), rel=0.005)


@settings(max_examples=60, derandomize=True)
@given(tempi, st.sampled_from((0.0, 0.0003, 0.001, 0.002)), st.sampled_from((0.0, 0.02)), st.integers(0, 1 << 30))
def test_jitter_lost_and_doubled_ticks_are_no_bursts_and_no_copies(
    tempo: float, jitter: float, share: float, seed: int
) -> None:
    rng, came = random.Random(seed), []
    for i in range(300):
        at = i * tick_seconds(tempo) + rng.gauss(0, jitter)
        came += [at] * (rng.random() > share) + [at + 0.0005] * (rng.random() < share)
    assert pattern(sorted(came)).arrival is Arrival.EVEN


# -- two cables -----------------------------------------------------------------------------------------


def over_two_cables(n: int, tempo: float, behind: float, second: range, jitter: float) -> list[tuple[float, str]]:
    rng, step = random.Random(3), tick_seconds(tempo)
    first = [(i * step + jitter * rng.random(), "clock") for i in range(n)]
    return first + [(i * step + behind + jitter * rng.random(), "clock") for i in range(n) if i in second]


@settings(max_examples=60, derandomize=True)
@given(st.floats(60, 180), st.floats(0, 0.38), st.sampled_from((0.0, 0.0003)), st.sampled_from(("both", "in", "out")))
def test_two_cables_do_not_double_the_tempo(tempo: float, part: float, jitter: float, when: str) -> None:
    """The second cable is present throughout, plugged in after six beats, or unplugged then."""
    said: list[str] = []
    behind, n = min(part * tick_seconds(tempo), 0.012), 16 * TICKS
    second = {"both": range(n), "in": range(6 * TICKS, n), "out": range(6 * TICKS)}[when]
    clock = MidiClock(say=said.append)
    starts = [(-0.0015, "start"), (-0.0015 + behind, "start")][: 1 if when == "in" else 2]
    last = play(clock, [*over_two_cables(n, tempo, behind, second, jitter), *starts])
    reading = clock.reading(last)
    assert reading is not None
    assert reading.tempo_bpm == pytest.approx(tempo, rel=0.01)
    assert reading.beats == pytest.approx(last * tempo / 60, abs=(behind + jitter + 0.001) * tempo / 60)
    if when != "out":
        assert "twice" in said[-1]
        assert "Disconnect one" in said[-1]


@pytest.mark.parametrize("behind", [0.0, 0.002, 0.004, 0.008])
def test_messages_that_come_twice_count_once(behind: float) -> None:
    """The second cable's start, stop, song position and continue come after the first tick of the first cable."""
    clock, step = MidiClock(), tick_seconds(120)
    ticks(clock, 60, 120.0, -60 * step)
    events = [(i * step, "clock") for i in range(97)] + [(0.0, "start"), (behind + 0.0005, "start")]
    play(clock, sorted(events, key=lambda event: (event[0], event[1] != "start")))
    assert beats(clock, 96 * step) == pytest.approx(4.0, abs=0.001)
    again = 97 * step - 0.001
    for late in (0.0, behind):
        clock.receive("stop", 0, again + late)
        clock.receive("songpos", 64, again + late)
        clock.receive("continue", 0, again + late)
        if not late and behind > 0.001:
            clock.receive("clock", 0, 97 * step)
    ticks(clock, 24 if behind > 0.001 else 25, 120.0, (98 if behind > 0.001 else 97) * step)
    assert beats(clock, 121 * step) == pytest.approx(17.0, abs=0.001)


# -- irregular -------------------------------------------------------------------------------------------


def test_ticks_in_no_order_are_followed_at_their_mean_and_called_unsteady() -> None:
    said: list[str] = []
    clock, rng = MidiClock(say=said.append), random.Random(2)
    came = sorted(i * tick_seconds(110) + 0.03 * rng.random() for i in range(24 * TICKS))
    clock.receive("start", 0, came[0] - 0.001)
    for each in came:
        clock.receive("clock", 0, each)
        reading = clock.reading(each)
    assert reading is not None
    assert reading.tempo_bpm == pytest.approx(110, rel=0.01)
    assert reading.beats == pytest.approx(24, abs=0.08)
    assert "unsteady" in said[-1]


def test_a_clock_without_a_tempo_is_not_followed_and_that_is_said() -> None:
    said: list[str] = []
    clock = MidiClock(say=said.append)
    for i in range(40):
        clock.receive("clock", 0, 0.3 * i)  # 8.3 bpm
        assert clock.reading(0.3 * i + 0.01) is None
    assert said == [next(each for each in said if "no tempo" in each)]


@pytest.mark.parametrize("slip", [-0.0015, 0.0015, 0.006])
def test_a_slip_moves_the_line_and_leaves_its_tempo(slip: float) -> None:
    """A steady clock whose ticks all come a little later from one tick on."""
    step = tick_seconds(120)
    line, off = LineFilter(0.0, step), 0.0
    for i in range(1, 400):
        line.see(i * step + (slip if i > 200 else 0.0))
        off = max(off, abs(line.step_seconds / step - 1))
    assert off < 0.005
    assert abs(line.missed(400 * step + slip)) < 0.0002
