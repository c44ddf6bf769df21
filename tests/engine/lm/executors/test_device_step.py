"""The GPU's step, called on the CPU: its tokens are those of each lane's separate steps."""

from __future__ import annotations

import copy
import gc
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.device import DeviceExecutor, GraphRunner, PlainRunner, time_steps
from engine.lm.executors.device import buffers as sizes
from engine.lm.executors.device.step import StepShape
from engine.lm.executors.select import choose
from engine.stream import LaneBatch, StreamSettings, TokenStream, WindowSize
from engine.stream.fork import fork
from engine.stream.lanes import step_windows
from engine.stream.snapshot import keep, resume

FEATURES = 3
SIZE = WindowSize(window_frames=48, stride_frames=30)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Several cache buckets and prompt pieces in windows that are quick to fill."""
    torch.set_num_threads(1)
    monkeypatch.setattr("engine.lm.executors.device.buffers.BUCKET_POSITIONS", 16)
    monkeypatch.setattr("engine.lm.executors.device.executor.BUCKET_POSITIONS", 16)
    monkeypatch.setattr("engine.stream.window.PIECE_STEPS", 7)
    monkeypatch.setattr(DeviceExecutor, "piece_frames", 5)
    monkeypatch.setattr("engine.lm.executors.device.executor.WARM_SECONDS", 0.0)


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    torch.manual_seed(5)
    return LanguageModel(LMConfig(dim=32, n_heads=2, n_layers=2, card=40, frame_features=FEATURES)).eval()


class Rehearsing(PlainRunner):
    """Like the capture of a graph: every shape is run a few times without an active lane before it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[StepShape] = set()

    def ready(self, shape: StepShape) -> bool:
        return shape in self.known

    def prepare(self, shape: StepShape, step: Callable[[], None]) -> None:
        for _ in range(2):
            step()
        self.known.add(shape)

    def run(self, shape: StepShape, step: Callable[[], None]) -> None:
        assert shape in self.known
        step()

    def forget(self) -> None:
        self.known.clear()


@pytest.fixture
def plain(lm) -> Executor:
    """The executor that takes each lane's steps separately."""
    return choose(lm)


@pytest.fixture
def joint(lm) -> DeviceExecutor:
    """The executor that takes all lanes' steps together, on the same weights."""
    return DeviceExecutor(lm, Rehearsing())


class RandomConditions:
    """Conditions of any kinds, different in every frame, whose frames may change."""

    def __init__(self, seed: int, rows: int = 2, kinds: str = "pmf", two_step: bool = False) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.rows, self.kinds, self.two_step = rows, kinds, two_step
        self.vectors = torch.randn(rows, 1000, 32, generator=generator)
        self.frames = torch.randn(rows, 1000, FEATURES, generator=generator)
        self.counts = 3 + seed % 5, 2 + seed % 11  # prefix and memory vectors

    def __call__(self, offset: int, n_frames: int) -> tuple[Conditions, ...]:
        whole = Conditions(
            self.vectors[:, offset : offset + self.counts[0]] if "p" in self.kinds else None,
            self.vectors[:, offset + 9 : offset + 9 + self.counts[1]] if "m" in self.kinds else None,
            self.frames[:, offset : offset + n_frames].clone() if "f" in self.kinds else None,
        )
        if not self.two_step:
            return (whole,)
        parts = (whole.prefix, whole.memory, whole.frames)
        one, other = (Conditions(*(None if part is None else part[row : row + 1] for part in parts)) for row in (0, 1))
        return one, replace(other, prefix=None)  # of different lengths, the case for two passes

    def renew(self, conditions, offset, first):
        for row, own in enumerate(conditions):
            here = self.frames if len(conditions) == 1 else self.frames[row : row + 1]
            own.frames[:, first:] = here[:, offset + first : offset + own.frames.shape[1]]


SAMPLINGS = (
    Sampling(top_k=20),
    Sampling(use_sampling=False),
    Sampling(temperature=1.3, top_k=0),
    Sampling(top_p=0.7),
    Sampling(temperature=0.8, top_k=1),
)
LANES = [  # rows, kinds, two passes, guidance
    (2, "pmf", False, Guidance()),
    (3, "mf", False, Guidance(2.5, cfg_coef_beta=4.0)),
    (1, "m", False, Guidance()),
    (2, "", False, Guidance(1.0)),
    (2, "pm", True, Guidance(two_step=True)),
    (2, "pf", False, Guidance(0.0)),
]


def lane(executor: Executor, number: int, total: int | None = 130, prompt: int = 0, **more) -> TokenStream:
    rows, kinds, two_step, guidance = LANES[number % len(LANES)]
    rows = 1 if two_step else rows
    conditions = RandomConditions(number, 2 if two_step else rows, kinds, two_step)
    codes = torch.randint(0, 40, (4, prompt), generator=torch.Generator().manual_seed(number)) if prompt else None
    tuned = StreamSettings(SAMPLINGS[number % len(SAMPLINGS)], guidance, SIZE, total, **more)
    return TokenStream.begin(executor, conditions, codes, tuned, seed=number)


@pytest.mark.parametrize("number", range(len(LANES)))
@pytest.mark.parametrize("prepared", [False, True])
def test_a_lane_has_the_tokens_of_its_own_steps(plain, joint, number, prepared):
    for index in (number, number + len(LANES)):
        alone, beside = (lane(one, index, prompt=3 * index, prepared=prepared) for one in (plain, joint))
        assert torch.equal(beside.advance(130), alone.advance(130))
        assert beside.window.passes in joint.slots()  # the device executor took it
    assert joint.buffers.sizes.rows <= 2 + (number % len(LANES) == 1)  # one window after the other


@pytest.mark.parametrize("seed", range(3))
def test_lanes_that_come_and_go_do_not_touch_each_other(plain, joint, seed):
    """Any sequence of lanes that join, advance in any combination, rewind, change conditions and leave."""
    chance, lanes = random.Random(seed), LaneBatch()
    alone: dict[int, TokenStream] = {}
    for turn in range(24):
        if len(alone) < 5 and chance.random() < 0.5:
            prompt = chance.choice([0, 0, 5, 17])
            alone[turn] = lane(plain, turn, None, prompt, prepared=True)
            lanes.add(turn, lane(joint, turn, None, prompt, prepared=True))
        if not alone:
            continue
        some = chance.sample(sorted(alone), chance.randrange(1, len(alone) + 1))
        n_frames = chance.randrange(1, 14)
        for name in some:
            target = alone[name].n_frames + n_frames
            while lanes.streams[name].n_frames < target:  # a lane that reads its prompt may fall behind
                lanes.advance(target - lanes.streams[name].n_frames, some if chance.random() < 0.5 else [name])
        for name in alone:
            alone[name].advance(lanes.streams[name].n_frames - alone[name].n_frames)
            assert torch.equal(lanes.streams[name].codes(), alone[name].codes())
        if chance.random() < 0.5:
            joint.warm_up() if chance.random() < 0.3 else lanes.keep_warm()
        heads = {slot.row for slot in joint.slots()}
        rows = max((slot.row + slot.rows for slot in joint.slots()), default=0)
        assert set(joint.buffers.active[:rows].nonzero().flatten().tolist()) <= heads
        name = chance.choice(sorted(alone))
        change_mind(chance.randrange(8), (alone[name], lanes.streams[name]), chance)
        if chance.random() < 0.15:
            del alone[name]
            lanes.remove(name)


def change_mind(which: int, both: tuple[TokenStream, TokenStream], chance: random.Random) -> None:
    """The same change to a stream of each kind."""
    back = max(0, both[0].n_frames - chance.randrange(1, 10))
    before = [stream.window is not None and stream.window.next_step > 0 for stream in both]
    assert before[0] == before[1]
    for stream in both:
        if which == 0:
            stream.rewind(back)
        elif which == 1:
            stream.again_from(back)
        elif which == 2:
            stream.roll(settings=replace(stream.settings, sampling=Sampling(temperature=0.9, top_k=11)))
        elif which == 3:
            stream.reseed(back)
        elif which == 4 and "f" in stream.conditions.kinds:
            stream.conditions.frames[:, stream.free_frame :] *= 0.5
            stream.retime(stream.conditions.renew)


def test_going_back_and_conditioning_anew_in_a_window(plain, joint, monkeypatch):
    monkeypatch.setattr("engine.stream.tokens.CONTEXT_AT_LEAST", 4)
    alone, beside = lane(plain, 0), lane(joint, 0)
    for stream in (alone, beside):
        stream.advance(40)
        assert stream.again_from(30)
        stream.advance(3)
        stream.conditions.frames[:, stream.free_frame :] = 0.3
        stream.retime(stream.conditions.renew)
        stream.advance(60)
    assert torch.equal(beside.codes(), alone.codes())


def test_forks_snapshots_and_other_windows_beside(plain, joint):
    got = []
    for stream in (lane(plain, 0), lane(joint, 0)):
        stream.advance(20)
        rivals, lanes = [stream, fork(stream, 8), fork(stream, 9)], LaneBatch()
        for index, rival in enumerate(rivals):
            lanes.add(index, rival)
        lanes.advance(25)
        kept = keep(stream)
        again = resume(stream.executor, stream.conditions, kept)
        again.advance(10)
        got.append([rival.codes() for rival in (*rivals, again)])
    for one, other in zip(*got, strict=True):
        assert torch.equal(one, other)


def test_logits_of_windows_together_are_those_alone(plain, joint):
    """Equal values, up to float32 rounding, also with other lanes in other rows."""
    streams = [[lane(one, number, prompt=number * 4) for number in range(6)] for one in (plain, joint)]
    for steps in range(12):
        windows = [[stream.open_window() for stream in each] for each in streams]
        want, got = (step_windows(each) for each in windows)
        for index, (one, other) in enumerate(zip(want, got, strict=True)):
            torch.testing.assert_close(other, one, atol=2e-5, rtol=1e-5)
            tokens = one[0].argmax(dim=-1)
            for each in windows:
                each[index].write(tokens)
        if steps == 5:
            streams = [each[2:] for each in streams]  # the first ones leave, the last ones move up


def test_a_lane_left_behind_reads_its_prompt_while_others_step(plain, joint):
    lanes = LaneBatch()
    lanes.add("playing", lane(joint, 0, None))
    lanes.advance(5)
    lanes.add("new", lane(joint, 5, None, prompt=40))
    new = lanes.streams["new"]
    made = [lanes.advance(2)["playing"].codes.shape[1]]
    assert new.n_frames == 40  # still reading: a hop of the others did not wait for it
    while new.n_frames == 40:
        made.append(lanes.advance(2)["playing"].codes.shape[1])
    assert made == [2] * len(made)
    assert len(made) > 1
    alone = lane(plain, 5, None, prompt=40)
    alone.advance(20)
    lanes.advance(20, ["new"])
    assert torch.equal(new.codes()[:, :60], alone.codes())


def test_rows_are_given_back_and_closed_up(joint):
    lanes = LaneBatch()
    for number in range(4):
        lanes.add(number, lane(joint, number, None))
    lanes.advance(3)
    assert [slot.row for slot in joint.slots()] == [0, 2, 5, 6]
    for number in (0, 2):
        lanes.remove(number)
    gc.collect()
    lanes.advance(3)
    assert sum(slot.rows for slot in joint.slots()) == 4
    assert max(slot.row + slot.rows for slot in joint.slots()) == 4
    where = joint.buffers
    lanes.add(9, lane(joint, 3, None))
    lanes.advance(3)
    assert joint.buffers is where  # no buffer had to grow


def test_shapes_are_prepared_before_lanes_come_to_them(joint):
    lanes = LaneBatch()
    for number in (0, 1):
        lanes.add(number, lane(joint, number, None))
    lanes.advance(3)
    lanes.remove(0)
    gc.collect()
    for _ in range(2):  # one a call
        joint.keep_warm()
    assert {StepShape(3, positions, 8) for positions in (16, 32)} <= joint.runner.known


def test_one_lane_that_cannot_be_guided_fails_alone(joint):
    lanes = LaneBatch()
    lanes.add("good", lane(joint, 0))
    bad = lane(joint, 1)
    bad.settings = replace(bad.settings, guidance=Guidance())  # three rows
    lanes.add("bad", bad)
    result = lanes.advance(5)
    assert "3 rows" in str(result["bad"].error)
    assert result["good"].codes.shape[1] == 5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_as_close_as_alone(lm, dtype):
    """The same rounding as in a window's separate step, up to the last bit of sums in another order."""
    half = copy.deepcopy(lm)
    for layer in half.layers:
        for module in (layer.self_attn, layer.cross_attention, layer.linear1, layer.linear2):
            module.to(dtype)
    half.linears.to(dtype)
    executors = choose(lm), choose(half, cache_dtype=dtype), DeviceExecutor(half, cache_dtype=dtype)
    streams = [lane(one, 0, prompt=6) for one in executors]
    for _ in range(20):
        exact, alone, together = (stream.open_window().logits() for stream in streams)
        far = (alone - exact).abs().max()
        assert (together - exact).abs().max() < 3 * far + 1e-3
        for stream in streams:
            stream.window.write(exact[0].argmax(dim=-1))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_what_a_benchmark_calls(lm, rows):
    timed = time_steps(lm, rows=rows, lanes=2, filled=20, memory=3)
    for _ in range(40):
        timed.step()
    timed.wait()
    assert timed.cache_bytes == 2 * rows * 21 * 2 * 2 * 32 * 4  # lanes, rows, positions, layers, keys and values, D
    assert timed.cache_bytes_read == 2 * rows * 32 * 2 * 2 * 32 * 4
    assert timed.weight_bytes == 4 * (2 * (14 * 32 * 32) + 4 * 32 * 40)
    assert timed.first_after(0.01) > 0.0
    with pytest.raises(ValueError, match="rows 4"):
        time_steps(lm, rows=4)


def test_where_graphs_cannot_be_had_steps_are_called_and_it_is_reported(lm, monkeypatch, caplog):
    def refuse(*_args):
        raise RuntimeError("no graphs today\nand more of that")

    monkeypatch.setattr(GraphRunner, "_capture", refuse)
    broken = DeviceExecutor(lm, GraphRunner(torch.device("cpu")))
    assert torch.equal(lane(broken, 0).advance(40), lane(choose(lm), 0).advance(40))
    assert broken.runner.reason == "no graphs today"
    assert len([record for record in caplog.records if "no graphs today" in record.message]) == 1


def test_a_model_in_training_is_used_as_it_is(lm):
    """Steps use weights that changed after the executor was made."""
    trained = copy.deepcopy(lm)
    joint = DeviceExecutor(trained, Rehearsing())
    lane(joint, 0).advance(5)
    with torch.no_grad():
        trained.linears[0].weight.mul_(-1.0)
        trained.emb[1].weight.mul_(0.5)
    assert torch.equal(lane(joint, 0).advance(40), lane(choose(trained), 0).advance(40))


def test_sizes_are_rounded_up_to_buckets():
    assert sizes.bucket_of(1) == sizes.BUCKET_POSITIONS
    assert sizes.bucket_of(sizes.BUCKET_POSITIONS + 1) == 2 * sizes.BUCKET_POSITIONS
    assert [sizes.memory_bucket(count) for count in (0, 1, 8, 9, 40)] == [0, 8, 8, 16, 64]
