"""A model that goes wrong after some seconds: the guard has it regenerated before the host plays it."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import numpy as np
import pytest
import torch
from lane_rig import BLOCK, RATE, HandClock, PlainConditioner, RigHost

from engine.core.config import LMConfig
from engine.lm import LanguageModel, LMState
from engine.lm.executors.torch_executor import TorchExecutor
from engine.model import LoadedModel
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane.timing import LaneTiming

CARD, SILENT, STUCK = 32, 0, 1
FRAME = 640


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timing of a fast engine, however busy this machine is."""
    monkeypatch.setattr(LaneTiming, "realtime_ratio", property(lambda timing: 20.0))
    monkeypatch.setattr(LaneTiming, "margin_seconds", property(lambda timing: 0.25))


class SoundOfCodes:
    """A codec whose frames are hits of noise drawn by their codes; silence where the first one is `SILENT`."""

    sample_rate, channels, frame_samples, n_codebooks, card, lookahead_frames = 32_000, 1, FRAME, 4, CARD, 0

    def init_decoder(self, prompt_audio=None, prompt_codes=None):
        return None

    def decode_step(self, codes, state, last=False):
        frames = [self._frame(column) for column in codes[0].T.tolist()]
        return torch.from_numpy(np.concatenate([np.zeros(0, np.float32), *frames]))[None, None], state

    @staticmethod
    @lru_cache(maxsize=4096)
    def _noise(first: int) -> np.ndarray:
        return np.random.default_rng(first).standard_normal(FRAME + 4 * CARD)

    @classmethod
    def _frame(cls, column: list[int]) -> np.ndarray:
        if column[0] == SILENT:
            return np.zeros(FRAME, np.float32)
        noise = cls._noise(column[0])[sum(column[1:]) :][:FRAME]
        return (0.1 * (0.3 + column[0] / CARD) * noise).astype(np.float32)


class Falling(TorchExecutor):
    """Draws evenly, but sometimes the token `trap`, which it cannot leave again.

    `SILENT` is followed by silence forever, `STUCK` by the same tokens over and over.
    """

    def __init__(self, trap: int, seconds: float) -> None:
        super().__init__(LanguageModel(LMConfig(dim=16, n_heads=2, n_layers=1, card=CARD)).eval())
        self.trap, self.chance = trap, 1.0 / (50.0 * seconds)

    def _bent(self, state: LMState, n_steps: int, last: torch.Tensor) -> torch.Tensor:
        state.step, state.length = state.step + n_steps, state.length + n_steps
        bent = torch.zeros(state.rows, 4, CARD)
        for trap in (SILENT, STUCK):
            bent[:, 0, trap] = -1e9
        if int(last[0]) != self.trap:
            bent[:, 0, self.trap] = math.log(self.chance * (CARD - 2))
        elif self.trap == STUCK:
            bent[:, torch.arange(4), last.clamp(max=CARD - 1)] = 1e6
        else:
            bent[:, 0, SILENT] = 1e6
        return bent

    def prefill(self, tokens, conditions, state):
        return self._bent(state, tokens.shape[-1], tokens[0, :, -1])

    def step(self, tokens, state):
        return self._bent(state, 1, tokens[0])


def falling_host(trap: int, seconds: float, waits: bool = False, **values: float) -> RigHost:
    torch.manual_seed(1)
    executor, conditioner = Falling(trap, seconds), PlainConditioner(16)
    model = LoadedModel("falling", executor, SoundOfCodes(), conditioner, window_frames=400, stride_frames=200)
    host = RigHost(GenerateLoop(model, HandClock()), waits=waits)
    for name, value in {"seed": 8.0, **values}.items():
        host.lane.update(lambda settings, name=name, value=value: settings.with_value(name, value))
    return host


def rendered(trap: int, seconds: float, **values: float) -> tuple[np.ndarray, RigHost]:
    """The audio a host plays in `seconds`; NaN where none was ready."""
    host = falling_host(trap, 4.0, **values)
    try:
        host.publish()
        host.play()
        host.settle()
        host.start()
        return host.render(int(seconds * RATE)), host
    finally:
        host.close()


def taken(trap: int, pace: int, bars: int, **values: float) -> tuple[np.ndarray, RigHost]:
    """The audio of a host that waits for its music, and reads at a pace of its own: seldom much, or often little."""
    host, rng = falling_host(trap, 4.0, waits=True, **values), random.Random(pace)
    sound = np.zeros((bars * 2 * RATE, 2), np.float32)
    try:
        host.publish()
        host.play(bars=bars)
        host.start()
        at = 0
        while at < len(sound):
            for _ in range(rng.randrange(1, 1 + 8**pace)):
                if not host.generate_loop.turn():
                    break
            for _ in range(rng.randrange(1, 1 + 6 ** (3 - pace))):
                plan, out = host.reader.look(), sound[at : at + 4 * BLOCK]
                if not plan.sounding or host.reader.ahead_samples(at) < len(out):
                    break
                assert host.reader.read(at, out, 0) == (0, len(out))
                at += len(out)
                host.transport = host.transport.advanced(len(out))
                host.clock.seconds += len(out) / RATE / 10
            host.publish()
        return sound, host
    finally:
        host.close()


@pytest.mark.parametrize(("trap", "bars", "candidates"), [(SILENT, 4, 1.0), (SILENT, 3, 2.0), (STUCK, 5, 1.0)])
def test_a_take_is_the_same_however_its_host_reads(trap, bars, candidates):
    """What is made again depends on the music alone."""
    (one, first), *others = [taken(trap, pace, bars, candidates=candidates) for pace in (0, 2)]
    assert first.events.guarded
    for other, host in others:
        assert host.events.guarded == first.events.guarded
        np.testing.assert_array_equal(one, other)


def longest_silence_seconds(sound: np.ndarray) -> float:
    quiet = np.abs(sound[: len(sound) // 480 * 480, 0].reshape(-1, 480)).max(axis=1) < 1e-3
    longest = run = 0
    for silent in quiet:
        run = run + 1 if silent else 0
        longest = max(longest, run)
    return longest * 0.01


def test_a_model_that_falls_silent_is_made_again_before_it_is_heard():
    sound, host = rendered(SILENT, 16.0)
    assert np.isfinite(sound).all()
    assert longest_silence_seconds(sound) < 0.1
    assert host.events.guarded
    assert {fault[1:3] for fault in host.events.guarded} == {("silence", "again")}
    view = host.lane.view.guarded
    assert view[0] == len(host.events.guarded)
    assert view[1] == 0


def test_without_the_guard_the_silence_is_heard():
    sound, host = rendered(SILENT, 12.0, guard=0.0)
    assert longest_silence_seconds(sound) > 2.0
    assert host.events.guarded == []


def test_the_same_seed_gives_the_same_music_again():
    one, first = rendered(SILENT, 12.0)
    other, second = rendered(SILENT, 12.0)
    assert first.events.guarded == second.events.guarded
    np.testing.assert_array_equal(one, other)


def test_a_stuck_loop_is_left():
    sound, host = rendered(STUCK, 16.0)
    assert np.isfinite(sound).all()
    assert {what for _, what, _, _ in host.events.guarded} == {"loop"}
    frames = np.round(sound[: len(sound) // 960 * 960, 0].reshape(-1, 960), 3)
    same = np.abs(frames[1:] - frames[:-1]).max(axis=1) < 1e-2
    run = longest = 0
    for stuck in same:
        run = run + 1 if stuck else 0
        longest = max(longest, run)
    assert longest * 0.02 < 8.0  # detected after four seconds, and left within some tries


def test_too_short_a_lead_saves_what_can_be_saved():
    sound, host = rendered(SILENT, 14.0, lead_seconds=0.5)
    assert host.events.guarded
    assert {done for _, _, done, _ in host.events.guarded} == {"late"}
    assert longest_silence_seconds(sound) < 3.0  # detected after 1.1 s, with only 0.5 s made ahead


@pytest.mark.parametrize("count", [2, 4])
def test_candidates_are_chosen_once_the_ring_is_filled(count):
    sound, host = rendered(SILENT, 6.0, candidates=float(count))
    assert np.isfinite(sound).all()
    assert host.lane.view.guarded[2] >= 3
    assert longest_silence_seconds(sound) < 0.1
