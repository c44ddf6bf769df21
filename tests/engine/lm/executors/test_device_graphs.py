"""CUDA graphs of the step: a replay computes the same as a plain call. Needs a CUDA device."""

from __future__ import annotations

import copy

import pytest
import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.device import DeviceExecutor, GraphRunner, PlainRunner, time_steps
from engine.stream import LaneBatch, StreamSettings, TokenStream, WindowSize

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine")
SIZE = WindowSize(window_frames=300, stride_frames=200)
FRAMES = 420


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    torch.manual_seed(3)
    config = LMConfig(dim=128, n_heads=2, n_layers=3, card=256, frame_features=3)
    return LanguageModel(config).eval().requires_grad_(False).cuda()


def lanes_of(executor: DeviceExecutor) -> LaneBatch:
    """Lanes of 1, 2 and 3 rows, sampled in every way."""
    lanes = LaneBatch()
    kinds = [
        (2, Sampling(top_k=50), Guidance()),
        (3, Sampling(top_p=0.8), Guidance(cfg_coef_beta=4.0)),
        (1, Sampling(False), Guidance()),
    ]
    for index, (rows, sampling, guidance) in enumerate(kinds):
        generator = torch.Generator().manual_seed(index)
        memory = torch.randn(rows, 6, 128, generator=generator).cuda()
        frames = torch.randn(rows, 1000, 3, generator=generator).cuda()

        def at(offset, count, memory=memory, frames=frames):
            return (Conditions(memory=memory, frames=frames[:, offset : offset + count]),)

        settings = StreamSettings(sampling, guidance, SIZE, FRAMES, prepared=True)
        lanes.add(index, TokenStream.begin(executor, at, None, settings, index))
    return lanes


def tokens(executor: DeviceExecutor) -> list[torch.Tensor]:
    lanes = lanes_of(executor)
    lanes.advance(100, [0])
    lanes.advance(FRAMES)
    return [stream.codes() for stream in lanes.streams.values()]


def test_replayed_is_called(lm):
    runner = GraphRunner(torch.device("cuda"))
    want, got = tokens(DeviceExecutor(lm, PlainRunner())), tokens(DeviceExecutor(lm, runner))
    assert not runner.reason
    for one, other in zip(want, got, strict=True):
        assert torch.equal(one, other)


def test_a_step_waits_for_nothing(lm):
    """torch raises if an operation makes the host wait for the device."""
    executor = DeviceExecutor(lm)
    lanes = lanes_of(executor)
    lanes.advance(10)
    streams = list(lanes.streams.values())
    requests = [stream.request() for stream in streams]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(20):
            assert executor.take(requests) == [None] * len(requests)
            for stream in streams:
                stream.window.was_drawn()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not executor.runner.reason


def test_where_graphs_cannot_be_had_steps_are_called(lm, monkeypatch):
    def refuse(*_args, **_more):
        raise RuntimeError("no graphs today")

    want = tokens(DeviceExecutor(lm, PlainRunner()))
    broken = DeviceExecutor(lm)
    monkeypatch.setattr(GraphRunner, "_capture", refuse)
    assert all(torch.equal(one, other) for one, other in zip(want, tokens(broken), strict=True))
    assert "no graphs today" in broken.runner.reason


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_runs_as_a_graph(lm, dtype):
    half = copy.deepcopy(lm)
    half.transformer.to(dtype)
    half.linears.to(dtype)
    for layer in half.layers:
        for norm in (layer.norm1, layer.norm2, layer.norm_cross):
            norm.float()
    timed = time_steps(half, rows=2, lanes=2, filled=700, memory=6, cache_dtype=dtype)
    for _ in range(5):
        timed.step()
    timed.wait()
    assert not timed.reason
    assert timed.executor.buffers.logits.isfinite().all()
