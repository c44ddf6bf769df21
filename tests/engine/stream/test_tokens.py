"""Token streams: cuts, rolling, lanes, snapshots, on a toy model whose weights are random."""

from __future__ import annotations

import random

import pytest
import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.select import choose
from engine.stream import LaneBatch, StreamSettings, TokenStream, WindowSize
from engine.stream.snapshot import keep, resume

SIZE = WindowSize(window_frames=20, stride_frames=12)
FEATURES = 3


@pytest.fixture(scope="module")
def executor() -> Executor:
    torch.set_num_threads(1)
    torch.manual_seed(5)
    config = LMConfig(dim=32, n_heads=2, n_layers=2, card=40, frame_features=FEATURES)
    return choose(LanguageModel(config).eval())


def conditions_of(seed: int, rows: int = 2):
    """Conditions that differ per window and frame, as references on a grid do."""
    features = torch.randn(rows, 4000, FEATURES, generator=torch.Generator().manual_seed(seed))
    memory = torch.randn(rows, 5, 32, generator=torch.Generator().manual_seed(seed + 1))

    def at(offset: int, n_frames: int) -> tuple[Conditions, ...]:
        return (Conditions(memory=memory, frames=features[:, offset : offset + n_frames]),)

    return at


def settings(total: int | None, **changes) -> StreamSettings:
    return StreamSettings(Sampling(top_k=20), Guidance(), SIZE, total, **changes)


def stream(executor, seed=1, total=100, prompt=None) -> TokenStream:
    return TokenStream.begin(executor, conditions_of(seed), prompt, settings(total), seed=seed)


def test_any_cut_gives_the_same_tokens(executor):
    whole = stream(executor).advance(100)
    assert whole.shape == (4, 100)
    for seed in range(3):
        chooser, cut, parts = random.Random(seed), stream(executor), []
        while not cut.finished:
            parts.append(cut.advance(chooser.randrange(1, 17)))
        assert torch.equal(torch.cat(parts, dim=1), whole)
    assert cut.advance(5).shape == (4, 0)


def test_windows_are_fresh_runs_from_the_kept_tokens(executor):
    """Each window equals a separate stream that begins from the overlapping codes with conditions at its offset."""
    greedy = StreamSettings(Sampling(use_sampling=False), Guidance(), SIZE, 60)
    whole = TokenStream.begin(executor, conditions_of(3), None, greedy).advance(60)
    for offset in (12, 24, 36):
        kept = whole[:, offset : offset + SIZE.keep_frames]

        def shifted(at, n, offset=offset):
            return conditions_of(3)(at + offset, n)

        one = TokenStream.begin(executor, shifted, kept, StreamSettings(greedy.sampling, greedy.guidance, SIZE, 20))
        assert torch.equal(one.advance(12), whole[:, offset + 8 : offset + 20])


def test_endless_equals_long_where_windows_agree(executor):
    endless = TokenStream.begin(executor, conditions_of(1), None, settings(None), seed=1)
    assert torch.equal(endless.advance(56), stream(executor, total=100).advance(56))
    assert not endless.finished


def test_prompt_comes_first_and_is_not_yielded(executor):
    prompt = torch.arange(4 * 6).reshape(4, 6)
    continued = stream(executor, prompt=prompt, total=30)
    assert continued.advance(100).shape == (4, 24)
    assert torch.equal(continued.codes(0, 6), prompt)


def test_lanes_have_the_tokens_they_have_alone(executor):
    alone = {seed: stream(executor, seed, total=40 + seed).advance(100) for seed in range(5)}
    lanes, got = LaneBatch(), {seed: [] for seed in range(5)}
    for begun in range(5):  # they begin at different times and end at different times
        lanes.add(begun, stream(executor, begun, total=40 + begun))
        for name, frames in lanes.advance(7).items():
            got[name].append(frames.codes)
    while any(not lane.finished for lane in lanes.streams.values()):
        for name, frames in lanes.advance(9).items():
            got[name].append(frames.codes)
    for seed in range(5):
        assert torch.equal(torch.cat(got[seed], dim=1), alone[seed])


def test_a_lane_that_fails_is_dropped_alone(executor):
    lanes = LaneBatch()
    lanes.add("good", stream(executor, 1, total=40))

    def broken(offset: int, n_frames: int):
        if offset:
            raise RuntimeError("no reference")
        return conditions_of(2)(offset, n_frames)

    lanes.add("bad", TokenStream.begin(executor, broken, None, settings(40), seed=2))
    result = lanes.advance(40)
    assert str(result["bad"].error) == "no reference"
    assert result["bad"].codes.shape[1] == SIZE.window_frames
    assert torch.equal(result["good"].codes, stream(executor, 1, total=40).advance(40))
    assert list(lanes.streams) == ["good"]


@pytest.mark.parametrize("at", [0, 5, 17, 20, 33])
def test_snapshot_goes_on_exactly(executor, at):
    original = stream(executor)
    original.advance(at)
    kept = keep(original)
    rest = original.advance(100)
    resumed = resume(executor, conditions_of(1), kept)
    assert torch.equal(resumed.advance(100), rest)
    assert torch.equal(resume(executor, conditions_of(1), kept).advance(100), rest)  # a value: it can be reused


def test_roll_takes_new_conditions_at_once(executor):
    rolled = stream(executor, total=None)
    before = rolled.advance(15)
    rolled.roll(conditions_of(99))
    after = rolled.advance(10)
    assert rolled.window_offset == 15 - SIZE.keep_frames
    assert torch.equal(rolled.codes(0, 15), before)
    assert after.shape == (4, 10)
    assert not torch.equal(after, stream(executor, total=None).advance(25)[:, 15:])


def test_rewind_forgets_and_goes_on_from_there(executor):
    greedy = StreamSettings(Sampling(use_sampling=False), Guidance(), SIZE)
    rewound = TokenStream.begin(executor, conditions_of(1), None, greedy)
    first = rewound.advance(18)
    rewound.rewind(12)
    assert rewound.n_frames == 12
    assert torch.equal(rewound.codes(), first[:, :12])
    assert torch.equal(rewound.advance(3), rewound.codes(12))  # a window from frame 4 on
    assert rewound.window_offset == 4
    with pytest.raises(ValueError, match="frame 99"):
        rewound.rewind(99)


def test_long_streams_roll_for_hours_without_losing_a_frame(executor):
    greedy = StreamSettings(Sampling(use_sampling=False), size=SIZE)
    endless = TokenStream.begin(executor, conditions_of(1), None, greedy)
    parts = [endless.advance(37) for _ in range(60)]
    assert torch.equal(torch.cat(parts, dim=1), endless.codes())
    assert endless.codes().shape == (4, 37 * 60)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda one: TokenStream.begin(one, conditions_of(1), torch.zeros(4, 20).long(), settings(None)),
            "20 frames",
        ),
        (
            lambda one: TokenStream.begin(one, conditions_of(1), torch.zeros(3, 5).long(), settings(None)),
            "must be",
        ),
        (
            lambda one: TokenStream.begin(one, conditions_of(1), None, StreamSettings(Sampling(top_k=41))),
            "41",
        ),
        (lambda one: WindowSize(20, 20), "stride_frames is 20"),
    ],
)
def test_what_does_not_fit_is_refused(executor, call, text):
    with pytest.raises(ValueError, match=text):
        call(executor)
