"""Rewinding inside a window, new tempo conditioning, and windows that are read in advance."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.select import choose
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.fork import fork
from engine.stream.next_window import NextWindow

FEATURES = 3
SIZE = WindowSize(window_frames=160, stride_frames=70)


@pytest.fixture(scope="module")
def executor() -> Executor:
    torch.set_num_threads(1)
    torch.manual_seed(5)
    return choose(LanguageModel(LMConfig(dim=32, n_heads=2, n_layers=2, card=40, frame_features=FEATURES)).eval())


@pytest.fixture(scope="module")
def onnx_executor(executor) -> Executor:
    """The same model with steps by ONNX Runtime in float32."""
    return OnnxExecutor(executor.lm, bits=None)


class Frames:
    """Conditions of random frames, which can be changed from a frame on."""

    def __init__(self, seed: int = 1) -> None:
        self.frames = torch.randn(2, 2000, FEATURES, generator=torch.Generator().manual_seed(seed))

    def __call__(self, offset: int, n_frames: int) -> tuple[Conditions, ...]:
        return (Conditions(frames=self.frames[:, offset : offset + n_frames].clone()),)

    def renew(self, conditions: tuple[Conditions, ...], offset: int, first: int) -> None:
        frames = conditions[0].frames
        frames[:, first:] = self.frames[:, offset + first : offset + frames.shape[1]]


def greedy(prepared: bool = False, total: int | None = 400) -> StreamSettings:
    return StreamSettings(Sampling(use_sampling=False), Guidance(), SIZE, total, prepared=prepared)


def drawn(prepared: bool) -> StreamSettings:
    return replace(greedy(prepared), sampling=Sampling(top_k=20))


@pytest.mark.parametrize("which", ["executor", "onnx_executor"])
def test_going_back_inside_a_window_is_as_if_never_gone_on(which, request):
    executor = request.getfixturevalue(which)
    one, other = (TokenStream.begin(executor, Frames(), None, greedy()) for _ in range(2))
    straight = one.advance(150)
    other.advance(120)
    assert other.again_from(90)
    assert other.n_frames == 90
    assert torch.equal(other.advance(60), straight[:, 90:])
    assert other.again_from(100)
    assert other.again_from(100)  # twice the same, with nothing drawn in between
    assert torch.equal(other.advance(50), straight[:, 100:])


@pytest.mark.parametrize("which", ["executor", "onnx_executor"])
def test_frames_that_are_still_to_come_get_the_tempo_anew(which, request):
    """A change in the middle of a window applies from the first frame that no step has read."""
    executor = request.getfixturevalue(which)
    conditions, whole = Frames(1), Frames(1)
    stream = TokenStream.begin(executor, conditions, None, greedy())
    stream.advance(80)
    free = stream.free_frame
    assert free >= 80
    conditions.frames[:, free:] = whole.frames[:, free:] = Frames(9).frames[:, free:]
    stream.retime(conditions.renew)
    want = TokenStream.begin(executor, whole, None, greedy()).advance(300)
    assert torch.equal(torch.cat([stream.codes(0, 80), stream.advance(220)], dim=1), want)
    before = TokenStream.begin(executor, Frames(1), None, greedy()).advance(300)
    assert not torch.equal(before[:, 80:], want[:, 80:])


def test_what_cannot_be_gone_back_to_is_reported(executor):
    stream = TokenStream.begin(executor, Frames(), None, greedy())
    assert not stream.again_from(0)
    stream.advance(100)
    for frames in (10, 101):  # too little to continue from; not made yet
        assert not stream.again_from(frames)
    assert stream.n_frames == 100
    stream.advance(80)  # rolled
    assert not stream.again_from(75)  # before the window
    with pytest.raises(ValueError, match="cannot go back"):
        stream.window.back_to(500)


def test_windows_that_get_ready_beforehand_are_the_same(executor):
    plain, ready = (TokenStream.begin(executor, Frames(), None, drawn(prepared), seed=3) for prepared in (False, True))
    whole = plain.advance(400)
    assert torch.equal(ready.advance(400), whole)
    for seed in range(2):
        chooser, cut, parts = (
            random.Random(seed),
            TokenStream.begin(executor, Frames(), None, drawn(True), seed=3),
            [],
        )
        while not cut.finished:
            parts.append(cut.advance(chooser.randrange(1, 60)))
        assert torch.equal(torch.cat(parts, dim=1), whole)


def test_no_roll_reads_more_than_a_piece_at_once(executor, monkeypatch):
    """The longest pass after the first window is a piece, not the window's whole overlap."""
    lengths: list[int] = []
    prefill = executor.prefill

    def counted(tokens, *rest):
        lengths.append(tokens.shape[-1])
        return prefill(tokens, *rest)

    monkeypatch.setattr(executor, "prefill", counted)
    stream = TokenStream.begin(executor, Frames(), None, replace(greedy(True), total_frames=None))
    per_hop = []
    for _ in range(60):
        lengths.clear()
        stream.advance(10)
        per_hop.append(sum(lengths))
    assert max(per_hop[1:]) <= 60  # of the 90 that a window overlaps
    assert sum(per_hop) >= 6 * 90


def test_a_window_that_gets_ready_follows_what_is_gone_back_on_and_reported_anew(executor):
    conditions = Frames(1)
    stream = TokenStream.begin(executor, conditions, None, greedy(True))
    stream.advance(150)
    assert stream.next_window is not None
    assert stream.next_window.read_frames > 0
    assert stream.again_from(140)
    free = stream.free_frame
    conditions.frames[:, free:] = Frames(7).frames[:, free:]
    stream.retime(conditions.renew)
    want = TokenStream.begin(executor, conditions, stream.codes(), greedy())  # the overlap is a prompt
    assert torch.equal(stream.advance(200), want.advance(200))


@pytest.mark.parametrize("which", ["executor", "onnx_executor"])
def test_a_window_that_gets_ready_keeps_what_it_has_read_of_the_frames_that_stay(which, request, monkeypatch):
    """Each time the stream rewinds a little, only the pieces beyond that frame are read again."""
    executor = request.getfixturevalue(which)
    stream = TokenStream.begin(executor, Frames(1), None, greedy(True))
    stream.advance(150)
    next_window, read = stream.next_window, []
    assert next_window is not None
    assert next_window.read_frames == 50
    reads = NextWindow._read
    monkeypatch.setattr(NextWindow, "_read", lambda self, codes: (read.append(1), reads(self, codes)))
    for frames in (140, 135, 130, 125):
        assert stream.again_from(frames)
        stream.advance(2)
        assert stream.next_window is next_window
    assert read == []
    assert stream.again_from(115)  # the piece from 70 to 120 is no longer complete
    assert next_window.read_frames == 0
    want = TokenStream.begin(executor, Frames(1), None, greedy()).advance(400)
    assert torch.equal(torch.cat([stream.codes(), stream.advance(285)], dim=1), want)


def test_what_follows_is_drawn_otherwise_in_the_same_window(executor):
    stream = TokenStream.begin(executor, Frames(1), None, drawn(True), seed=3)
    stream.advance(120)
    window, colder = stream.window, replace(drawn(True), sampling=Sampling(use_sampling=False))
    assert stream.again_from(100, colder)
    assert stream.window is window
    want = TokenStream.begin(executor, Frames(1), stream.codes(), greedy())  # the overlap is a prompt
    assert torch.equal(stream.advance(60), want.advance(60))
    other = replace(colder, guidance=Guidance(two_step=True))
    assert not stream.again_from(140, other)  # it has other rows
    with pytest.raises(ValueError, match="top_k"):
        stream.again_from(140, replace(colder, sampling=Sampling(top_k=1000)))
    assert stream.n_frames == 160
    assert stream.settings == colder


def test_a_fork_leaves_the_window_that_gets_ready_alone(executor):
    stream = TokenStream.begin(executor, Frames(), None, greedy(True))
    stream.advance(150)
    other = fork(stream, 5)
    assert torch.equal(other.advance(100), stream.advance(100))  # greedy: the seed has no effect


def test_an_end_that_moves_a_little_needs_no_new_window(executor):
    stream = TokenStream.begin(executor, Frames(), None, replace(greedy(total=100), spare_frames=25))
    stream.advance(90)
    window = stream.window
    stream.with_total(120)
    stream.advance(30)
    assert stream.window is window
    assert stream.finished
    stream.with_total(200)
    assert stream.advance(80).shape[1] == 80
