"""A host that plays a lane along a tempo map, without a clock; compares the beats of the music with the host's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from lane_rig import RATE, HandClock, RigHost

from bridge.time.course import Course
from bridge.time.transport import Transport
from engine.codec.encodec import Encodec, EncodecConfig
from engine.conditions.frames import beats_on, tempo_features
from engine.core.config import LMConfig
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.select import choose
from engine.model import LoadedModel
from engine.serve.lane.generate_loop import GenerateLoop

BLOCK = 1024
COLUMNS = 11


class TempoConditioner:
    """Conditions on the tempo frame by frame, and on nothing else."""

    takes = frozenset({"tempo"})

    def __call__(self, asks, guidance, offset_frames, window_frames):
        return [(Conditions(frames=self._frames(ask, offset_frames, window_frames)),) for ask in asks]

    def _frames(self, ask, first, count):
        lies = beats_on(ask.grid, first, count)
        row = tempo_features(lies.from_bar, lies.bpm, lies.beats_per_bar)
        return torch.stack([row, torch.zeros_like(row)])

    def excerpts(self, asks, offset_frames):
        return [None for _ in asks]

    def prepare(self, ask):
        pass

    def retime(self, conditions, ask, offset_frames, first_row):
        frames = conditions[0].frames
        if first_row < frames.shape[1]:
            frames[:, first_row:] = self._frames(ask, offset_frames + first_row, frames.shape[1] - first_row)


def tempo_model() -> LoadedModel:
    torch.manual_seed(3)
    config = LMConfig(dim=16, n_heads=2, n_layers=1, card=16, frame_features=COLUMNS)
    codec = Encodec(EncodecConfig(n_filters=2, dim=8, card=16)).eval()
    torch.nn.init.normal_(codec.quantizer.get_buffer("tables"))
    executor = choose(LanguageModel(config).eval())
    return LoadedModel("tempo", executor, codec, TempoConditioner(), window_frames=500, stride_frames=200)


@dataclass
class BeatErrors:
    """The heard beats: host seconds, error in ms, and the number of plan revisions."""

    seconds: list[float] = field(default_factory=list)
    off_ms: list[float] = field(default_factory=list)
    holes: int = 0

    def worst(self, begin: float = 0.0, end: float = 1e9) -> float:
        """The largest error in ms between two times of the host's clock."""
        return max(abs(off) for at, off in zip(self.seconds, self.off_ms, strict=True) if begin <= at < end)


class GridHost(RigHost):
    """A host with a known tempo map, whose clock counts the samples it played."""

    def __init__(self, course: Course, turn_blocks: int = 1) -> None:
        super().__init__(GenerateLoop(tempo_model(), HandClock()))  # independent of the machine's speed
        self.course, self.turn_blocks = course, turn_blocks
        self.transport = Transport(False, 0, course.grid_at(0), course.loop_beats)
        self.lane.update(lambda settings: settings.with_value("guard", 0.0))  # it would detect faults in noise
        for _ in range(8):
            self.lane.controller.timing.ready_after(0.2)
        self.heard = BeatErrors()
        self.plan_revisions = 0

    def play_map(self, seconds: float) -> BeatErrors:
        """Play on along the map; the host sends only the tangent in each block."""
        before, end = self.lane.ring.plan.plan_revision, self.clock.seconds + seconds
        sound, number = torch.zeros(BLOCK, 2).numpy(), 0
        while self.clock.seconds < end:
            position = self.transport.position_samples
            self.transport = replace(
                self.transport, grid=self.course.grid_at(position), loop_beats=self.course.loop_beats
            )
            loop = self.course.loop_samples
            left = loop[1] - position if loop and position < loop[1] else BLOCK
            self.publish()
            if number % self.turn_blocks == 0:
                self.settle()
            self._measure(position, sound[: min(BLOCK, left)])
            self._go(position, min(BLOCK, left))
            number += 1
        self.plan_revisions += self.lane.ring.plan.plan_revision - before
        return self.heard

    def _measure(self, position: int, sound) -> None:
        renderer = self.lane.controller.renderer
        begin, end = self.reader.read(position, sound, self.transport.seek_id)
        if renderer is None or not renderer.placement.start_samples <= position < renderer.placement.end_samples:
            return
        if position + len(sound) <= renderer.placement.end_samples:
            self.heard.holes += len(sound) - (end - begin)
        if renderer.placement.seek_id != self.transport.seek_id:
            return
        stream_sample = position - renderer.placement.zero_samples
        beats = float(self.course.beats_at(position)) - renderer.output.beat_map.beats_at(stream_sample)
        beats = (beats + 2.0) % 4.0 - 2.0
        tempo = float(self.course.tempo_map.tempo_at(self.course.beats_at(position)))
        self.heard.seconds.append(self.clock.seconds - 1000.0)
        self.heard.off_ms.append(1000.0 * beats * 60.0 / tempo)

    def _go(self, position: int, n_samples: int) -> None:
        after, now = self.course.after(position, n_samples), self.transport
        jumped = after != position + n_samples
        self.transport = replace(now, position_samples=after, seek_id=now.seek_id + jumped)
        self.clock.seconds += n_samples / RATE

    @property
    def beats_at_end(self) -> float:
        """The host's beat now."""
        return float(self.course.beats_at(self.transport.position_samples))

    def jump(self, position: int) -> None:
        self.transport = replace(self.transport, position_samples=position, seek_id=self.transport.seek_id + 1)

    def begin(self) -> None:
        self.transport = replace(self.transport, playing=True)


def conditioned_beat_error(renderer) -> float:
    """The largest difference in beats between the open window's conditioning and the beat map."""
    window, stream = renderer.stream.window, renderer.stream
    frames = window.conditions[0].frames[0]
    given = torch.atan2(frames[:, 0], frames[:, 1]) / (2 * torch.pi) % 1.0
    grid = renderer.output.beat_map.model_grid(
        renderer.prompt_frames, stream.window_offset, len(frames), renderer.output.loop
    )
    want = beats_on(grid, stream.window_offset, len(frames)).from_bar % 1.0
    off = (given - want + 0.5) % 1.0 - 0.5
    return float(off.abs().max())
