"""The native library and its structures, which equal those of model.h, draw.h and phase.cpp field by field."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_double, c_float, c_int64, c_void_p
from functools import lru_cache
from pathlib import Path

from engine.errors import UnsupportedError

SWITCH = "SEGUE_NATIVE_STEP"  # 0: not used; a path: this library
MAX_ROWS, MAX_WIDTH, MAX_WIDTH_IN_8_BITS = 16, 128, 64
FLOAT32, BFLOAT16, INT8, INT4 = range(4)


class NativeMatrix(Structure):
    """A weight [n, k]: floats row by row, or codes in the layout of `tiles`."""

    _fields_ = (
        ("kind", c_int64),
        ("n", c_int64),
        ("k", c_int64),
        ("block", c_int64),
        ("data", c_void_p),
    )


class Norm(Structure):
    """A LayerNorm."""

    _fields_ = (("weight", c_void_p), ("bias", c_void_p), ("eps", c_double))


class Layer(Structure):
    """A layer; the cross-attention parts may be empty."""

    _fields_ = (
        *((name, Norm) for name in ("norm1", "norm_cross", "norm2")),
        *((name, NativeMatrix) for name in ("qkv", "out", "query", "cross_out", "widen", "narrow")),
    )


class NativeModel(Structure):
    """Everything that a step reads except the state."""

    _fields_ = (
        *((name, c_int64) for name in ("dim", "heads", "layers", "codebooks", "card", "ffn")),
        ("tables", POINTER(c_void_p)),
        ("layer", POINTER(Layer)),
        ("out_norm", Norm),
        ("logits", POINTER(NativeMatrix)),
    )


class NativeState(Structure):
    """A window's cache, memory and known inputs."""

    _fields_ = (
        *((name, c_int64) for name in ("rows", "all_rows", "capacity", "memory", "cache_kind", "known_steps")),
        ("cache", c_void_p),
        ("scales", c_void_p),
        ("memory_keys", POINTER(c_void_p)),
        ("memory_values", POINTER(c_void_p)),
        ("known", c_void_p),
    )


class NativeStep(Structure):
    """A window's next step, and the number of positions in its cache."""

    _fields_ = (("state", POINTER(NativeState)), ("step", c_int64), ("length", c_int64))


class Draw(Structure):
    """Settings of a draw."""

    _fields_ = (
        *((name, c_int64) for name in ("rows", "codebooks", "card", "top_k")),
        *((name, c_float) for name in ("coef", "wav_over_text", "temperature")),
    )


class Phase(Structure):
    """Two frames of the embedded codec whose phases are wanted; equals the structure in phase.cpp."""

    _fields_ = (
        *((name, c_int64) for name in ("iterations", "pulses", "pulses_inside")),
        *((name, c_void_p) for name in ("window", "synthesis", "silence", "pulse", "earlier", "later")),
        *((name, c_void_p) for name in ("noise", "rising_earlier", "rising_later", "noise_phase")),
        ("sudden", c_int64),
        *((name, c_void_p) for name in ("base", "begun", "frames")),
    )


def load() -> ctypes.CDLL:
    """The loaded library.  Raises UnsupportedError: switched off, not built, or not for this CPU.  [generate]"""
    asked = os.environ.get(SWITCH, "")
    if asked == "0":
        raise UnsupportedError(f"the native step is switched off ({SWITCH}=0)")
    return _load(asked if asked not in ("", "1") else None)


@lru_cache(maxsize=4)
def _load(asked: str | None) -> ctypes.CDLL:
    from engine.lm.executors.native import build  # imported here, so that it can be run as a command

    path = Path(asked) if asked else build.LIBRARY
    if not path.is_file():
        raise UnsupportedError(
            f"the native step is not built ({path.name}); python -m engine.lm.executors.native.build builds it"
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UnsupportedError(f"the native step does not load: {error}") from error
    library.segue_stamp.restype = ctypes.c_char_p
    if library.segue_stamp().decode() != build.stamp():
        raise UnsupportedError(
            "the native step was built from other sources; python -m engine.lm.executors.native.build builds it"
        )
    library.segue_runs_here.restype = ctypes.c_int
    if not library.segue_runs_here():
        raise UnsupportedError("the native step needs a processor with AVX-512 and VNNI")
    library.segue_open.argtypes, library.segue_open.restype = [POINTER(NativeModel)], c_void_p
    library.segue_close.argtypes, library.segue_close.restype = [c_void_p], None
    library.segue_step.argtypes = [c_void_p, POINTER(NativeStep), c_int64, c_void_p, c_int64, c_void_p]
    library.segue_step.restype = None
    library.segue_tile.argtypes, library.segue_tile.restype = [c_void_p, *[c_int64] * 6, c_void_p], None
    library.segue_draw.argtypes, library.segue_draw.restype = [POINTER(Draw), c_void_p, c_void_p, c_void_p], None
    library.segue_phase.argtypes, library.segue_phase.restype = [POINTER(Phase)], None
    return library
