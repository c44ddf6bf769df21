"""The C++ core of the plugin, compiled once for all tests and called by ctypes."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest

from bridge.ring.form import Audio
from bridge.ring.reader import RingCounters
from bridge.time.transport import Grid, Transport
from plugin_host.playback.processor import Counters

_I64, _U64, _F64 = ctypes.c_int64, ctypes.c_uint64, ctypes.c_double
_FLOATS = ctypes.POINTER(ctypes.c_float)
_SIGNATURES = {
    "segue_lane_new": (ctypes.c_void_p, ctypes.c_int, ctypes.c_int),
    "segue_lane_free": (None, ctypes.c_void_p),
    "segue_lane_attach": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int),
    "segue_lane_grid": (None, ctypes.c_void_p, _F64, ctypes.c_int, ctypes.c_int, _I64, _F64, _F64),
    "segue_lane_loop": (None, ctypes.c_void_p, ctypes.c_int, _F64, _F64),
    "segue_lane_process": (None, ctypes.c_void_p, _FLOATS, ctypes.c_int, ctypes.c_int, _I64),
    "segue_lane_ready": (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, _I64, ctypes.c_int),
    "segue_lane_hold_until": (None, ctypes.c_void_p, _I64),
    "segue_lane_prepare": (None, ctypes.c_void_p),
    "segue_lane_state": (ctypes.c_int, ctypes.c_void_p),
    "segue_lane_fill": (_I64, ctypes.c_void_p),
    "segue_lane_counters": (None, ctypes.c_void_p, ctypes.POINTER(_U64)),
    "segue_count": (_I64, ctypes.c_char_p, _I64, ctypes.c_uint32),
    "segue_sample_at": (_I64, ctypes.c_void_p, _F64),
    "segue_bar_at": (_I64, ctypes.c_void_p, _I64),
    "segue_bar_start": (_I64, ctypes.c_void_p, _I64),
    "segue_jam_new": (ctypes.c_void_p, ctypes.c_int, ctypes.c_int),
    "segue_jam_free": (None, ctypes.c_void_p),
    "segue_jam_moved": (None, ctypes.c_void_p, _I64, _I64, ctypes.c_int),
    "segue_jam_press": (
        _I64,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
        _F64,
        _F64,
        _F64,
        ctypes.c_int,
        _F64,
        ctypes.POINTER(ctypes.c_int),
        ctypes.c_char_p,
        ctypes.c_int,
    ),
    "segue_jam_phase": (ctypes.c_int, ctypes.c_void_p),
    "segue_jam_change_bar": (_I64, ctypes.c_void_p),
    "segue_jam_tick": (
        ctypes.c_int,
        ctypes.c_void_p,
        _F64,
        _F64,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        _F64,
        ctypes.POINTER(_F64),
        ctypes.c_int,
    ),
    "segue_jam_heard": (
        ctypes.c_int,
        _FLOATS,
        _FLOATS,
        _FLOATS,
        ctypes.c_int,
        _F64,
        ctypes.c_int,
        _FLOATS,
    ),
    "segue_jam_leak": (ctypes.c_int, _FLOATS, _FLOATS, ctypes.c_int, ctypes.c_int, _FLOATS),
    "segue_jam_pace": (
        None,
        ctypes.POINTER(_F64),
        ctypes.c_int,
        ctypes.POINTER(_F64),
        ctypes.c_int,
        _F64,
        _F64,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_int),
    ),
}


def load(path: Path) -> ctypes.CDLL:
    """Load the library and set its functions' types."""
    library = ctypes.CDLL(str(path))
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class NativeLane:
    """The C++ processor with the Python processor's interface, as far as tests need it."""

    def __init__(self, library: ctypes.CDLL, rate_hz: int, channels: int = 2) -> None:
        self._library, self._channels = library, channels
        self.pointer = library.segue_lane_new(rate_hz, channels)

    def attach(self, name: str) -> str:
        """Attach to a ring; returns the fault, or empty."""
        why = ctypes.create_string_buffer(300)
        done = self._library.segue_lane_attach(self.pointer, name.encode(), why, 300)
        assert bool(done) == (why.value == b"")
        return why.value.decode()

    def process(self, out: Audio, transport: Transport) -> None:
        """Process one block; `out` float32 [n, channels] contiguous."""
        self.grid(transport.grid)
        loop = transport.loop_beats or (0.0, 0.0)
        self._library.segue_lane_loop(self.pointer, transport.loop_beats is not None, *loop)
        floats = out.ctypes.data_as(_FLOATS)
        self._library.segue_lane_process(self.pointer, floats, len(out), transport.playing, transport.position_samples)

    def grid(self, grid: Grid) -> None:
        """Set the grid of the next calls."""
        line = (grid.tempo_bpm, grid.signature.numerator, grid.signature.denominator)
        anchor = (grid.anchor_samples, grid.anchor_beats, grid.bar_origin_beats)
        self._library.segue_lane_grid(self.pointer, *line, *anchor)

    def ready(self, n: int, position: int, expecting: bool) -> bool:
        """As Processor.ready, for a block at a position."""
        return bool(self._library.segue_lane_ready(self.pointer, n, position, expecting))

    def hold_until(self, position: int) -> None:
        """As Processor.hold_until_samples."""
        self._library.segue_lane_hold_until(self.pointer, position)

    def prepare(self) -> None:
        """The session's preparation for the audio thread."""
        self._library.segue_lane_prepare(self.pointer)

    def faults(self, out: Audio, position: int, blocks: int) -> int:
        """Page faults in this many consecutive blocks."""
        count = self._library.segue_lane_faults
        count.restype, count.argtypes = _I64, [ctypes.c_void_p, _FLOATS, ctypes.c_int, _I64, ctypes.c_int]
        return int(count(self.pointer, out.ctypes.data_as(_FLOATS), len(out), position, blocks))

    @property
    def state(self) -> int:
        """As processor.State."""
        return int(self._library.segue_lane_state(self.pointer))

    @property
    def fill_samples(self) -> int:
        """As Processor.fill_samples."""
        return int(self._library.segue_lane_fill(self.pointer))

    def counted(self) -> tuple[Counters, RingCounters]:
        """Both counters."""
        words = np.zeros(15, np.uint64)
        self._library.segue_lane_counters(self.pointer, words.ctypes.data_as(ctypes.POINTER(_U64)))
        numbers = [int(word) for word in words]
        return Counters(*numbers[:11]), RingCounters(*numbers[11:])

    def close(self) -> None:
        """Free the processor and its ring."""
        self._library.segue_lane_free(self.pointer)


class NativeJam:
    """The C++ plan of a jam; `mode` as the Jam parameter counts."""

    KINDS = ("Answer", "Accompany", "Relisten", "Vary", "Stop", "Repeat", "Release")

    def __init__(self, library: ctypes.CDLL, mode: int, bars: int) -> None:
        self._library = library
        self.pointer = library.segue_jam_new(mode, bars)

    def tick(
        self, beats: float, per_bar: float, lead_beats: int, every_bars: int, playing: bool, tempo_bpm: float
    ) -> list[tuple[str, int, int, float, float, bool]]:
        """The orders of a beat: kind, bar, bars, the beats that it listens to or repeats, whether they are Segue's."""
        out = (_F64 * 60)()
        count = self._library.segue_jam_tick(
            self.pointer, beats, per_bar, lead_beats, every_bars, int(playing), tempo_bpm, out, 10
        )
        rows = [out[6 * n : 6 * n + 6] for n in range(count)]
        return [(self.KINDS[int(row[0])], int(row[1]), int(row[2]), row[3], row[4], bool(row[5])) for row in rows]

    def moved(self, bar: int, to_bar: int, ordered: bool = True) -> None:
        """As Plan.moved."""
        self._library.segue_jam_moved(self.pointer, bar, to_bar, int(ordered))

    def press(
        self, verb: int, bars: int, at_beats: float, beats: float, per_bar: float, lead_beats: int, tempo_bpm: float
    ) -> tuple[bool, int, str]:
        """As Plan.press: whether it is accepted, the bar from which it is heard, the text."""
        accepted, text = ctypes.c_int(), ctypes.create_string_buffer(200)
        bar = self._library.segue_jam_press(
            self.pointer, verb, bars, at_beats, beats, per_bar, lead_beats, tempo_bpm, ctypes.byref(accepted), text, 200
        )
        return bool(accepted.value), int(bar), text.value.decode()

    @property
    def phase(self) -> int:
        """1 is the first of PHASES."""
        return int(self._library.segue_jam_phase(self.pointer))

    @property
    def change_bar(self) -> int:
        """The bar of the next change of phase, -1 for none."""
        return int(self._library.segue_jam_change_bar(self.pointer))

    def close(self) -> None:
        """Free it."""
        self._library.segue_jam_free(self.pointer)


def native_pace(
    library: ctypes.CDLL, seconds: list[float], needs: list[float], bpm: float, per_bar: float, bars: int
) -> tuple[int, int]:
    """Lead in beats and interval in bars after these measurements; -1 for falling behind, 0 for a good listening.

    `needs`: what the engine needs by itself.
    """
    out = (ctypes.c_int * 2)()
    measured = (_F64 * len(seconds))(*seconds), len(seconds), (_F64 * len(needs))(*needs), len(needs)
    library.segue_jam_pace(*measured, bpm, per_bar, bars, out)
    return out[0], out[1]


def native_heard(library: ctypes.CDLL, played: Audio, own: Audio, bpm: float, rate_hz: int) -> Audio:
    """What an answer listens to, of the player's and Segue's music [n, 2]."""
    sides = [np.ascontiguousarray(played[:, side], np.float32) for side in range(2)]
    out, own = np.zeros_like(played), np.ascontiguousarray(own, np.float32)
    pointers = [each.ctypes.data_as(_FLOATS) for each in (*sides, own, out)]
    assert library.segue_jam_heard(*pointers[:3], len(played), bpm, rate_hz, pointers[3])
    return out


def native_unleaked(library: ctypes.CDLL, heard: Audio, own: Audio, rate_hz: int) -> tuple[Audio, float]:
    """The input [n] without what leaks of Segue's music, and the delay that was found in ms, 0 for no leak."""
    heard, own = (np.ascontiguousarray(each, np.float32).copy() for each in (heard, own))
    out = np.zeros_like(heard)
    pointers = [each.ctypes.data_as(_FLOATS) for each in (heard, own, out)]
    found = library.segue_jam_leak(*pointers[:2], len(heard), rate_hz, pointers[2])
    assert found >= 0
    return out, found / 10


def tool(name: str) -> str:
    """Path of a program, or skip."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def repository() -> Path:
    """The repository's root."""
    return Path(__file__).parents[3]
