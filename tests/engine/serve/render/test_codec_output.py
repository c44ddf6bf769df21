"""Codes to host samples: any cut equals the whole, seams do not click, streams can be resumed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
import torch

from engine.audio.extrapolate import carry_on
from engine.audio.resample import StreamResampler
from engine.codec.encodec import Encodec
from engine.serve.render.codec_output import CodecOutput


@pytest.fixture(scope="module")
def codec():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    return tiny_codec()


def tiny_codec() -> Encodec:
    from engine.codec.encodec import EncodecConfig

    codec = Encodec(EncodecConfig(n_filters=2, dim=8, card=32)).eval()
    torch.nn.init.normal_(codec.quantizer.get_buffer("tables"))
    return codec


def random_codes(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(32, (4, frames), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_any_cut_equals_the_whole(codec, rate):
    codes, resampler = random_codes(40), StreamResampler(32_000, rate)
    whole = resampler.whole(codec.decode(codes[None])[0])
    for seed in range(3):
        chooser, codec_output, parts, at = random.Random(seed), CodecOutput(codec, resampler, 2), [], 0
        while at < 40:
            step = min(chooser.randrange(0, 9), 40 - at)
            parts.append(codec_output.push(codes[:, at : at + step], last=at + step == 40))
            at += step
        got = torch.cat(parts)
        assert got.shape == (-(-40 * 640 * rate // 32_000), 2)
        assert codec_output.end_samples == len(got)
        torch.testing.assert_close(got[:, 0], whole[0], atol=1e-5, rtol=0)
        assert torch.equal(got[:, 0], got[:, 1])


def pushed(codec_output: CodecOutput, codes: torch.Tensor, steps: Iterator[int]) -> torch.Tensor:
    parts, at, end = [], 0, codes.shape[1]
    while at < end:
        step = min(next(steps), end - at)
        parts.append(codec_output.push(codes[:, at : at + step], last=at + step == end))
        at += step
    return torch.cat(parts)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("kind", ["from silence", "after music", "taken back"])
def test_a_hop_of_any_length_gives_the_same_bits(codec, rate, kind):
    """Hops vary in length with the time there is: a take made again is the same, whatever else runs."""
    codes = random_codes(101)

    def made(steps: Iterator[int]) -> torch.Tensor:
        resampler = StreamResampler(32_000, rate)
        if kind == "from silence":
            codec_output = CodecOutput(codec, resampler, 2, level=0.7)
        else:
            before = random_codes(64, 2)
            codec_output = CodecOutput(codec, resampler, 2, 0.1 * codec.decode(before[None])[0], before)
        if kind == "taken back":
            codec_output.push(random_codes(40, 3))
            codec_output = codec_output.again_from(20, random_codes(20, 3), hold_samples=3_000)
        return pushed(codec_output.with_loudness(-20.0).with_level(1.3), codes, steps)

    wanted = made(itertools.repeat(4))
    for hop in (1, 3, 8, 10, 50):
        assert torch.equal(made(itertools.repeat(hop)), wanted), f"hops of {hop}"
    chooser = random.Random(1)
    assert torch.equal(made(chooser.randrange(0, 12) for _ in itertools.count()), wanted)


def test_a_preview_has_what_waits_for_its_piece(codec):
    """A preview includes codes that wait for their piece to be complete."""
    codes, resampler = random_codes(40), StreamResampler(32_000, 32_000)
    cut, whole = CodecOutput(codec, resampler, 1), CodecOutput(codec, resampler, 1)
    cut.push(codes[:, :18])
    whole.push(codes[:, :16])
    assert torch.equal(
        cut.decoder.preview(codes[:, 18:30], last=True), whole.decoder.preview(codes[:, 16:30], last=True)
    )


def test_begins_where_the_music_before_ends(codec):
    """No step at the joint: the first sample is near the last one given, at the host's rate too."""
    before = 0.5 * torch.sin(torch.arange(64 * 640) / 20.0)[None] + 0.3
    codec_output = CodecOutput(codec, StreamResampler(32_000, 48_000), 1, before, random_codes(64))
    out = codec_output.push(random_codes(20, seed=1))
    assert abs(float(out[0, 0] - before[0, -1])) < 0.05
    cold = CodecOutput(codec, StreamResampler(32_000, 48_000), 1).push(random_codes(20, seed=1))
    assert abs(float(cold[0, 0] - before[0, -1])) > 0.1


def test_taken_up_again_with_the_same_codes_it_is_the_same_music(codec):
    codes, resampler = random_codes(60), StreamResampler(32_000, 44_100)
    codec_output = CodecOutput(codec, resampler, 1)
    first = codec_output.push(codes)
    again = codec_output.again_from(30, codes[:, :30])
    assert again.end_samples == -(-30 * 640 * 441 // 320)
    second = again.push(codes[:, 30:])
    start = -(-30 * 640 * 441 // 320)
    settled = 1500  # the decoder's state is primed with 30 frames, not kept: it settles
    torch.testing.assert_close(second[settled:9000], first[start + settled : start + 9000], atol=2e-3, rtol=0)
    usual_step = (first[1:, 0] - first[:-1, 0]).abs().max()
    assert (second[0, 0] - first[start - 1, 0]).abs() <= usual_step


def test_only_kept_audio_can_be_taken_up(codec):
    codec_output = CodecOutput(codec, StreamResampler(32_000, 48_000), 1)
    codec_output.push(random_codes(30))
    with pytest.raises(ValueError, match="frame 29"):
        codec_output.again_from(29, random_codes(29))  # not final yet: the codec looks ahead


def test_level_glides(codec):
    codes, resampler = random_codes(60), StreamResampler(32_000, 32_000)
    plain = CodecOutput(codec, resampler, 1)
    plain.push(codes[:, :20])
    loud = CodecOutput(codec, resampler, 1)
    loud.push(codes[:, :20])
    loud.with_level(0.5)
    a, b = plain.push(codes[:, 20:40]), loud.push(codes[:, 20:40])
    assert abs(float(b[0, 0] - a[0, 0])) < 1e-4
    assert abs(float(b[-1, 0] - 0.5 * a[-1, 0])) < 1e-4
    torch.testing.assert_close(loud.push(codes[:, 40:]), plain.push(codes[:, 40:]) * 0.5)


def test_replay_is_what_was_put_out(codec):
    codec_output = CodecOutput(codec, StreamResampler(32_000, 44_100), 2)
    first = codec_output.push(random_codes(60))
    start = -(-20 * 640 * 441 // 320)
    assert torch.equal(codec_output.replay(20, 5000), first[start : start + 5000])


def test_taken_back_at_the_very_end_of_what_was_made_nothing_jumps(codec):
    """All made music is heard, and its extrapolation fades to the new."""
    codes = random_codes(40)
    codec_output = CodecOutput(codec, StreamResampler(32_000, 32_000), 1)
    heard = codec_output.push(codes[:, :20])
    frame = codec_output.audio_end // 640 - 1
    hold = codec_output.audio_end - frame * 640
    again = codec_output.again_from(frame, codes[:, :frame], hold)
    other = again.push(random_codes(20, seed=5))
    plain = CodecOutput(codec, StreamResampler(32_000, 32_000), 1, heard[: frame * 640].T, codes[:, :frame], frame)
    wanted = plain.push(random_codes(20, seed=5))
    assert torch.equal(other[:hold], heard[frame * 640 :])
    fade = int(0.005 * 32_000)
    torch.testing.assert_close(other[hold + fade :], wanted[hold + fade :], atol=1e-5, rtol=0)
    ahead = torch.from_numpy(carry_on(heard.T.numpy(), fade))[0]
    torch.testing.assert_close(other[hold, 0], ahead[0], atol=0.02, rtol=0)
    middle = (ahead[fade // 2] + wanted[hold + fade // 2, 0]) / 2
    torch.testing.assert_close(other[hold + fade // 2, 0], middle, atol=0.02, rtol=0)
