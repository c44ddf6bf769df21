"""Three sample clocks: each conversion is exact, and a mix-up is found before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy import api as mypy

from bridge.time.transport import Grid
from engine.serve.timeline.placement import StreamPlacement
from engine.serve.timeline.samples import CodecSample, HostSample, SampleRates, StreamSample

ROOT = Path(__file__).resolve().parents[4]
samples = st.integers(-(1 << 50), 1 << 50)
rates = st.sampled_from([8_000, 22_050, 32_000, 44_100, 48_000, 96_000])


@given(samples, rates, rates)
def test_a_codec_sample_comes_back_from_the_first_stream_sample_that_is_not_before_it(at, codec_hz, stream_hz):
    found = SampleRates(codec_hz, stream_hz, 640)
    stream = found.stream_of(CodecSample(at))
    assert (stream - 1) * codec_hz < at * stream_hz <= stream * codec_hz
    if stream_hz >= codec_hz:
        assert found.codec_of(stream) == at


@given(samples, rates, rates)
def test_the_rates_may_be_reduced(at, codec_hz, stream_hz):
    found, other = SampleRates(codec_hz, stream_hz, 640), SampleRates(codec_hz // 50, stream_hz // 50, 640)
    assert found.stream_of(CodecSample(at)) == other.stream_of(CodecSample(at))
    assert found.codec_of(StreamSample(at)) == other.codec_of(StreamSample(at))
    assert found.stream_length(abs(at)) == other.stream_length(abs(at))


@given(samples)
def test_a_frame_holds_its_samples(at):
    found = SampleRates(32_000, 48_000, 640)
    frame = found.frame_at(CodecSample(at))
    assert found.start_of(frame) <= at < found.start_of(frame + 1)
    assert found.frame_from(CodecSample(at)) == (frame if at == found.start_of(frame) else frame + 1)


@given(samples, samples)
def test_a_place_leads_from_the_host_to_the_stream_and_back(zero, at):
    placement = StreamPlacement.on(Grid(48_000, 120.0), zero)
    assert placement.stream_of(HostSample(zero)) == 0
    assert placement.host_of(placement.stream_of(HostSample(at))) == at


def test_mypy_finds_samples_of_another_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "from engine.serve.timeline.samples import CodecSample, HostSample, SampleRates, StreamSample",
        "good: CodecSample = SampleRates(32_000, 48_000, 640).codec_of(StreamSample(0))",
        "host: HostSample = SampleRates(32_000, 48_000, 640).stream_of(CodecSample(0))",
        "SampleRates(32_000, 48_000, 640).codec_of(HostSample(0))",
        "bare: StreamSample = StreamSample(5) + 1",
    ]
    file = tmp_path / "mixed_up.py"
    file.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("MYPYPATH", os.fspath(ROOT))
    options = ["--config-file", os.devnull, "--follow-imports", "skip", "--cache-dir", os.devnull]
    read = [ROOT / "engine/serve/timeline/samples.py", file]
    text, _, code = mypy.run([*options, *map(os.fspath, read)])
    found = {int(line.split(":")[1]) for line in text.splitlines() if ": error:" in line}
    assert (code, found) == (1, {3, 4, 5}), text
