"""A take on disk: samples, position, tempo, loop, loudness, and its recipe.

    WAV    fmt  bext  iXML(recipe without its audio)  data  cue  LIST  [smpl]  acid  segu(whole recipe)
    FLAC   the samples, title and the whole recipe as a comment

A DAW that rewrites the file drops unknown chunks such as `segu`; most keep iXML.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from bridge.region.sound_file import SoundFault, opened
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.console.output import OutputError, put_new
from plugin_host.doctor.doctor import version
from plugin_host.takes import chunks
from plugin_host.takes.errors import TakeError
from plugin_host.takes.finish import Finished, decoded, encoded
from plugin_host.takes.names import free_paths, take_name
from plugin_host.takes.recipe import JSON_BYTES_MAX, Recipe, from_json, to_json
from plugin_host.takes.wave import format_chunk, read_chunks, wave_bytes, wave_form

FORMATS = ("wav", "flac")
RECIPE_CHUNK, RECIPE_FIELD = b"segu", "SEGUE_RECIPE"
LONGER_SECONDS = 60  # more than twice its recipe's bars: the limit of an edited take
_FLAC_COMMENT_MAX = 8 * 2**20  # a FLAC block holds 16 MB; larger regions have checksum and path only


@dataclass(frozen=True)
class Take:
    """A take read from a file: its recipe, and audio float32 [n, channels]."""

    path: Path
    recipe: Recipe
    audio: Audio


def grid_of(recipe: Recipe) -> Grid:
    """The timeline of a take: beat 0 on sample 0.  [any]"""
    return Grid(recipe.rate_hz, recipe.bpm, recipe.signature)


def span_of(recipe: Recipe) -> tuple[int, int]:
    """The first sample of a take on that timeline, and the first after it: exactly its bars.  [any]"""
    grid = grid_of(recipe)
    return grid.bar_start(recipe.start_bar), grid.bar_start(recipe.start_bar + recipe.bars)


def title_of(recipe: Recipe) -> str:
    """The title of a take.  [any]"""
    named = [f"{region.role} {region.name}" for region in recipe.regions[:1]]
    return recipe.prompt or (named[0].strip() if named else "Segue")


def save_take(folder: Path, recipe: Recipe, done: Finished, kind: str = "wav", name: str = "") -> Path:
    """Write a take into the folder under a unique name; returns its path. OutputError.  [any]

    `done.audio` must be exactly the recipe's bars long; ValueError otherwise.
    """
    start, end = span_of(recipe)
    if len(done.audio) != end - start:
        raise ValueError(f"the take has {len(done.audio)} samples, its bars {end - start}")
    stem = name or take_name(title_of(recipe), recipe.bpm, recipe.key, recipe.seed)
    for path in free_paths(folder, stem, kind):
        if put_new(path, flac_file(recipe, done) if kind == "flac" else wav_file(recipe, done, path.name)):
            return path
    raise AssertionError("free_paths ends with an error")


def wav_file(recipe: Recipe, done: Finished, name: str) -> bytes:
    """The bytes of a take as WAV; `name` goes into its metadata.  [any]"""
    grid, (start, end), channels = grid_of(recipe), span_of(recipe), done.audio.shape[1]
    size = (recipe.rate_hz, channels, recipe.bits)
    form = f"A=PCM,F={recipe.rate_hz},W={recipe.bits},M={'stereo' if channels == 2 else 'mono'}"
    maker = f"Segue {version()}"
    stamp = chunks.TakeStamp(title_of(recipe), maker, f"seed {recipe.seed}", datetime.now(), start)
    bars = [grid.bar_start(recipe.start_bar + bar) - start for bar in range(recipe.bars)]
    beats = recipe.bars * recipe.signature.numerator
    parts = [
        (b"fmt ", format_chunk(recipe.rate_hz, channels, recipe.bits)),
        (b"bext", chunks.bext(stamp, done.loudness, form)),
        (b"iXML", chunks.ixml(_fields(recipe, name), _ours(recipe), size, start)),
        (b"data", encoded(done.audio, recipe.bits)),
        *chunks.cues(bars, recipe.start_bar + 1),
        (b"acid", chunks.acid(recipe.bpm, beats, recipe.signature, recipe.key, recipe.loop)),
    ]
    if recipe.loop:
        parts.append((b"smpl", chunks.smpl(recipe.rate_hz, end - start, recipe.key)))
    return wave_bytes([*parts, (RECIPE_CHUNK, to_json(recipe).encode())])


def _fields(recipe: Recipe, name: str) -> Mapping[str, str]:
    note = f"{recipe.bpm:g} bpm, bar {recipe.start_bar + 1}, {recipe.bars} bars"
    title, take = title_of(recipe), str(recipe.seed)
    return {"PROJECT": "Segue", "SCENE": title, "TAKE": take, "TAPE": "Segue", "FILE_UID": name, "NOTE": note}


def _ours(recipe: Recipe) -> Mapping[str, str]:
    return {"BPM": f"{recipe.bpm:g}", "KEY": recipe.key, RECIPE_FIELD: to_json(recipe, with_audio=False)}


def flac_file(recipe: Recipe, done: Finished) -> bytes:
    """The bytes of a take as FLAC of 16 or 24 bits; 32-bit floats become 24.  [any]"""
    import soundfile

    bits = min(recipe.bits, 24)
    whole = to_json(recipe)
    comment = whole if len(whole) <= _FLAC_COMMENT_MAX else to_json(recipe, with_audio=False)
    memory = io.BytesIO()
    samples = decoded(encoded(done.audio, bits), bits, done.audio.shape[1])
    try:
        with soundfile.SoundFile(
            memory, "w", recipe.rate_hz, samples.shape[1], f"PCM_{'16' if bits == 16 else '24'}", format="FLAC"
        ) as file:
            file.title, file.software, file.comment = title_of(recipe), f"Segue {version()}", comment
            file.write(samples)
    except (soundfile.LibsndfileError, OSError) as error:
        raise OutputError(f"the take cannot be written as FLAC: {error}") from None
    return memory.getvalue()


def read_take(path: Path) -> Take:
    """The take in a file; TakeError if it has none or an invalid recipe.  [any]"""
    if not path.is_file():
        raise TakeError(f"{path} is not a file")
    return _read_flac(path) if path.suffix.lower() == ".flac" else _read_wav(path)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file, without its samples; TakeError as `read_take`.  [any]"""
    if path.suffix.lower() == ".flac":
        return _read_flac(path).recipe
    return _recipe_of(path, read_chunks(path, frozenset((RECIPE_CHUNK, b"iXML"))))


def _recipe_of(path: Path, found: Mapping[bytes, bytes]) -> Recipe:
    if RECIPE_CHUNK in found:
        return from_json(found[RECIPE_CHUNK])
    text = chunks.ixml_user(found.get(b"iXML", b""), RECIPE_FIELD)
    if text is None:
        raise TakeError(f"{path.name} holds no recipe: it is no take of Segue's, or was written anew since")
    return from_json(text)


def _read_wav(path: Path) -> Take:
    found = read_chunks(path, frozenset((b"fmt ", RECIPE_CHUNK, b"iXML")))
    recipe = _recipe_of(path, found)
    rate_hz, _, _ = wave_form(found.get(b"fmt ", b""))
    if rate_hz != recipe.rate_hz:
        raise TakeError(f"{path.name} is at {rate_hz} Hz, its recipe at {recipe.rate_hz}: it was changed since")
    return Take(path, recipe, _samples(path, recipe))


def _samples(path: Path, recipe: Recipe) -> Audio:
    """All samples of a take's file, which may be edited within limits."""
    start, end = span_of(recipe)
    most = 2 * (end - start) + LONGER_SECONDS * recipe.rate_hz
    try:
        with path.open("rb") as file, opened(file) as sound:
            audio = sound.read(most + 1) if sound.channels <= 2 else np.empty((0, sound.channels), np.float32)
    except (SoundFault, OSError) as error:
        raise TakeError(f"{path.name} cannot be read: {error}") from None
    if len(audio) > most or audio.shape[1] > 2:
        fault = f"more than {most} samples" if len(audio) > most else f"{audio.shape[1]} channels"
        raise TakeError(f"{path.name} has {fault}, its recipe makes {end - start} of 2: it was changed since")
    return audio


def _read_flac(path: Path) -> Take:
    import soundfile

    try:
        with path.open("rb") as opened, soundfile.SoundFile(opened) as file:  # a name may not be UTF-8
            text = file.comment
    except (soundfile.LibsndfileError, OSError) as error:
        raise TakeError(f"{path.name} cannot be read: {error}") from None
    if not text or len(text) > JSON_BYTES_MAX:
        raise TakeError(f"{path.name} holds no recipe of Segue's")
    recipe = from_json(text)
    return Take(path, recipe, _samples(path, recipe))
