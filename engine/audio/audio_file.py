"""Audio files in and out, with audiocraft's `audio_read` and `audio_write`, and a `load` like torchaudio's.

Files go through libsndfile (WAV, FLAC, OGG, MP3, AIFF ...), so neither ffmpeg nor torchcodec is needed; torchaudio's
own `load` needs the latter. `from engine import audio_file as torchaudio` makes `torchaudio.load(path)` work anyway.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from bridge.region.sound_file import SoundFault, opened
from bridge.system.whole_file import writing
from engine.audio.convert import whole_rate
from engine.audio.loudness import normalize_audio
from engine.audio.resample import MAX_RATE_HZ
from engine.errors import AudioError, UnsupportedError
from engine.system.optional_library import needed

FORMATS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_24"), "ogg": ("OGG", "VORBIS"), "mp3": ("MP3", None)}
MP3_KBIT = (32, 320)  # lowest and highest at 32 kHz and above
MP3_LOW_RATE_KBIT = (8, 160)  # below
OGG_MAX_RATE_HZ = 200_000  # of Vorbis; beyond, and at 0, libsndfile ends the process
_BLOCK_SAMPLES = 1 << 16
_WAVE_FORMATS = ("WAV", "WAVEX", "RF64")
_OWN_DTYPES = {
    "PCM_U8": "uint8", "PCM_16": "int16", "PCM_24": "int32", "PCM_32": "int32", "FLOAT": "float32", "DOUBLE": "float64",
}  # fmt: skip


def load(
    uri: str | os.PathLike[str] | BinaryIO,
    frame_offset: int = 0,
    num_frames: int = -1,
    normalize: bool = True,
    channels_first: bool = True,
    format: str | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
) -> tuple[Tensor, int]:
    """A file's audio as (float32 [C, n], its sample rate), from sample `frame_offset`, all or `num_frames` samples.

    Arguments are torchaudio's. `uri` is a path or a binary file object. Without `normalize` a WAV file's own numbers
    come as they are: uint8, int16, int32 (24 bits in the upper ones), float32 or float64. Without `channels_first` it
    is [n, C]. `format` and `buffer_size` have no effect: files identify themselves. Raises AudioError, naming the
    file, if it is not audio, UnsupportedError for a `backend` other than None and "soundfile" and for samples
    that are no plain numbers, ValueError for invalid arguments.  [any]
    """
    _check_load(uri, frame_offset, num_frames, format, backend)
    name = os.fspath(uri) if isinstance(uri, (str, os.PathLike)) else str(getattr(uri, "name", "the file object"))
    try:
        with _binary(uri) as file, opened(file) as sound:
            if frame_offset:
                sound.skip(frame_offset)
            if normalize or sound.file.format not in _WAVE_FORMATS:
                dtype, audio = "float32", sound.read(_most(num_frames))
            else:
                dtype = _own_dtype(sound.file.subtype, name)
                audio = sound.read(_most(num_frames), "int16" if dtype == "uint8" else dtype)
            if sound.note or sound.short_by:
                warnings.warn(f"{name}: {sound.note or 'it ends early: cut short?'}", stacklevel=2)
            rate = sound.rate_hz
    except (SoundFault, OSError) as fault:
        raise AudioError(f"{name} cannot be read as audio: {fault}") from fault
    if dtype == "uint8":
        audio = ((audio >> 8) + 128).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(audio.T if channels_first else audio)), rate


def _check_load(uri: object, frame_offset: int, num_frames: int, format: str | None, backend: str | None) -> None:
    """Refuse arguments that `load` does not support, by name."""
    if isinstance(uri, (bytes, bytearray, memoryview)):
        raise ValueError("uri is bytes, must be a path or a binary file object: io.BytesIO(data) makes one")
    if isinstance(uri, str) and uri.partition("://")[0] in ("http", "https", "ftp", "s3"):
        raise UnsupportedError(f"{uri} is an address: download it first, files of this machine are read")
    if not isinstance(uri, (str, os.PathLike)) and not hasattr(uri, "read"):
        raise ValueError(f"uri is a {type(uri).__name__}, must be a path or a binary file object")
    if frame_offset < 0 or num_frames < -1:
        raise ValueError(f"frame_offset is {frame_offset}, num_frames {num_frames}: must be 0 or more; -1 reads all")
    if format is not None and not isinstance(format, str):
        raise ValueError(f"format is a {type(format).__name__}, must be a text like 'wav', or None")
    if backend not in (None, "soundfile"):
        raise UnsupportedError(f"backend {backend!r} is not here: files are read by libsndfile; leave it None")


def _most(num_frames: int) -> int | None:
    return None if num_frames < 0 else num_frames


def _own_dtype(subtype: str, name: str) -> str:
    """The type of a WAV file's own numbers."""
    if subtype not in _OWN_DTYPES:
        raise UnsupportedError(f"{name} holds {subtype}, which has no plain numbers: leave normalize=True")
    return _OWN_DTYPES[subtype]


@contextmanager
def _binary(uri: str | os.PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """A binary file that can seek; a stream that cannot is read into memory."""
    if isinstance(uri, (str, os.PathLike)):
        with open(uri, "rb") as file:
            yield file
    elif hasattr(uri, "seek") and (not hasattr(uri, "seekable") or uri.seekable()):
        yield uri
    else:
        yield io.BytesIO(uri.read())


def audio_read(
    filepath: str | os.PathLike[str], seek_time: float = 0.0, duration: float = -1.0, pad: bool = False
) -> tuple[Tensor, int]:
    """An audio file as (float32 [C, n], its sample rate), from second `seek_time`, `duration` seconds or all of it.

    `pad`: with silence to the full `duration`.  Raises AudioError.  [any]
    """
    _, rate = load(filepath, num_frames=0)
    n_samples = round(duration * rate) if duration > 0 else -1
    audio, rate = load(filepath, round(max(seek_time, 0.0) * rate), n_samples)
    if pad and audio.shape[1] < n_samples:
        audio = torch.nn.functional.pad(audio, (0, n_samples - audio.shape[1]))
    return audio, rate


def audio_write(
    stem_name: str | os.PathLike[str],
    wav: Tensor,
    sample_rate: int,
    format: str = "wav",
    mp3_rate: int = 320,
    ogg_rate: int | None = None,
    normalize: bool = True,
    strategy: str = "peak",
    peak_clip_headroom_db: float = 1.0,
    rms_headroom_db: float = 18.0,
    loudness_headroom_db: float = 14.0,
    loudness_compressor: bool = False,
    log_clipping: bool = True,
    make_parent_dir: bool = True,
    add_suffix: bool = True,
) -> Path:
    """Write [C, n] or [n] to `stem_name`.wav (mp3, ogg, flac) at the level of `strategy`; returns the path.

    Arguments and defaults are audiocraft's: see `normalize_audio` for the strategies; "loudness" brings it to -14
    LUFS. WAV is 16 bit, MP3 of constant `mp3_rate` kbit/s. Raises ValueError for other formats or shapes,
    AudioError for audio that cannot be written, UnsupportedError for what libsndfile cannot do.  [any]
    """
    if format not in FORMATS:
        raise ValueError(f"format is {format!r}, must be one of {', '.join(FORMATS)}")
    if not isinstance(wav, Tensor):
        raise ValueError(f"wav is a {type(wav).__name__}, must be a torch tensor (torch.from_numpy makes one)")
    if not wav.dtype.is_floating_point or not 1 <= wav.dim() <= 2:
        raise ValueError(f"wav is {wav.dtype} of shape {tuple(wav.shape)}, must be floats [n] or [C, n]")
    if ogg_rate is not None:
        raise UnsupportedError("ogg_rate: libsndfile writes Vorbis by quality, not by bit rate; leave it None")
    sample_rate = whole_rate(sample_rate, OGG_MAX_RATE_HZ if format == "ogg" else MAX_RATE_HZ)
    wav = wav.detach().to("cpu", torch.float32)
    ready = normalize_audio(
        wav[None] if wav.dim() == 1 else wav,
        normalize,
        strategy,
        peak_clip_headroom_db,
        rms_headroom_db,
        loudness_headroom_db,
        loudness_compressor,
        log_clipping,
        sample_rate,
        os.fspath(stem_name),
    )
    path = Path(os.fspath(stem_name) + (f".{format}" if add_suffix else ""))
    if make_parent_dir:
        path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, ready, sample_rate, format, mp3_rate)
    return path


def _write(path: Path, wav: Tensor, sample_rate: int, format: str, mp3_rate: int) -> None:
    """Write samples [C, n] within +-1 atomically."""
    with needed("reading and writing audio files"):
        import soundfile

    kind, subtype = FORMATS[format]
    if kind not in soundfile.available_formats():
        raise UnsupportedError(f"this libsndfile ({soundfile.__libsndfile_version__}) cannot write {kind}")
    how: dict[str, Any] = {}
    if format == "mp3":
        if not MP3_KBIT[0] <= mp3_rate <= MP3_KBIT[1]:
            raise ValueError(f"mp3_rate is {mp3_rate} kbit/s, must be {MP3_KBIT[0]} to {MP3_KBIT[1]}")
        low, high = MP3_KBIT if sample_rate >= 32_000 else MP3_LOW_RATE_KBIT
        how = {"bitrate_mode": "CONSTANT", "compression_level": (high - min(mp3_rate, high)) / (high - low)}
    samples = wav.T.numpy()
    if format == "wav":
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    try:
        with (
            writing(path) as part,
            soundfile.SoundFile(part, "w", sample_rate, samples.shape[1], subtype, format=kind, **how) as file,
        ):
            for start in range(0, len(samples), _BLOCK_SAMPLES):  # long writes at once break some encoders
                file.write(samples[start : start + _BLOCK_SAMPLES])
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError, AssertionError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else fault
        raise AudioError(f"{path} cannot be written: {reason}") from fault
