"""What a host's processor played live is heard again from the journal: late music, held bars, jumps, loops, stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lane_rig import BLOCK, NOW, RATE, HandClock, RigHost, make_model

from bridge.control.arguments import At
from bridge.ring.reader import RingReader
from bridge.time.transport import Transport
from engine.serve.journal.writer import JournalWriter, read_journal
from engine.serve.lane.command import Command
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.replay.lane import PlayedLane
from plugin_host.playback.processor import Processor
from plugin_host.render.heard import HeardHost
from plugin_host.render.journal import read_lane

HALF = 94 * BLOCK  # half a second


class LiveHost(RigHost):
    """A host with a processor; the engine gets a turn after every `every` blocks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(GenerateLoop(make_model(), HandClock()))
        self.lane.ring.record_in(JournalWriter(folder))
        self.processor = Processor(RATE, 2)
        self.processor.offer(self.reader)
        self.parts: list[np.ndarray] = []
        self.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7).with_value("lead_seconds", 0.5))
        self.stand()
        self.play()
        for _ in range(40):
            self.generate_loop.turn()

    def stand(self, n_blocks: int = 4) -> None:
        self.transport = replace(self.transport, playing=False)
        for _ in range(n_blocks):
            self.processor.process(np.zeros((BLOCK, 2), np.float32), self.transport)
            self.clock.seconds += BLOCK / RATE
            self.generate_loop.turn()

    def roll(self, n_samples: int, every: int = 4) -> None:
        self.transport = replace(self.transport, playing=True)
        done = 0
        while done < n_samples:
            loop, n = self.transport.loop_beats, min(BLOCK, n_samples - done)
            begin, end = (-1, 1 << 60) if loop is None else map(self.transport.grid.sample_at, loop)
            n = min(n, end - self.transport.position_samples)
            out = np.zeros((n, 2), np.float32)
            self.processor.process(out, self.transport)
            self.parts.append(out)
            self.clock.seconds += n / RATE
            done += n
            self.transport = self.transport.advanced(n)
            if self.transport.position_samples == end:
                self.transport = replace(self.transport, position_samples=begin)
            if len(self.parts) % every == 0:
                self.generate_loop.turn()

    def command(self, update: Callable, at: At = NOW) -> None:
        command = Command(at, 1, "test", update, arrived_seconds=self.clock.now_seconds())
        self.lane.submit(command) if at == NOW else self.lane.controller.change(command)

    @property
    def heard(self) -> np.ndarray:
        return np.concatenate(self.parts)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHost]:
    host = LiveHost(tmp_path / "lane")
    yield host
    host.close()


def heard_again(folder: Path, repair: bool = False) -> tuple[np.ndarray, HeardHost]:
    torch.set_num_threads(1)
    rows, hosts = read_journal(folder), list[HeardHost]()

    def play(transport: Transport, sample: int) -> None:
        hosts[0].play(transport, sample)

    lane = PlayedLane(folder, lambda name, about: make_model(), play, repair)
    reader = RingReader.attach(lane.open(rows[0]).name)
    try:
        hosts.append(HeardHost(reader, waits=repair))
        lane.run(rows[1:])
        hosts[0].end()
        return hosts[0].audio, hosts[0]
    finally:
        reader.close()
        lane.close()


def check(live: LiveHost, folder: Path) -> HeardHost:
    live.stand()
    live.close()
    again, host = heard_again(folder)
    assert np.abs(live.heard).max() > 0.01
    assert len(again) == len(live.heard)
    assert np.array_equal(again, live.heard)
    assert read_lane(folder).stretches == tuple(host.stretches), "known without the music, too"
    return host


def test_late_music_and_held_bars_are_heard_again(live, tmp_path):
    """The engine gets one turn in a quarter of a second: the host holds its bar, and the music comes in again."""
    live.roll(2 * HALF)
    live.roll(8 * HALF, every=150)
    live.command(lambda s: s.with_prompt("other"), At("bar"))
    live.roll(4 * HALF)
    host = check(live, tmp_path / "lane")
    assert host.processor.counters.held_samples > RATE // 4
    assert host.processor.counters.held_samples == live.processor.counters.held_samples


def test_repair_puts_late_music_in_its_place_and_draws_what_was_never_made(live, tmp_path):
    live.roll(2 * HALF)
    before = len(live.heard)
    live.roll(8 * HALF, every=150)
    live.roll(4 * HALF)
    live.stand()
    live.close()
    repaired, host = heard_again(tmp_path / "lane", repair=True)
    again, _ = heard_again(tmp_path / "lane", repair=True)
    assert live.processor.counters.held_samples > RATE // 4
    assert host.processor.counters.held_samples == host.processor.counters.muted_samples == 0
    assert len(repaired) == len(live.heard)
    assert np.array_equal(repaired[:before], live.heard[:before])
    assert np.array_equal(repaired, again)
    assert (np.abs(repaired).reshape(-1, 2 * BLOCK).max(axis=1) > 0).all()


def test_a_loop_a_stop_and_another_tempo_are_heard_again(live, tmp_path):
    live.roll(HALF)
    live.transport = replace(live.transport, loop_beats=(0.0, 3.2))
    live.roll(6 * HALF)
    live.transport = replace(live.transport, loop_beats=None)
    live.roll(HALF)
    live.stand()
    live.roll(HALF)
    grid = live.transport.grid.retuned(live.transport.position_samples, 133.0)
    live.transport = replace(live.transport, grid=grid)
    live.command(lambda s: s.with_value("level_db", -9.0))
    live.roll(2 * HALF)
    check(live, tmp_path / "lane")


def test_a_jump_that_the_engine_sees_at_once_is_heard_again(live, tmp_path):
    live.roll(2 * HALF, every=1)
    live.transport = replace(live.transport, position_samples=10 * RATE)
    live.roll(2 * HALF, every=1)
    check(live, tmp_path / "lane")
