"""The session's input: the player's music alone, and until when it was played. Joins `listening` to the session."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.listening.handover import given_to_model
from plugin_host.jam.listening.player_input import PlayerInput


class InputFilter(Protocol):
    """Takes what was captured while something was played, block by block; `last_played` is a sample of the input."""

    def push(self, captured: Audio, played: Audio) -> Audio:
        """Add a block; returns what is newly known of the player's music.  [main]"""
        ...

    @property
    def last_played(self) -> int | None:
        """The sample until which the player last played; None for not yet.  [main]"""
        ...

    @property
    def leak_text(self) -> str:
        """What leaks, in a sentence; empty for nothing to say.  [main]"""
        ...


class LeakFilter(PlayerInput):
    """`PlayerInput`, with what it has to say in words."""

    @property
    def leak_text(self) -> str:
        """What leaks, in a sentence; empty while it is not known.  [main]"""
        return "" if self.leak.state == "not known yet" else self.leak.text


def make_input_filter(sample_rate_hz: int, channels: int, leaks: bool) -> InputFilter:
    """The input filter of a jam; `leaks`: the input may contain Segue's own music.  [main]"""
    return LeakFilter(sample_rate_hz, channels, cancel_leak=leaks)


def given(heard: Audio, sample_rate_hz: int, bpm: float) -> Audio:
    """What the model goes on from: the player's bars at their level, the end treated so that it does not just copy.

    [any]
    """
    found = given_to_model(heard, sample_rate_hz, bpm)
    return np.asarray(found.audio * np.float32(10 ** (-found.gain_db / 20)), np.float32)


def level_db(audio: Audio) -> float:
    """RMS in dBFS, -120 for silence.  [any]"""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return max(-120.0, 10 * float(np.log10(max(power, 1e-12))))
