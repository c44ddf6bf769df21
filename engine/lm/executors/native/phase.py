"""The embedded codec's phase reconstruction in native code: the arithmetic of `engine.codec.rtisi.settled`."""

from __future__ import annotations

import ctypes

import numpy as np

from engine.codec import initial_phase, rtisi
from engine.codec.initial_phase import Array, Frame
from engine.lm.executors.native import library


class NativeSettle:
    """Replaces `rtisi.settled`, equal to rounding.  Raises UnsupportedError without the native library.

    Its results are the same bits every time, whatever runs beside.
    """

    def __init__(self) -> None:
        self._run = library.load().segue_phase
        self._held = (initial_phase.WINDOW, rtisi.SYNTHESIS, rtisi.RANDOM_PHASE, initial_phase.PULSE_PHASES)
        window, synthesis, silence, pulse = (held.ctypes.data for held in self._held)
        self._shared = {"iterations": rtisi.ITERATIONS, "pulses": len(initial_phase.PULSES_AT)}
        self._shared |= {"pulses_inside": initial_phase.PULSES_INSIDE, "window": window, "synthesis": synthesis}
        self._shared |= {"silence": silence, "pulse": pulse}
        self._noise, self._noise_stride = initial_phase.NOISE_PHASES.ctypes.data, initial_phase.NOISE_PHASES.strides[0]

    def __call__(self, state: rtisi.PhaseState, later: Frame | None) -> Array:
        """See `rtisi.settled`.  [generate]"""
        earlier = state.pending
        assert earlier is not None
        frames = np.empty((2, initial_phase.WINDOW_SAMPLES), np.float32)
        given = library.Phase(
            **self._shared, earlier=earlier.mags.ctypes.data, base=state.committed.ctypes.data,
            begun=None if state.begun is None else state.begun.ctypes.data, frames=frames.ctypes.data,
        )  # fmt: skip
        if later is not None:
            given.later, given.noise, given.sudden = later.mags.ctypes.data, later.noise.ctypes.data, later.sudden
            given.rising_earlier, given.rising_later = earlier.rising.ctypes.data, later.rising.ctypes.data
            given.noise_phase = self._noise + state.noise_at * self._noise_stride
        self._run(ctypes.byref(given))
        return frames
