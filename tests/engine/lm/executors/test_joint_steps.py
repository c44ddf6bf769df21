"""Several windows' steps in one native call: bit for bit the same as alone; a failing window fails alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LanguageModel, LMState
from engine.lm.executors.base import Executor
from engine.lm.executors.basic import PassStep
from engine.lm.executors.native import library
from engine.lm.executors.native_executor import NativeExecutor
from engine.lm.executors.native_weights import NativeWeights
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.torch_executor import TorchExecutor
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.lanes import LaneBatch

CARD, DIM, STEPS = 37, 64, 12
ROWS, PREFILLED = (2, 1, 3, 2), (3, 9, 1, 20)


pytestmark = pytest.mark.usefixtures("native")


def model(card: int = CARD) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(LMConfig(DIM, 2, n_layers=2, card=card)).eval().requires_grad_(False)


def tokens_of(seed: int, rows: int, steps: int) -> Tensor:
    return torch.randint(0, CARD + 1, (rows, 4, steps), generator=torch.Generator().manual_seed(seed))


def begun(executor: Executor, lane: int, memory: bool = True) -> LMState:
    """A lane's window after its prompt; the same number gives the same window."""
    rows, prefilled, generator = ROWS[lane], PREFILLED[lane], torch.Generator().manual_seed(lane)
    conditions = Conditions(memory=torch.randn(rows, 3 + lane, DIM, generator=generator)) if memory else Conditions()
    state = executor.init_state(rows, 24 + STEPS + 7 * lane, conditions)
    executor.prefill(tokens_of(lane, rows, prefilled), conditions, state)
    return state


def ask(state: LMState, lane: int, step: int) -> PassStep:
    return PassStep(state, tokens_of(100 + lane, ROWS[lane], STEPS)[..., step])


def alone_of(executor: Executor, state: LMState, lane: int, step: int) -> Tensor:
    """Logits of the same step taken separately."""
    return executor.step(ask(state, lane, step).tokens, state)


@pytest.mark.parametrize("bits", [None, 8, 4])
@pytest.mark.parametrize("memories", [(True,) * 4, (False,) * 4, (True, False, True, False)])
@pytest.mark.parametrize("threads", [1, 2])
def test_logits_and_caches_are_to_the_bit_what_they_are_alone(
    bits: int | None, memories: tuple[bool, ...], threads: int
) -> None:
    had = torch.get_num_threads()
    torch.set_num_threads(threads)
    executor = NativeExecutor(model(), bits)
    here = [begun(executor, lane, memory) for lane, memory in enumerate(memories)]
    alone = [begun(executor, lane, memory) for lane, memory in enumerate(memories)]
    for step in range(STEPS):
        made = executor.step_states([ask(state, lane, step) for lane, state in enumerate(here)])
        for lane, state in enumerate(alone):
            assert torch.equal(made[lane], alone_of(executor, state, lane, step))
    for mine, its in zip(here, alone, strict=True):
        assert torch.equal(mine.cache, its.cache)
        assert (mine.step, mine.length) == (its.step, its.length)
    torch.set_num_threads(had)


def test_more_rows_than_one_call_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    executor, calls = NativeExecutor(model(), 8), list[int]()
    honest = NativeWeights.take

    def spied(self: NativeWeights, turns: list[Any], tokens: Tensor, logits: Tensor) -> None:
        calls.append(len(tokens))
        honest(self, turns, tokens, logits)

    monkeypatch.setattr(NativeWeights, "take", spied)
    lanes = [lane % 4 for lane in range(13)]
    states = [begun(executor, lane) for lane in lanes]
    made = executor.step_states([ask(state, lane, 0) for lane, state in zip(lanes, states, strict=True)])
    assert sum(calls) == sum(ROWS[lane] for lane in lanes)
    assert max(calls) <= library.MAX_ROWS
    assert len(calls) == 2
    for lane, logits in zip(lanes, made, strict=True):
        assert torch.equal(logits, made[lane])


def test_who_asks_for_what_is_not_there_fails_alone() -> None:
    executor = NativeExecutor(model(), 8)
    here, alone = ([begun(executor, lane) for lane in range(3)] for _ in range(2))
    asks = [ask(state, lane, 0) for lane, state in enumerate(here)]
    asks[1] = asks[1]._replace(tokens=torch.full((1, 4), CARD + 1))
    made = executor.step_states(asks)
    assert isinstance(made[1], ValueError)
    assert (here[1].step, here[1].length) == (alone[1].step, alone[1].length)
    for lane in (0, 2):
        assert torch.equal(made[lane], alone_of(executor, alone[lane], lane, 0))
    (again,) = executor.step_states([ask(here[1], 1, 0)])
    assert torch.equal(again, alone_of(executor, alone[1], 1, 0))


def test_executors_side_by_side() -> None:
    """Lanes of several models in one batch: each makes the same music as alone."""
    lm = model(card=32)
    executors = [NativeExecutor(lm, 8), OnnxExecutor(lm, 8), NativeExecutor(lm), TorchExecutor(lm)]
    batch = LaneBatch()
    for lane in range(8):
        batch.add(lane, stream_of(executors[lane % 4], lane))
    batch.advance(30)
    for lane, stream in batch.streams.items():
        assert torch.equal(stream.codes(), stream_of(executors[lane % 4], lane).advance(30))


def stream_of(executor: Executor, seed: int) -> TokenStream:
    """Windows that roll; guidance of two rows, of three, and in two passes."""
    generator = torch.Generator().manual_seed(seed)
    guidance = (Guidance(3.0), Guidance(3.0, cfg_coef_beta=2.0), Guidance(2.0, two_step=True))[seed % 3]
    passes = ((2,), (3,), (1, 1))[seed % 3]
    conditions = [Conditions(memory=torch.randn(rows, 3 + seed, DIM, generator=generator)) for rows in passes]
    settings = StreamSettings(Sampling(True, 1.0, 20, 0.0), guidance, WindowSize(24, 8))
    return TokenStream.begin(executor, lambda offset, count: tuple(conditions), None, settings, seed=seed)


@pytest.mark.parametrize("bits", [None, 8])
def test_lanes_that_come_and_go_play_what_they_play_alone(bits: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, together = NativeExecutor(model(card=32), bits), list[int]()
    honest = NativeWeights.take

    def spied(self: NativeWeights, turns: list[Any], tokens: Tensor, logits: Tensor) -> None:
        together.append(len(turns))
        honest(self, turns, tokens, logits)

    monkeypatch.setattr(NativeWeights, "take", spied)
    batch = LaneBatch()
    for lane in range(4):
        batch.add(lane, stream_of(executor, lane))
        batch.advance(7)
    batch.remove(1)
    batch.advance(20)
    played = {lane: stream.codes() for lane, stream in batch.streams.items()}
    assert max(together) >= 4
    assert sorted(played) == [0, 2, 3]
    for lane, codes in played.items():
        alone = stream_of(executor, lane)
        assert torch.equal(codes, alone.advance(codes.shape[1]))


def two_lanes() -> tuple[LaneBatch, TokenStream]:
    """Lanes 0 and 1 after three frames, and the stream of lane 0 alone, from its beginning."""
    executor = NativeExecutor(model(card=32), 8)
    batch, alone = LaneBatch(), stream_of(executor, 0)
    for lane in range(2):
        batch.add(lane, stream_of(executor, lane))
    batch.advance(3)
    return batch, alone


def test_a_lane_that_breaks_does_not_take_the_others_along() -> None:
    batch, alone = two_lanes()
    window = batch.streams[1].open_window()
    window.sequence[:, window.next_step - 1] = 99
    gained = batch.advance(5)
    assert isinstance(gained[1].error, ValueError)
    assert list(batch.streams) == [0]
    assert torch.equal(batch.streams[0].codes(), alone.advance(8))


def test_a_lane_that_cannot_even_ask_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, alone = two_lanes()
    broken = batch.streams[1].open_window()
    broken.passes.states = ()
    monkeypatch.setattr(type(broken), "read_piece", lambda window: True)
    gained = batch.advance(5)
    assert isinstance(gained[1].error, ValueError)
    assert torch.equal(batch.streams[0].codes(), alone.advance(8))
