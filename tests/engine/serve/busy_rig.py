"""A host that plays while the engine works: the clock counts the work, so that results do not depend on the machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from lane_rig import BLOCK, RATE, HandClock, RecordedEvents, RigHost, make_model

from bridge.control.arguments import At
from engine.serve.lane.command import Command
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.models.handover import READY_FRAMES
from engine.stream.window import Window

TURN_SECONDS = 0.005  # length of an idle turn


class Sounded(RecordedEvents):
    """Records when the host plays the beat on which each command is heard."""

    def __init__(self, host: BusyHost) -> None:
        super().__init__()
        self._host = host

    def command_heard(self, lane, id, address, beats, seconds) -> None:
        super().command_heard(lane, id, address, beats, seconds)
        host = self._host
        samples = host.transport.grid.sample_at(beats) - host.transport.position_samples
        host.sounded.setdefault(id, host.began + samples / RATE)


class BusyHost(RigHost):
    """`ratio` seconds of music are made in a second; the prefill of a window's 300 frames takes `read_seconds`.

    Another program has the CPU for `pause_seconds` in each second of that work.
    """

    def __init__(self, monkeypatch, ratio: float, read_seconds: float, pause_seconds: float = 0.0) -> None:
        model = replace(make_model(), window_frames=500, stride_frames=200)
        super().__init__(GenerateLoop(model, HandClock()), Sounded(self))
        self.generate_loop.use(
            model, read_seconds + READY_FRAMES * 0.02 / ratio
        )  # as it is measured when a model is loaded
        step, read = Window.was_drawn, Window.read_to
        per_frame, per_read = 0.02 / ratio, read_seconds / 300
        self.worked = 0

        def was_drawn(window):
            self.worked += 1
            paused = self.worked % int(1.0 / per_frame) == 0
            self.clock.seconds += per_frame + pause_seconds * paused
            step(window)

        def read_to(window, n_frames):
            self.clock.seconds += per_read * (n_frames + 1 - (window.states[0].step if window.states else 0))
            return read(window, n_frames)

        monkeypatch.setattr(Window, "was_drawn", was_drawn)
        monkeypatch.setattr(Window, "read_to", read_to)
        self.fills: list[float] = []
        self.missing = 0  # samples that were due but missing
        self.told_seconds: dict[int, float] = {}  # when each command was sent, by id
        self.sounded: dict[int, float] = {}  # when the host played the beat on which it is heard
        self.began = self.clock.seconds  # when the host was at its transport's position
        self.sounds: list[np.ndarray] = []

    def begin(self) -> None:
        """Play, and fill the ring."""
        self.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7))
        self.publish()
        self.play(At(beats=0.0))
        self.settle()
        self.start()

    def turn(self) -> None:
        """Run one turn of the engine; the host then plays for as long as it took."""
        began = self.began = self.clock.seconds
        self.generate_loop.turn()
        end = max(self.clock.seconds, began + TURN_SECONDS)
        self.clock.seconds = began
        while self.clock.seconds < end:
            self._block()
        self.fills.append(self.reader.ahead_samples(self.transport.position_samples) / RATE)

    def _block(self) -> None:
        out = np.full((BLOCK, 2), np.nan, np.float32)
        self.reader.read(self.transport.position_samples, out, self.transport.seek_id)
        self.missing += int(np.isnan(out[:, 0]).sum())
        self.sounds.append(out)
        self.transport = self.transport.advanced(BLOCK)
        self.clock.seconds += BLOCK / RATE
        self.publish()

    def run(self, seconds: float) -> None:
        """Run engine and host for `seconds`."""
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            self.turn()

    def set(self, id: int, name: str, value: float, at: str = "now") -> None:
        """Set a parameter as the handler of lane/set does."""
        self.told_seconds[id] = self.clock.seconds
        command = Command(
            At.read(at), id, "/root/lane/set", lambda s: s.with_value(name, value), about=name,
            arrived_seconds=self.clock.seconds,
        )  # fmt: skip
        if at == "now":
            self.lane.submit(command)
        else:
            self.lane.controller.change(command)

    def dial(self, name: str, per_second: float, seconds: float, values, at: str = "now") -> int:
        """Set a parameter `per_second` times a second for `seconds`; returns the last command's id."""
        begin, id = self.clock.seconds, 0
        while self.clock.seconds < begin + seconds:
            while begin + id / per_second <= self.clock.seconds and id < per_second * seconds:
                id += 1
                self.set(id, name, values(id), at)
            self.turn()
        return id
