"""Of a trade, whether an answer repeats the player's turn: copies of it must be found, other music must not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from plugin_host.bench.jam.figures import Recording
from plugin_host.bench.jam.likeness import AnswerLikeness, answers_likeness, likeness_rows
from plugin_host.jam.listening.features import chroma_likeness
from tests.plugin_host.jam.players import RATE, Mono, player

BPM, BARS = 120.0, 2
TURN = 4 * RATE  # samples
ASKED = player("rock", 4)


def copied(late_seconds: float, gain: float, noise_db: float) -> Mono:
    """The player's turn once more, not to the sample."""
    late = round(late_seconds * RATE)
    noise = np.random.default_rng(7).standard_normal(TURN) * np.sqrt(np.square(ASKED).mean()) * 10 ** (noise_db / 20)
    return np.asarray(gain * (np.concatenate([np.zeros(late), ASKED])[:TURN] + noise), np.float32)


def pitched(rate: float) -> Mono:
    """The player's rhythm with other notes: in frames, each faster or slower."""
    size, window = 2400, np.hanning(4800)
    out = np.zeros(TURN + 4800)
    for at in range(0, TURN - 4800, size):
        place = at + np.arange(4800) * rate
        out[at : at + 4800] += window * np.interp(place, np.arange(TURN), ASKED)
    return out[:TURN].astype(np.float32)


def trade(folder: Path, answer: Mono, asked: Mono = ASKED) -> Recording:
    """The recording of one turn of the player's and one of Segue's."""
    silence, jam = np.zeros(TURN, np.float32), folder / "jam"
    jam.mkdir()
    for name, parts in (("input", (asked, silence)), ("segue", (silence, answer))):
        soundfile.write(
            jam / f"{name}.wav", np.repeat(np.concatenate(parts)[:, None], 2, axis=1), RATE, subtype="FLOAT"
        )
    lines = [
        {"kind": "timeline", "sample": 0, "bpm": BPM}, {"kind": "phase", "phase": "playing", "bar": BARS},
        {"kind": "figures"},
    ]  # fmt: skip
    (jam / "session.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Recording(jam)


@pytest.mark.parametrize(
    "answer",
    [ASKED, copied(0.0, 2.0, -60.0), copied(0.01, 0.7, -26.0), copied(0.03, 0.3, -30.0), pitched(1.06)],
    ids=["the same", "louder", "late, softer, noise", "later", "its rhythm alone"],
)
def test_an_answer_that_copies_the_input_misses(tmp_path: Path, answer: Mono) -> None:
    (found,) = answers_likeness(trade(tmp_path, answer))
    assert not found.unlike, found
    assert not likeness_rows([found])[0].met


def test_another_answer_is_met(tmp_path: Path) -> None:
    (found,) = answers_likeness(trade(tmp_path, player("lofi", 4)))
    assert found.unlike, found
    assert likeness_rows([found])[0].met
    assert min(found.repeat_chroma, found.repeat_onsets) > 0.85


def test_half_a_turn_of_silence_is_not_compared_and_no_answer_at_all_misses(tmp_path: Path) -> None:
    asked = np.concatenate([ASKED[: TURN // 2], np.zeros(TURN // 2, np.float32)])
    assert answers_likeness(trade(tmp_path, ASKED, asked)) == []
    assert not likeness_rows([])[0].met


def test_each_of_both_counts() -> None:
    assert AnswerLikeness(0.6, 0.6, 1.0, 1.0).unlike
    assert not AnswerLikeness(0.97, 0.6, 1.0, 1.0).unlike
    assert not AnswerLikeness(0.6, 0.97, 1.0, 1.0).unlike


def test_chroma_of_the_same_music_with_rests_is_that_of_a_repeat() -> None:
    rests = np.concatenate([ASKED[: TURN // 4], np.zeros(TURN // 2, np.float32)])[:, None]
    assert chroma_likeness(rests, rests, RATE) == pytest.approx(1.0)
