"""Candidates: the beat is detected at its phase, the best candidate is chosen, forks continue equally."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.config import LMConfig
from engine.core.sampling import Sampling
from engine.listen.beat import share_on_grid
from engine.listen.choose import best, worth
from engine.listen.faults import SILENCE, Verdict
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.select import choose
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.candidate_set import CandidateSet
from engine.stream.fork import fork

RATE = 32_000


def clicks(bpm: float, off_seconds: float = 0.0, seconds: float = 4.0, per_beat: int = 2) -> np.ndarray:
    rng = np.random.default_rng(1)
    audio = 0.001 * rng.standard_normal(int(seconds * RATE))
    for at in np.arange(off_seconds % (60 / bpm / per_beat), seconds - 0.1, 60 / bpm / per_beat):
        hit = rng.standard_normal(1600) * np.exp(-np.arange(1600) / 300)
        audio[int(at * RATE) : int(at * RATE) + 1600] += 0.3 * hit
    return audio.astype(np.float32)


def test_the_beat_is_detected_at_its_tempo_and_phase():
    def score(audio: np.ndarray, bpm: float = 120.0) -> float:
        return share_on_grid(audio, RATE, lambda seconds: seconds * bpm / 60)

    assert score(clicks(120.0)) > 0.8
    assert score(clicks(120.0, off_seconds=0.0625)) < 0.1  # between eighths
    assert score(clicks(120.0, off_seconds=0.03)) < score(clicks(120.0, off_seconds=0.01))
    assert abs(score(clicks(137.0), 120.0)) < 0.2
    assert score(np.zeros(RATE, np.float32)) == 0.0


def test_faults_and_levels_count_against_a_candidate():
    before, good = clicks(120.0), clicks(120.0)
    at = lambda seconds: seconds * 2.0  # noqa: E731
    fault = Verdict(SILENCE, 0, 50, 1.0)
    worths = [worth(before, good, RATE, at, fault), worth(before, good * 8, RATE, at), worth(before, good, RATE, at)]
    assert best(worths) == 2
    assert worths[0] < worths[1] < worths[2]
    assert worth(before, good, RATE, None) == 0.0  # no grid, nothing against it


def tiny(onnx: bool) -> Executor:
    torch.manual_seed(5)
    lm = LanguageModel(LMConfig(dim=16, n_heads=2, n_layers=2, card=32)).eval()
    return OnnxExecutor(lm, bits=None) if onnx else choose(lm)


@pytest.mark.parametrize("onnx", [False, True], ids=["as chosen", "onnx"])
def test_a_fork_goes_on_like_its_stream_and_leaves_it_alone(onnx):
    executor = tiny(onnx)

    def begin() -> TokenStream:
        settings = StreamSettings(Sampling(top_k=0), size=WindowSize(60, 30), prepared=True)
        return TokenStream.begin(executor, lambda offset, count: (Conditions(),), None, settings, seed=3)

    alone, stream = begin(), begin()
    want = alone.advance(80)
    stream.advance(20)
    other = fork(stream, seed=9)
    twin = fork(stream, seed=9)
    other.advance(50)
    assert torch.equal(stream.advance(60), want[:, 20:])
    assert torch.equal(twin.advance(50), other.codes(20))
    assert torch.equal(other.codes(0, 20), want[:, :20])
    assert not torch.equal(other.codes(20, 70), want[:, 20:70])


def test_a_candidate_set_is_done_when_all_are_and_the_first_is_the_stream_itself():
    executor = tiny(False)
    settings = StreamSettings(Sampling(top_k=0))
    stream = TokenStream.begin(executor, lambda offset, count: (Conditions(),), None, settings, seed=3)
    stream.advance(10)
    candidate_set = CandidateSet.begin(stream, 15, [4, 5])
    assert candidate_set.streams[0] is stream
    for each in candidate_set.streams:
        assert not candidate_set.done
        each.advance(5)
    assert candidate_set.done
    assert [candidate_set.codes(index).shape[1] for index in range(3)] == [5, 5, 5]
