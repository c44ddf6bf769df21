"""Writing audio as audiocraft does: loudness against the reference's vectors, formats, files, refusals."""

from __future__ import annotations

import inspect
import io
import math

import numpy as np
import pytest
import soundfile
import torch
import torchaudio

from engine import audio_read, audio_write
from engine.audio import audio_file
from engine.audio.loudness import loudness_lufs, normalize_audio, normalize_loudness
from engine.errors import AudioError, UnsupportedError

RATE = 32_000


@pytest.fixture(scope="module")
def vectors(golden) -> dict[str, np.ndarray]:
    with np.load(golden / "misc" / "loudness.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def signals(vectors) -> dict[str, torch.Tensor]:
    sounds = {name: torch.from_numpy(vectors[f"{name}_i16"]).float() / 32768 for name in ("mono", "stereo")}
    return sounds | {"loud": 3.0 * sounds["mono"], "quiet": 0.001 * sounds["mono"]}


@pytest.mark.parametrize("name", ["mono", "stereo", "loud"])
def test_loudness(vectors, signals, name):
    assert loudness_lufs(signals[name], RATE) == pytest.approx(float(vectors[f"{name}__lufs"]), abs=0.01)


@pytest.mark.parametrize("name", ["mono", "stereo", "loud", "quiet"])
@pytest.mark.parametrize("compressor", [False, True])
def test_made_as_loud_as_the_reference_does(vectors, signals, name, compressor):
    got = normalize_audio(signals[name], strategy="loudness", sample_rate=RATE, loudness_compressor=compressor)
    want = f"{name}__loudness_comp{int(compressor)}"
    np.testing.assert_allclose(got[:, :1500].numpy(), vectors[f"{want}_first1500"], atol=1e-5)
    assert float(got.abs().max()) == pytest.approx(float(vectors[f"{want}_peak"]), abs=1e-5)


@pytest.mark.parametrize("strategy", ["peak", "clip", "rms"])
def test_the_other_strategies(vectors, signals, strategy):
    got = normalize_audio(signals["loud"], strategy=strategy, sample_rate=RATE)
    np.testing.assert_allclose(got[:, :1000].numpy(), vectors[f"loud__{strategy}_first1000"], atol=1e-6)


def test_headroom(vectors, signals):
    got = normalize_audio(
        signals["stereo"], strategy="loudness", sample_rate=RATE, loudness_headroom_db=16, loudness_compressor=True
    )
    np.testing.assert_allclose(got[:, :1000].numpy(), vectors["headroom16_stereo_first1000"], atol=1e-5)
    plain = normalize_audio(signals["stereo"], strategy="loudness", sample_rate=RATE, loudness_headroom_db=16)
    assert loudness_lufs(plain, RATE) == pytest.approx(-16, abs=0.01)


def test_only_quieter_without_normalize(signals):
    for strategy in ("peak", "rms"):
        assert torch.equal(normalize_audio(signals["quiet"], False, strategy), signals["quiet"])
        assert float(normalize_audio(signals["loud"], False, strategy).abs().max()) < 1.0


def test_silence_and_what_cannot_be_heard_stay(signals):
    """Silence is unchanged by every strategy; a constant stays finite."""
    silence = torch.zeros(1, RATE)
    for strategy in ("peak", "clip", "rms", "loudness"):
        assert torch.equal(normalize_audio(silence, strategy=strategy, sample_rate=RATE), silence)
    constant = torch.full((1, 4 * RATE), 0.01)
    assert torch.isfinite(normalize_loudness(constant, RATE)).all()


def test_what_is_cut_is_reported():
    """Clipping by `rms` is reported as a warning."""
    loud = torch.cat([torch.full((1, RATE), 0.01), torch.ones(1, 300)], dim=1)
    with pytest.warns(UserWarning, match=r"song: .*% of the samples"):
        assert float(normalize_audio(loud, strategy="rms", log_clipping=True, stem_name="song").max()) == 1.0


def test_wav_is_sixteen_bits_rounded_and_saturated(tmp_path):
    path = audio_write(
        tmp_path / "deep" / "x",
        torch.tensor([0.0, 0.5, -0.25, 1.0, -1.0, 1.49 / 32768]),
        8000,
        strategy="clip",
        peak_clip_headroom_db=0,
    )
    assert path == tmp_path / "deep" / "x.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    assert (rate, samples.tolist()) == (8000, [0, 16384, -8192, 32767, -32768, 1])
    assert soundfile.info(path).subtype == "PCM_16"


@pytest.mark.parametrize(
    ("format", "channels"), [("wav", 2), ("flac", 1), ("flac", 2), ("ogg", 2), ("mp3", 1), ("mp3", 2)]
)
def test_every_format_is_read_again(tmp_path, format, channels):
    wav = 0.4 * torch.sin(torch.arange(3 * RATE) * 0.05).expand(channels, -1).clone()
    wav[0] *= 0.5
    path = audio_write(str(tmp_path / "tone"), wav, RATE, format, strategy="loudness")
    assert path.name == f"tone.{format}"
    again, rate = audio_read(path)
    assert (rate, again.shape[0]) == (RATE, channels)
    assert abs(again.shape[1] - wav.shape[1]) < 3000  # MP3 pads its ends
    assert loudness_lufs(again, RATE) == pytest.approx(-14, abs=0.3)


def test_mp3_is_as_large_as_asked(tmp_path):
    noise = torch.randn(1, 4 * RATE, generator=torch.Generator().manual_seed(1))
    sizes = {rate: audio_write(tmp_path / f"{rate}", noise, RATE, "mp3", rate).stat().st_size for rate in (320, 128)}
    assert sizes[320] == pytest.approx(4 * 320_000 / 8, rel=0.05)
    assert sizes[128] == pytest.approx(4 * 128_000 / 8, rel=0.05)


def test_mp3_below_32_khz_has_its_own_highest_rate(tmp_path):
    noise = torch.randn(1, 4 * 16_000, generator=torch.Generator().manual_seed(1))
    size = audio_write(tmp_path / "low", noise, 16_000, "mp3").stat().st_size
    assert size == pytest.approx(4 * 160_000 / 8, rel=0.05)


def test_reading_a_part(tmp_path):
    path = audio_write(tmp_path / "ramp", torch.linspace(-0.5, 0.5, 8000), 8000, strategy="none", add_suffix=True)
    whole, _ = audio_read(path)
    part, rate = audio_read(path, seek_time=0.25, duration=0.5)
    assert torch.equal(part, whole[:, 2000:6000])
    padded, _ = audio_read(path, seek_time=0.9, duration=0.5, pad=True)
    assert padded.shape == (1, 4000)
    assert torch.equal(padded[:, :800], whole[:, 7200:])
    assert torch.equal(audio_file.load(path, 10, 5)[0], whole[:, 10:15])
    assert rate == 8000


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"format": "m4a"}, ValueError, "wav, flac, ogg, mp3"),
        ({"strategy": "loud"}, ValueError, "peak, clip, rms, loudness"),
        ({"wav": torch.zeros(1, 2, 3)}, ValueError, r"\[n\] or \[C, n\]"),
        ({"wav": torch.zeros(1, 9, dtype=torch.int16)}, ValueError, "int16"),
        ({"wav": torch.full((1, 99), math.nan)}, AudioError, "NaN"),
        ({"wav": torch.zeros(1, 0)}, AudioError, "empty"),
        ({"wav": 0.1 * torch.ones(1, 3000), "strategy": "loudness"}, AudioError, r"0\.4 s.*0\.094 s"),
        ({"wav": 2 * torch.ones(1, 3000), "strategy": "none"}, AudioError, r"reaches 2\.0"),
        ({"format": "ogg", "ogg_rate": 128}, UnsupportedError, "quality"),
        ({"format": "mp3", "mp3_rate": 1000}, ValueError, "32 to 320"),
        ({"format": "mp3", "wav": torch.rand(7, 4000)}, AudioError, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, wrong, error, text):
    given = {"wav": 0.1 * torch.ones(1, RATE), "sample_rate": RATE} | wrong
    with pytest.raises(error, match=text):
        audio_write(tmp_path / "x", **given)
    assert not list(tmp_path.iterdir())


def test_what_is_not_audio_is_refused(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"RIFF nothing")
    for name in ("x.wav", "none.wav"):
        with pytest.raises(AudioError, match=name):
            audio_read(tmp_path / name)


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [0, -1, 44_100.5, "44100", 1_000_000])
def test_rates_that_end_libsndfile_are_refused_before(tmp_path, format, rate):
    with pytest.raises(AudioError, match="sample rate"):
        audio_write(tmp_path / "x", torch.zeros(1, 640), rate, format=format)
    assert not list(tmp_path.iterdir())


def test_vorbis_goes_to_its_own_highest_rate(tmp_path):
    assert audio_read(audio_write(tmp_path / "x", torch.zeros(1, 640), 200_000.0, format="ogg"))[1] == 200_000
    with pytest.raises(AudioError, match="200000"):
        audio_write(tmp_path / "y", torch.zeros(1, 640), 384_000, format="ogg")


def test_what_is_no_tensor_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ndarray.*from_numpy"):
        audio_write(tmp_path / "x", np.zeros((1, 640), np.float32), 32_000)


NUMBERS = {
    "PCM_U8": torch.uint8, "PCM_16": torch.int16, "PCM_24": torch.int32, "PCM_32": torch.int32, "FLOAT": torch.float32,
    "DOUBLE": torch.float64,
}  # fmt: skip


def stored(subtype="PCM_16", format="WAV"):
    memory = io.BytesIO()
    soundfile.write(memory, np.array([[0.0, 0.5], [-1.0, -0.25]] * 500), RATE, format=format, subtype=subtype)
    memory.seek(0)
    return memory


@pytest.mark.parametrize("subtype", NUMBERS)
def test_a_wav_files_own_numbers_come_without_normalize(subtype):
    audio, rate = audio_file.load(stored(subtype), normalize=False)
    assert (audio.dtype, audio.shape, rate) == (NUMBERS[subtype], (2, 1000), RATE)
    full = {"PCM_U8": 128, "PCM_16": 1 << 15, "PCM_24": 1 << 31, "PCM_32": 1 << 31}.get(subtype, 1)
    middle = 128 if subtype == "PCM_U8" else 0
    assert (audio[:, :2].double() - middle).tolist() == [[0.0, -full], [full / 2, -full / 4]]
    assert audio_file.load(stored(subtype))[0][:, :2].tolist() == [[0.0, -1.0], [0.5, -0.25]]


def test_other_kinds_are_floats_without_normalize_as_torchaudios_are():
    assert audio_file.load(stored("PCM_16", "FLAC"), normalize=False)[0].dtype == torch.float32
    with pytest.raises(UnsupportedError, match="ULAW"):
        audio_file.load(stored("ULAW"), normalize=False)


class OnlyReads:
    """A stream with `read` only, like a download."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, count=-1):
        return self._file.read(count)


def test_load_takes_torchaudios_arguments_by_place_and_name(tmp_path):
    data = stored().getvalue()
    (tmp_path / "x.wav").write_bytes(data)
    whole, rate = audio_file.load(tmp_path / "x.wav")
    assert (whole.shape, rate) == ((2, 1000), RATE)
    for uri in (str(tmp_path / "x.wav"), io.BytesIO(data), OnlyReads(data)):
        again, _ = audio_file.load(uri, 1, 998, True, False, "wav", 4096, "soundfile")
        assert torch.equal(again, whole[:, 1:999].T)
    named = {"uri": io.BytesIO(data), "frame_offset": 1, "num_frames": 998, "normalize": True}
    again, _ = audio_file.load(**named, channels_first=False, format=None, buffer_size=1, backend=None)
    assert torch.equal(again, whole[:, 1:999].T)
    assert list(inspect.signature(audio_file.load).parameters) == list(inspect.signature(torchaudio.load).parameters)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"backend": "ffmpeg"}, UnsupportedError, "'ffmpeg'.*libsndfile"),
        ({"uri": "https://example.org/x.wav"}, UnsupportedError, "download it first"),
        ({"uri": b"RIFF"}, ValueError, r"bytes.*BytesIO"),
        ({"uri": 5}, ValueError, "int, must be a path"),
        ({"frame_offset": -1}, ValueError, "frame_offset is -1"),
        ({"num_frames": -2}, ValueError, "num_frames -2"),
        ({"format": 3}, ValueError, "format is a int"),
        ({"uri": io.BytesIO(b"hello")}, AudioError, "the file object cannot be read as audio"),
    ],
)
def test_what_load_does_not_take_is_named(wrong, error, text):
    with pytest.raises(error, match=text):
        audio_file.load(**{"uri": stored(), **wrong})


def test_a_recording_without_a_length_is_loaded_and_reported(tmp_path):
    data = bytearray(stored().getvalue())
    at = data.index(b"data") + 4
    data[at : at + 4] = bytes(4)
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.warns(UserWarning, match="gives no length"):
        assert torch.equal(audio_file.load(tmp_path / "x.wav")[0], audio_file.load(stored())[0])
