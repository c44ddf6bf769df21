"""Conditions that change while a window is open reach the next step, and only that window."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.errors import UnsupportedError
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.device import DeviceExecutor
from engine.lm.executors.native_executor import NativeExecutor
from engine.lm.executors.torch_executor import TorchExecutor
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.fork import fork

DIM, CHANGED, FRAMES = 32, 30, 60
SIZE = WindowSize(50, 30)
PREFIX, MEMORY = "prefix", "memory"


def executor_of(kind: str, layout: str) -> Executor:
    torch.manual_seed(3)
    config = LMConfig(dim=DIM, n_heads=2, n_layers=2, card=32, cross_attention=layout == MEMORY)
    lm = LanguageModel(config).eval().requires_grad_(False)
    for layer in lm.layers:
        for weight in layer.parameters():
            weight.mul_(4 if weight.dim() == 2 else 1)  # so that vectors make a difference
    if kind == "torch":
        return TorchExecutor(lm)
    if kind == "device":
        return DeviceExecutor(lm)
    try:
        return NativeExecutor(lm, 8 if kind == "int8" else None)
    except UnsupportedError as missing:
        pytest.skip(str(missing))


class Mixed:
    """Conditions between two: the first up to frame CHANGED, then halfway to the second."""

    def __init__(self, layout: str, changed: int = CHANGED) -> None:
        self.layout, self.changed = layout, changed

    def version_at(self, frame: int) -> float:
        return 0.5 if frame >= self.changed else 0.0

    def renewed(self, offset_frames: int, window_frames: int, version: float) -> tuple[Conditions, ...]:
        first, second = torch.randn(2, 2, 5, DIM, generator=torch.Generator().manual_seed(1)) * 3
        return (Conditions(**{self.layout: torch.lerp(first, second, version)}, version=version),)

    def __call__(self, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        return self.renewed(offset_frames, window_frames, 0.0)


def stream_of(executor: Executor, conditions: object, size: WindowSize = SIZE) -> TokenStream:
    settings = StreamSettings(Sampling(top_k=0), Guidance(2.0), size, prepared=True)
    return TokenStream.begin(executor, conditions, None, settings, seed=5)


KINDS = [(kind, layout) for kind in ("torch", "device", "native") for layout in (PREFIX, MEMORY)] + [("int8", PREFIX)]


@pytest.mark.parametrize(("kind", "layout"), KINDS)
def test_a_change_is_heard_from_its_frame_on_however_the_stream_is_advanced(kind: str, layout: str) -> None:
    executor = executor_of(kind, layout)
    changing, before, later = (
        stream_of(executor, Mixed(layout, changed)) for changed in (CHANGED, 10 * FRAMES, CHANGED + 8)
    )
    whole = changing.advance(FRAMES)
    same, shifted = before.advance(FRAMES), later.advance(FRAMES)
    before_it = CHANGED - executor.lm.config.max_delay  # the step that draws frame 30 draws 27 of the last codebook
    assert torch.equal(whole[:, :before_it], same[:, :before_it])
    assert torch.equal(whole[0, :CHANGED], same[0, :CHANGED])
    assert not torch.equal(whole[:, CHANGED:], same[:, CHANGED:])
    assert not torch.equal(whole, shifted)
    pieces = stream_of(executor, Mixed(layout))
    assert torch.equal(torch.cat([pieces.advance(n) for n in (7, 21, 3, 29)], dim=1), whole)
    assert pieces.window is not None
    assert pieces.window_offset > 0, "a window has rolled with the change in it"


@pytest.mark.parametrize(("kind", "layout"), KINDS)
def test_a_renewed_window_attends_to_the_new_vectors(kind: str, layout: str) -> None:
    """Its cache of them is bit for bit that of a window that had them from its start."""
    executor = executor_of(kind, layout)
    stream, fresh = stream_of(executor, Mixed(layout)), stream_of(executor, Mixed(layout, 0))
    stream.advance(CHANGED + 8)
    fresh.advance(1)
    assert stream.window is not None
    assert fresh.window is not None
    state, wanted = stream.window.states[0], fresh.window.states[0]
    if layout == MEMORY:
        pairs = zip(state.cross_kv or (), wanted.cross_kv or (), strict=True)
        assert all(torch.equal(ours[part], theirs[part]) for ours, theirs in pairs for part in (0, 1))
    elif kind == "int8":
        ours, theirs = (each.cache[..., :5, :] * each.scales.unsqueeze(2) for each in (state, wanted))
        assert torch.allclose(ours, theirs, atol=float(wanted.scales.max()))
    else:
        assert torch.equal(state.cache[..., :5, :], wanted.cache[..., :5, :])


@pytest.mark.parametrize(("kind", "layout"), KINDS)
def test_going_back_before_a_change_takes_it_back(kind: str, layout: str) -> None:
    stream = stream_of(executor_of(kind, layout), Mixed(layout, 62), WindowSize(90, 30))
    versions = []
    for back in (False, True, False):
        if back:
            assert stream.again_from(55)
        stream.advance(3 if back else 70 - stream.n_frames)
        assert stream.window is not None
        versions.append(stream.window.conditions[0].version)
    assert versions == [0.5, 0.0, 0.5]


def test_a_fork_keeps_its_own_conditions() -> None:
    executor = executor_of("torch", MEMORY)
    stream = stream_of(executor, Mixed(MEMORY))
    stream.advance(CHANGED - 5)
    other = fork(stream, 9)
    stream.advance(10)
    assert stream.window is not None
    assert other.window is not None
    assert stream.window.conditions[0].version == 0.5
    assert other.window.conditions[0].version == 0.0
    kept, alone = other.window.states[0].cross_kv, executor.lm.cross_keys_values(other.window.conditions[0])
    assert all(
        torch.equal(a, b) for ours, theirs in zip(kept, alone, strict=True) for a, b in zip(ours, theirs, strict=True)
    )


def test_conditions_of_another_shape_are_refused() -> None:
    stream = stream_of(executor_of("torch", MEMORY), Mixed(MEMORY))
    stream.advance(3)
    assert stream.window is not None
    (now,) = stream.window.conditions
    with pytest.raises(ValueError, match="keep their shape"):
        stream.window.renew((replace(now, memory=now.memory[:, :4]),))
