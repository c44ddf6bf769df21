"""What a lane played is made again from its journal, sample for sample: commands, tempo, loops, jumps, late music."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from lane_rig import NOW, RATE, HandClock, RigHost, make_model

from bridge.control.arguments import At
from bridge.ring.reader import RingReader
from bridge.time.transport import Transport
from engine.serve.journal.values import JournalError
from engine.serve.journal.writer import JOURNAL, JournalWriter, read_journal
from engine.serve.lane.command import Command
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane_settings import Morph, ReferenceAudio, Update
from engine.serve.replay.lane import PlayedLane


def recorded_host(folder: Path) -> RigHost:
    host = RigHost(GenerateLoop(make_model(), HandClock()))
    host.lane.ring.record_in(JournalWriter(folder))
    host.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7))
    return host


def heard_again(folder: Path, start: Transport, n_samples: int) -> np.ndarray:
    """What a host reads from the ring of the lane made again; NaN where nothing was there in time."""
    torch.set_num_threads(1)
    rows, sound = read_journal(folder), np.full((n_samples, 2), np.nan, np.float32)
    readers: list[RingReader] = []
    played = 0

    def play(host: Transport, sample: int) -> None:
        nonlocal played
        end = min(sample - start.position_samples, n_samples)
        for at in range(played, end if host.playing else 0, 256):
            out = sound[at : min(at + 256, end)]
            readers[0].read(start.position_samples + at, out, host.seek_id)
        played = max(played, end)

    lane = PlayedLane(folder, lambda name, about: make_model(), play)
    try:
        readers.append(RingReader.attach(lane.open(rows[0]).name))
        lane.run(rows[1:])
    finally:
        for reader in readers:
            reader.close()
        lane.close()
    return sound[:played]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RigHost]:
    made = recorded_host(tmp_path / "lane")
    yield made
    made.close()


def change(host: RigHost, update: Update, at: At = NOW) -> None:
    command = Command(at, 1, "test", update, arrived_seconds=host.clock.now_seconds())
    host.lane.submit(command) if at == NOW else host.lane.controller.change(command)


def some_command(host: RigHost, rng: random.Random) -> None:
    at = rng.choice([NOW, At("bar"), At("beat")])
    prompt, gain, seed = f"prompt {rng.randrange(9)}", rng.uniform(-20, 3), rng.randrange(99)
    change(host, rng.choice([
        lambda s: s.with_prompt(prompt),
        lambda s: s.with_prompts([s.prompt, prompt]).with_morph(Morph((seed / 99, 1 - seed / 99), seed % 3, seed)),
        lambda s: s.with_value("level_db", gain),
        lambda s: s.with_value("temperature", 0.5 + seed / 99),
        lambda s: s.with_mute(seed % 2 == 0),
        lambda s: s.with_seed(seed),
        lambda s: s.with_value("loudness_lufs", -30.0 + seed / 9),
    ]), at)  # fmt: skip


def test_forty_commands_are_heard_again(tmp_path):
    host, rng = recorded_host(tmp_path / "lane"), random.Random(5)
    try:
        begin = 0.2 * torch.randn(1, 64_000, generator=torch.Generator().manual_seed(1))
        host.lane.update(lambda s: s.with_region("continue", ReferenceAudio(begin, 120.0, 0.0)))
        host.publish()
        host.play()
        host.settle()
        host.start()
        start, parts = host.transport, []
        for _ in range(40):
            parts.append(host.render(rng.randrange(1_500, 5_000)))
            some_command(host, rng)
        heard = np.concatenate(parts)
    finally:
        host.close()
    again = heard_again(tmp_path / "lane", start, len(heard))
    assert len(again) > len(heard) - RATE
    assert np.nanmax(np.abs(heard)) > 0.01
    both = np.isfinite(again[:, 0]) & np.isfinite(heard[: len(again), 0])
    assert np.array_equal(again[both], heard[: len(again)][both])
    assert (~both).sum() - np.isnan(heard[: len(again), 0]).sum() < 256  # where it was late, to a block


def test_a_journal_cut_anywhere_is_made_again_up_to_there(host, tmp_path):
    """A kill leaves complete lines and perhaps a part of one."""
    host.publish()
    host.play()
    host.settle()
    host.start()
    start = host.transport
    heard = host.render(2 * RATE)
    host.close()
    path = tmp_path / "lane" / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    again = heard_again(tmp_path / "lane", start, len(heard))
    assert RATE // 4 < len(again) < len(heard)
    assert np.array_equal(again, heard[: len(again)])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"kind": "renderer.__init__", "gain": 1.0}, "no operation renderer.__init__"),
        ({"kind": "output.ring.close", "gain": 1.0}, "no operation output.ring.close"),
        ({"kind": "host", "transport": {"is": "Popen", "args": ["true"]}}, "kind 'Popen'"),
        ({"kind": "begin", "region": {"is": "audio", "file": "../../../etc/passwd"}}, "no name of a reference"),
        ({"kind": "output.write", "gain": 1.0, "taken": [[99, 0]]}, "no music yet"),
    ],
)
def test_a_line_that_cannot_be_made_again_is_named(host, tmp_path, line, says):
    """A journal may come from elsewhere: only the operations of a lane are carried out, only values are read."""
    host.close()
    path = tmp_path / "lane" / JOURNAL
    first = path.read_bytes().split(b"\n")[0]
    path.write_bytes(
        first + b"\n" + json.dumps({"sample": 0, "beat": 0.0, "model": "m", "seed": 1} | line).encode() + b"\n"
    )
    with pytest.raises(JournalError, match=f"line 2 .*{says}"):
        heard_again(tmp_path / "lane", host.transport, 10)
