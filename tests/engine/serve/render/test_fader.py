"""The fader and its recent audio: any cut of the music gives the same, and recent output can be read again."""

from __future__ import annotations

import pytest
import torch

from engine.serve.render.fader import RecentAudio, StreamFader

RATE = 1000  # a glide of 10 samples


def test_a_mute_is_a_short_fade_and_any_cut_gives_the_same() -> None:
    fader = StreamFader(RATE)
    fader.fade(20, 0.0)
    fader.fade(50, 1.0)
    whole = fader.over(0, 100)
    assert torch.equal(whole[:20], torch.ones(20))
    assert torch.all(whole[20:30].diff() < 0)
    assert torch.equal(whole[29:50], torch.zeros(21))
    assert float(whole[20]) < 1.0  # from its first sample on
    assert torch.equal(whole[59:], torch.ones(41))
    for cut in (1, 7, 25, 55):
        assert torch.equal(torch.cat([fader.over(0, cut), fader.over(cut, 100 - cut)]), whole)


def test_a_fade_begins_where_the_one_before_it_was() -> None:
    fader = StreamFader(RATE)
    fader.fade(10, 0.0)
    fader.fade(15, 1.0)  # half-way down
    gains = fader.over(0, 40)
    assert float(gains.min()) == pytest.approx(0.5, abs=0.11)
    assert float(gains.diff().abs().max()) < 0.11
    assert fader.target == 1.0


def test_a_later_fade_is_forgotten_by_an_earlier_one() -> None:
    fader = StreamFader(RATE)
    fader.fade(100, 0.0)
    fader.fade(50, 1.0)
    assert torch.equal(fader.over(0, 300), torch.ones(300))
    music = torch.rand(300, 2)
    assert torch.equal(fader.faded(music, 0), music)


def test_recent_audio_has_the_last_seconds() -> None:
    recent_audio = RecentAudio(RATE, 2)
    music = torch.arange(20_000.0)[:, None].repeat(1, 2)
    for begin in range(0, 20_000, 700):
        recent_audio.put(music[begin : begin + 700], begin)
    assert (recent_audio.stream_begin, recent_audio.stream_end) == (12_000, 20_000)
    assert torch.equal(recent_audio.between(13_000, 14_000), music[13_000:14_000])
    recent_audio.put(-music[15_000:15_100], 15_000)  # regenerated from there
    assert recent_audio.stream_end == 15_100
    assert torch.equal(recent_audio.between(14_990, 15_010), torch.cat([music[14_990:15_000], -music[15_000:15_010]]))
    recent_audio.put(music[18_000:18_010], 18_000)  # with a hole before it
    assert (recent_audio.stream_begin, recent_audio.stream_end) == (18_000, 18_010)
