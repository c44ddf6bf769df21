"""The engine's values as JSON and back, exactly: settings, placements, tempo curves, codes, references.

    dataclass   {"is": "Grid", "tempo_bpm": 96.0, ...}        only of the classes in CLASSES
    codes       {"is": "codes", "shape": [4, 8], "data": "base64 of int16"}
    reference   {"is": "audio", "file": "<sha256>.npy"}       float32, kept beside the journal
    fraction    {"is": "fraction", "of": "7/2"}               tuples and lists both become tuples

Nothing that is read is executed: unknown classes and fields are a JournalError.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bridge.errors import SegueError
from bridge.ring.fader_block import Fader
from bridge.ring.form import PlaybackPlan
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from engine.serve.lane_settings import LaneSettings, Morph, ReferenceAudio
from engine.serve.timeline.placement import StreamPlacement
from engine.serve.timeline.tempo_curve import TempoCurve, TempoSegment

CLASSES: dict[str, type] = {
    each.__name__: each
    for each in (
        Fader, Grid, LaneSettings, Morph, PlaybackPlan, ReferenceAudio, Signature, StreamPlacement, TempoCurve,
        TempoSegment, Transport,
    )
}  # fmt: skip
DEPTH_MAX = 32
AUDIO_BYTES_MAX = 2**30
_FRACTION = re.compile(r"-?[0-9]{1,60}/[1-9][0-9]{0,60}\Z")
Keep = Callable[[Tensor], str]
Find = Callable[[str], Tensor]


class JournalError(SegueError):
    """A journal that cannot be read or made again; the message says what is wrong and where."""

    code = "journal"


def plain(value: Any, keep: Keep) -> Any:
    """A value as JSON's kinds; `keep` stores audio and returns its file's name. TypeError for other kinds.  [any]"""
    if isinstance(value, str | bool | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Fraction):
        return {"is": "fraction", "of": f"{value.numerator}/{value.denominator}"}
    if isinstance(value, Tensor):
        return {"is": "audio", "file": keep(value)} if value.is_floating_point() else codes_text(value)
    if isinstance(value, tuple | list):
        return [plain(each, keep) for each in value]
    if isinstance(value, frozenset):
        return {"is": "set", "of": [plain(each, keep) for each in sorted(value)]}
    if isinstance(value, Mapping):
        return {"is": "map", "of": [[name, plain(each, keep)] for name, each in value.items()]}
    if is_dataclass(value) and CLASSES.get(type(value).__name__) is type(value):
        return {"is": type(value).__name__} | {
            each.name: plain(getattr(value, each.name), keep) for each in fields(value)
        }
    raise TypeError(f"a journal holds no {type(value).__name__}")


def real(value: Any, find: Find, depth: int = 0) -> Any:
    """The value of `plain`; `find` reads audio by its file's name. JournalError for anything unknown.  [any]"""
    if depth > DEPTH_MAX:
        raise JournalError("the journal has values nested too deep")
    if isinstance(value, list):
        return tuple(real(each, find, depth + 1) for each in value)
    if not isinstance(value, dict):
        return value
    kind, of = str(value.get("is")), value.get("of", ())
    try:
        if kind == "fraction":
            return _fraction(str(of))
        if kind == "audio":
            return find(value["file"])
        if kind == "codes":
            return codes_of(value)
        if kind == "set":
            return frozenset(real(of, find, depth + 1))
        if kind == "map":
            return MappingProxyType({name: real(each, find, depth + 1) for name, each in of})
        inside = {name: real(each, find, depth + 1) for name, each in value.items() if name != "is"}
        return CLASSES[kind](**inside)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"the journal has a value of kind {kind[:40]!r} that cannot be read: {error}") from None


def _fraction(text: str) -> Fraction:
    """A fraction as `plain` writes it; ValueError for other texts, among them powers of ten without end."""
    if not _FRACTION.match(text):
        raise ValueError(f"{text[:40]!r} is no fraction")
    return Fraction(text)


def codes_text(codes: Tensor) -> dict[str, Any]:
    """Codes of any shape as JSON's kinds.  [any]"""
    data = codes.to("cpu", torch.int16).contiguous().numpy().astype("<i2").tobytes()
    return {"is": "codes", "shape": list(codes.shape), "data": base64.b64encode(data).decode()}


def codes_of(value: Mapping[str, Any]) -> Tensor:
    """The codes, int64. ValueError if data and shape do not agree.  [any]"""
    data = np.frombuffer(base64.b64decode(value["data"], validate=True), "<i2")
    return torch.from_numpy(data.astype(np.int64)).reshape(tuple(value["shape"]))


def audio_name(audio: Tensor) -> str:
    """The name of a reference's file: its content's SHA-256.  [any]"""
    array = audio.detach().to("cpu", torch.float32).contiguous().numpy()
    return f"{hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()}.npy"


def read_audio(folder: Path, name: str) -> Tensor:
    """A reference by its file's name; JournalError if it is missing, changed, or no such name.  [any]"""
    if len(name) != 68 or not name.endswith(".npy") or set(name[:-4]) - set("0123456789abcdef"):
        raise JournalError(f"{name[:80]!r} is no name of a reference")
    try:
        status = os.stat(folder / name)
        if not stat.S_ISREG(status.st_mode) or status.st_size > AUDIO_BYTES_MAX:
            raise ValueError(f"it is no plain file of at most {AUDIO_BYTES_MAX} bytes")
        array = np.load(folder / name, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise JournalError(f"reference {name} of the journal cannot be read: {error}") from None
    audio = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    if audio_name(audio) != name:
        raise JournalError(f"reference {name} of the journal has changed since it was written")
    return audio
