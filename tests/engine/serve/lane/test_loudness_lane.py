"""Audio in a ring has the requested loudness, and a true peak under the ceiling whatever the fader does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lane_rig import RATE, RigHost
from test_guard_actions import CARD, FRAME, SILENT, SoundOfCodes, falling_host

from engine.audio.resample import StreamResampler
from engine.listen.meter import integrated_lufs
from engine.listen.true_peak import true_peak_dbtp
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render.codec_output import CodecOutput
from engine.serve.render.loudness_target import target_lufs


@pytest.fixture
def loud() -> RigHost:
    return falling_host(SILENT, 1e6, seed=8.0, level_db=12.0, loudness_lufs=-10.0)


def play(host: RigHost, seconds: float) -> np.ndarray:
    try:
        host.publish()
        host.play()
        host.settle()
        host.start()
        return host.render(int(seconds * RATE))
    finally:
        host.close()


def test_no_peak_over_the_ceiling_with_the_fader_all_the_way_up(loud):
    sound = play(loud, 5.0)
    assert np.isfinite(sound).all()
    assert -2.0 < true_peak_dbtp(sound, RATE) <= -1.0


@pytest.mark.parametrize("pieces", [1, 7])
def test_the_stream_comes_to_the_loudness_asked_for_and_goes_back_with_it(pieces):
    codes = torch.randint(2, CARD, (4, 1500), generator=torch.Generator().manual_seed(2))
    codec_output = CodecOutput(SoundOfCodes(), StreamResampler(32_000, RATE), 2).with_loudness(-26.0)
    sound = torch.cat([codec_output.push(part) for part in codes.chunk(pieces, dim=1)]).numpy()
    assert integrated_lufs(sound[: 2 * RATE], RATE) > -20.0
    assert integrated_lufs(sound[-5 * RATE :], RATE) == pytest.approx(-26.0 + 3.0, abs=1.2)  # mono, doubled
    again = codec_output.again_from(1300, codes[:, :1300])
    more = again.push(codes[:, 1300:]).numpy()
    begin = 1300 * FRAME * 3 // 2
    np.testing.assert_allclose(more[RATE:], sound[begin + RATE : begin + len(more)], atol=1e-4)


def test_the_target_is_the_regions_unless_a_figure_is_given():
    tone = 0.1 * torch.sin(2 * torch.pi * 997 * torch.arange(200 * FRAME) / 32_000)[None]
    region = ReferenceAudio(tone, 120.0, 0.0)
    plain = LaneSettings().with_value("loudness_match", 1.0)
    assert target_lufs(plain, region, 1.0, 1, 2) == pytest.approx(-23.0, abs=0.1)
    assert target_lufs(plain, region, 2.0, 1, 2) == pytest.approx(-17.0, abs=0.1)  # twice as loud for the model
    assert target_lufs(plain, None, 1.0, 1, 2) is None
    assert target_lufs(plain.with_value("loudness_match", 0.0), region, 1.0, 1, 2) is None
    figure = plain.with_value("loudness_lufs", -16.0)
    assert target_lufs(figure, region, 1.0, 1, 2) == pytest.approx(-19.01, abs=0.01)  # doubled, it is 3 LU louder
    assert target_lufs(figure, region, 1.0, 2, 2) == -16.0
