"""One lane end to end on one thread: a real ring, a real (tiny, random) model, a host advanced by hand."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import torch

from bridge.control.arguments import At
from bridge.control.clients import Client
from bridge.ring.reader import RingReader
from bridge.system.clock import Clock
from bridge.time.transport import Grid, Transport
from engine.codec.encodec import Encodec, EncodecConfig
from engine.codec.stereo import StereoCodec
from engine.core.config import LMConfig
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.select import choose
from engine.model import LoadedModel
from engine.serve.journal.recorder import RecordedRing
from engine.serve.lane.command import Command
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane.lane import Lane

RATE, BLOCK = 48_000, 256
NOW = At("now")
_numbers = iter(range(100, 10_000))


class PlainConditioner:
    """Conditions that depend on text and tempo, so that a change is heard."""

    takes = frozenset({"text", "tempo"})

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.asked: list[tuple] = []

    def __call__(self, asks, guidance, offset_frames, window_frames):
        self.asked.append((asks[0], offset_frames, window_frames))
        ask = asks[0]
        if ask.text == "break":
            raise RuntimeError("this prompt breaks the model")
        texts = ask.texts or ((ask.text, 1.0),)
        return [(Conditions(memory=sum(weight * self.vectors(text, ask, guidance.rows) for text, weight in texts)),)]

    def vectors(self, text, ask, rows):
        seed = crc32(repr((text, ask.grid and ask.grid.bpm)).encode())  # not hash(), which differs between runs
        return torch.randn(rows, 3, self.dim, generator=torch.Generator().manual_seed(seed))


def make_model(name: str = "toy", seed: int = 11, card: int = 32, stereo: bool = False) -> LoadedModel:
    torch.manual_seed(seed)
    delays = (0, 0, 1, 1, 2, 2, 3, 3) if stereo else (0, 1, 2, 3)
    config = LMConfig(dim=16, n_heads=2, n_layers=1, card=card, n_codebooks=len(delays), delays=delays)
    lm = LanguageModel(config).eval()
    codec = Encodec(EncodecConfig(n_filters=2, dim=8, card=card)).eval()
    torch.nn.init.normal_(codec.quantizer.get_buffer("tables"))
    heard = StereoCodec(codec) if stereo else codec
    return LoadedModel(name, choose(lm), heard, PlainConditioner(16), window_frames=60, stride_frames=30)


class HandClock(Clock):
    """A clock advanced only by hand: by the samples a host plays, and by each wait."""

    seconds = 1000.0

    def now_seconds(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class HandRing(RecordedRing):
    """A ring whose host's snapshots are stamped by a clock advanced by hand, not by the machine's."""

    clock: Clock

    def transport_said(self) -> tuple[Transport, float] | None:
        said = super().transport_said()
        return None if said is None else (said[0], self.clock.now_seconds())


class RecordedEvents:
    """The events of lanes in order, without the lane: a list for each of the `LaneEvents`."""

    def __init__(self) -> None:
        self.states: list[tuple[str, float, str]] = []
        self.heard: list[tuple[int, str, float, float]] = []
        self.guarded: list[tuple[float, str, str, float]] = []
        self.beats: list[tuple[float, float, float]] = []
        self.excerpts: list[tuple[float, float]] = []
        self.found: list[tuple] = []
        self.late: list[int] = []
        self.times: list[tuple] = []

    def state_changed(self, lane, *what) -> None:
        self.states.append(what)

    def command_heard(self, lane, *what) -> None:
        self.heard.append(what)

    def guard_acted(self, lane, *what) -> None:
        self.guarded.append(what)

    def beat_measured(self, lane, *what) -> None:
        self.beats.append(what)

    def excerpt_chosen(self, lane, *what) -> None:
        self.excerpts.append(what)

    def region_found(self, lane, *what) -> None:
        self.found.append(what)

    def blocks_late(self, lane, blocks) -> None:
        self.late.append(blocks)

    def time_set(self, lane, *what) -> None:
        self.times.append(what)


class RigHost:
    """A host of one lane: its timeline is advanced by hand, and it reads the ring."""

    def __init__(
        self, generate_loop: GenerateLoop | None = None, events: RecordedEvents | None = None, waits: bool = False
    ) -> None:
        torch.set_num_threads(1)
        self.generate_loop = generate_loop or GenerateLoop(make_model(), HandClock())
        self.clock = self.generate_loop.clock  # advanced by the samples played
        self.events = events or RecordedEvents()
        number = next(_numbers) % 64
        ring = HandRing.create(number, RATE, 2, seconds=12)
        ring.clock = self.clock
        self.lane = Lane(number, Client("127.0.0.1", 5000), ring, {"cfg": 3.0}, self.events, self.clock, waits)
        self.generate_loop.open(self.lane)
        self.reader = RingReader.attach(ring.name)
        self.transport = Transport(False, 0, Grid(RATE, 120.0))
        self.answers: list = []

    def close(self) -> None:
        self.reader.close()
        self.generate_loop.close(self.lane)

    def publish(self) -> None:
        self.reader.publish(self.transport, self.transport.seek_id, BLOCK)

    def play(self, at=NOW, bars: int = 0, past: bool = False) -> None:
        answer, command = self.answers.append, Command(at, past=past, arrived_seconds=self.clock.now_seconds())
        self.lane.controller.play(at, bars, lambda *a: answer(a), answer, command)

    def settle(self) -> None:
        """Run the engine until no lane wants frames."""
        self.publish()
        for _ in range(2000):
            if not self.generate_loop.turn():
                return
        raise AssertionError("the engine never rests")

    def render(self, n_samples: int) -> np.ndarray:
        """Play on; NaN where no audio was ready."""
        sound = np.full((n_samples, 2), np.nan, np.float32)
        for start in range(0, n_samples, BLOCK):
            out = sound[start : start + BLOCK]
            self.publish()
            self.reader.read(self.transport.position_samples, out, self.transport.seek_id)
            self.transport = self.transport.advanced(len(out))
            self.clock.seconds += len(out) / RATE
            if start % (20 * BLOCK) == 0:
                self.settle()
        self.publish()
        return sound

    def start(self, loop_beats: tuple[float, float] | None = None) -> None:
        now = self.transport
        self.transport = Transport(True, now.position_samples, now.grid, loop_beats, now.seek_id)
        self.publish()

    def render_looped(self, passes: int) -> list[np.ndarray]:
        """Play whole passes of the loop, each from its start to its end; NaN where no audio was ready."""
        grid, sounds = self.transport.grid, []
        begin, end = (grid.sample_at(beats) for beats in self.transport.loop_beats)
        for _ in range(passes):
            sounds.append(self.render(end - self.transport.position_samples))
            self.transport = Transport(True, begin, grid, self.transport.loop_beats, self.transport.seek_id + 1)
            self.publish()
        return sounds

    @property
    def states(self) -> list[str]:
        return [state for state, _, _ in self.events.states]
