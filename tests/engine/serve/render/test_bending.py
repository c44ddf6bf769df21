"""A lane whose model has no tempo conditioning: its audio is bent onto the host's beat, through regenerations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lane_rig import RATE, HandClock, PlainConditioner, RigHost, make_model

from engine.beat import onsets
from engine.serve.lane.generate_loop import GenerateLoop

sys.path.insert(0, str(Path(__file__).parents[2] / "beat"))
from beat_rig import RATE_HZ, drums, uneven

BPM = 120.0


class RecordedCodec:
    """Plays a recording, whatever the codes are; finds its position by the audio before."""

    sample_rate, channels, frame_samples, n_codebooks, lookahead_frames = RATE_HZ, 1, 640, 4, 0

    def __init__(self, recent_audio: np.ndarray, card: int) -> None:
        self.recent_audio, self.card = torch.from_numpy(recent_audio), card

    def init_decoder(self, prompt_audio=None, prompt_codes=None):
        if prompt_audio is None:
            return 0
        end = prompt_audio[0, 0, -2000:-1000]
        # the previous audio ends on a frame: its last 2000 samples begin 560 samples into one
        begins = torch.arange(560, len(self.recent_audio) - 2000, 640)
        unlike = torch.stack([(self.recent_audio[begin : begin + 1000] - end).abs().sum() for begin in begins.tolist()])
        assert float(unlike.min()) < 1e-3, "a decoder is told what the model made, as it made it"
        return int(begins[int(unlike.argmin())]) + 2000

    def decode_step(self, codes, state, last=False):
        end = state + 640 * codes.shape[-1]
        return self.recent_audio[state:end][None, None], end


class Untimed(PlainConditioner):
    takes = frozenset({"text"})


def recorded_host(recent_audio: np.ndarray, conditioner=Untimed) -> RigHost:
    model = make_model()
    model = replace(model, codec=RecordedCodec(recent_audio, model.lm.config.card), conditioner=conditioner(16))
    return RigHost(GenerateLoop(model, HandClock()))


def offs_ms(sound: np.ndarray, first_beat: int) -> np.ndarray:
    """Distance of the strongest onset from each beat, from a beat on, in ms."""
    assert not np.isnan(sound).any()
    mono = np.interp(np.arange(0, len(sound), RATE / RATE_HZ), np.arange(len(sound)), sound[:, 0])
    found = onsets.strengths(mono)
    at = onsets.places(0, len(found)) / RATE_HZ
    offs = []
    for beat in range(first_beat, int(at[-1] * BPM / 60)):
        near = np.abs(at - beat * 60 / BPM) < 0.13
        strong = found[near] > 0.7 * found[near].max()
        offs.append((at[near][strong].mean() - beat * 60 / BPM) * 1000)
    return np.array(offs)


@pytest.fixture(scope="module")
def slow() -> np.ndarray:
    return uneven(drums(BPM, 22), lambda t: 0.975 + 0 * t)[0]


@pytest.fixture
def drifting(slow) -> Iterator[RigHost]:
    host = recorded_host(slow)
    yield host
    host.close()


def begun(host: RigHost) -> RigHost:
    host.play()  # the host stands: the music begins on its first sample
    host.settle()
    host.start()
    return host


def test_music_that_drifts_is_heard_on_the_beat(drifting):
    beats = drifting.events.beats
    sound = begun(drifting).render(12 * RATE)
    offs = offs_ms(sound, 10)
    assert np.percentile(np.abs(offs), 90) < 25
    assert drifting.lane.controller.renderer.codec_output.bend.map.last.shift > 0.15 * RATE_HZ
    assert beats
    assert abs(beats[-1][1] - beats[-1][0] * 60_000 / BPM) < 1e-6


def test_switched_off_it_plays_as_it_was_made(drifting, slow):
    drifting.lane.update(lambda settings: settings.with_value("bend", 0.0))
    sound = begun(drifting).render(8 * RATE)
    made = np.interp(np.arange(0, 7 * RATE_HZ, RATE_HZ / RATE), np.arange(len(slow)), slow)
    heard = sound[: len(made), 0]
    assert np.corrcoef(heard, made)[0, 1] > 0.99
    assert abs(offs_ms(sound, 12)[-1]) > 60


def test_a_change_of_prompt_goes_on_where_the_music_was(drifting):
    begun(drifting).render(7 * RATE)
    drifting.lane.update(lambda settings: settings.with_prompt("other"))
    renderer = drifting.lane.controller.renderer
    version = renderer.version
    sound = drifting.render(6 * RATE)
    assert drifting.lane.controller.renderer is renderer
    assert renderer.version > version
    assert np.percentile(np.abs(offs_ms(np.concatenate([np.zeros((RATE, 2), np.float32), sound]), 4)), 85) < 25
    assert renderer.codec_output.audio_end == renderer.codec_output.bend.out_end


def test_an_end_is_kept_however_much_is_skipped(drifting):
    drifting.play(bars=4)
    drifting.settle()
    drifting.start()
    sound = drifting.render(9 * RATE)
    assert not np.isnan(sound[: 8 * RATE]).any()
    assert np.abs(sound[7 * RATE : 8 * RATE]).max() > 0.01
    assert np.nan_to_num(np.abs(sound[8 * RATE + 100 :])).max() == 0
    assert not drifting.lane.controller.renderer


def test_models_that_take_the_tempo_are_not_touched(slow):
    host = recorded_host(slow, PlainConditioner)
    begun(host).render(RATE)
    assert host.lane.controller.renderer.codec_output.bend is None
    host.close()
