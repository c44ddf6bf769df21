"""What sounds in a jam, sample by sample: count-in, repeats; and what the session remembers of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.host.timeline import Timeline
from plugin_host.jam.deck import JamDeck, Repeat
from plugin_host.jam.first_loop import FirstLoop
from plugin_host.jam.jam_lanes import JamLanes
from plugin_host.jam.modes import make_mode
from plugin_host.jam.recording.recorder import JamRecorder
from plugin_host.jam.session import JamSession, Parts, count_in_samples
from plugin_host.jam.session_audio import STANDING, BlockQueue, JamMemory
from plugin_host.jam.state import Press
from plugin_host.jam.timing import JamTiming
from plugin_host.playback.processor import Processor

RATE = 48_000
GRID = Grid(RATE, 120.0)


def deck(count_in: tuple[int, ...] = (0,)) -> JamDeck:
    return JamDeck((Processor(RATE),), Timeline(GRID), BlockQueue(RATE, 2), count_in)


def rendered(deck: JamDeck, n: int, block: int = 300) -> Audio:
    out = np.zeros((n, 2), np.float32)
    for begin in range(0, n, block):
        part = out[begin : begin + block]
        captured = np.arange(deck.sample, deck.sample + len(part), dtype=np.float32)
        deck.render(np.stack([captured, captured], axis=1), part)
    return out


def test_the_timeline_begins_on_the_sample_where_the_count_in_ends() -> None:
    found = deck(count_in_samples(2, GRID))
    out = rendered(found, 60_000)
    assert np.flatnonzero(out[:, 0])[0] - 0 <= 1  # the first click, a sine from 0
    assert not out[2_000:24_000].any()
    assert out[24_000:24_010].any()
    assert not out[48_000:].any()
    blocks = found.block_queue.take()
    running = [block for block in blocks if block.position_samples != STANDING]
    assert (running[0].sample, running[0].position_samples) == (48_000, 0)
    assert found.timeline.now.position_samples == 12_000


def test_repeated_bars_begin_and_end_on_their_samples_whatever_the_blocks() -> None:
    music = np.linspace(0.1, 1.0, 1_000, dtype=np.float32)[:, None].repeat(2, axis=1)
    found = deck()
    found.repeats = (Repeat(700, 5_700, music),)
    out = rendered(found, 8_000, block=257)
    assert not out[:700].any()
    np.testing.assert_array_equal(out[940:5_700], music[(np.arange(940, 5_700) - 700) % 1_000])
    assert out[701].any()
    assert not out[5_940:].any()
    steps = np.abs(np.diff(out[:, 0]))
    assert np.delete(steps, np.arange(1_699, 5_700, 1_000)).max() < 0.03  # but for the music's own seam


def test_the_tape_has_what_was_captured_and_played_and_loses_no_block() -> None:
    found = deck()
    rendered(found, 5_000, block=331)
    blocks = found.block_queue.take()
    assert [block.sample for block in blocks] == list(np.cumsum([0] + [len(block.played) for block in blocks])[:-1])
    np.testing.assert_array_equal(np.concatenate([b.captured for b in blocks])[:, 0], np.arange(5_000))
    assert found.block_queue.take() == []
    assert found.block_queue.lost_samples == 0


def test_input_that_comes_a_round_trip_late_is_moved_back() -> None:
    memory = JamMemory(RATE, 1, round_trip_samples=100)
    heard = np.arange(1_000, dtype=np.float32)[:, None]
    memory.keep(heard[:640], np.zeros((700, 1), np.float32))
    memory.keep(heard[640:], np.ones((300, 1), np.float32))
    assert (memory.input_end, memory.end) == (900, 1_000)
    np.testing.assert_array_equal(memory.input(0, 950)[:, 0], [*range(100, 1_000), *[0] * 50])
    np.testing.assert_array_equal(memory.own(690, 710)[:, 0], [0] * 10 + [1] * 10)
    np.testing.assert_array_equal(memory.both(-5, 5)[:, 0], [0] * 5 + [100, 101, 102, 103, 104])


@pytest.mark.parametrize(
    ("seconds", "wish", "bars", "bpm"), [(8.0, None, 4, 120.0), (2.0, None, 1, 120.0), (8.0, 2, 2, 60.0)]
)
def test_the_first_loop_sets_the_tempo(seconds: float, wish: int | None, bars: int, bpm: float) -> None:
    found, mode = deck(()), make_mode("loop", None, JamTiming(0.5))
    first = FirstLoop(RATE, GRID.signature, wish)
    rendered(found, 1_000)
    assert first.press(Press("record", at_sample=700), found.timeline, mode).accepted
    rendered(found, int(seconds * RATE))
    reply = first.press(Press("record", at_sample=700 + int(seconds * RATE)), found.timeline, mode)
    assert reply.text == f"{bars} bar{'s' * (bars > 1)} at {bpm:.1f} bpm"
    assert mode.bars == bars
    rendered(found, 1_000)
    now = found.timeline.now
    assert (now.position_samples, now.tempo_bpm) == (found.sample - 700, bpm)
    assert now.grid.bar_start(bars) == int(seconds * RATE)


class Given:
    """An input filter that keeps what it is told was played."""

    last_played, leak_text = None, ""

    def __init__(self) -> None:
        self.played: list[Audio] = []

    def push(self, captured: Audio, played: Audio) -> Audio:
        self.played.append(played.copy())
        return captured


def test_clicks_are_taken_for_segues_own_sound_and_are_no_music_of_the_jam(tmp_path: Path) -> None:
    found, given = deck(count_in_samples(2, GRID)), Given()
    memory, timing = JamMemory(RATE, 2), JamTiming(0.2)
    recorder = JamRecorder(tmp_path / "jam", RATE, 2, waits=True)
    lanes = JamLanes((), 1, "melody", frozenset())
    session = JamSession(
        Parts(found, memory, given, lanes, recorder, timing, make_mode("trade", 4, timing)), threaded=False
    )
    out = rendered(found, 60_000)
    session.step()
    recorder.close()
    assert out[:48_000].any()
    np.testing.assert_array_equal(np.concatenate(given.played), out)
    assert not memory.own(0, 60_000).any()
