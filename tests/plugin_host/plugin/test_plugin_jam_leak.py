"""What of Segue leaks into the plugin's input is taken out of what a jam listens to; nothing else is."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tests.plugin_host.plugin.native_core import native_unleaked

RATE, TURN = 16_000, 4 * 16_000
WANTED_DB = {False: 20, True: 9}  # together or not


def music(seed: int, hz: float, seconds: int = 16) -> np.ndarray:
    """Notes with eight partials and a noisy beginning, four a second."""
    dice = np.random.default_rng(seed)
    out = np.zeros(seconds * RATE)
    for begin in range(0, len(out), RATE // 4):
        t = np.arange(min(3 * RATE // 4, len(out) - begin)) / RATE
        note = hz * 2 ** (dice.integers(0, 13) / 12)
        partials = [np.sin(2 * np.pi * note * n * t + dice.uniform(0, 6)) / n for n in range(1, 9)]
        out[begin : begin + len(t)] += 0.15 * np.exp(-4 * t) * np.sum(partials, axis=0)
        out[begin : begin + len(t)] += 0.1 * dice.standard_normal(len(t)) * np.exp(-80 * t)
    return out.astype(np.float32)


def way(room_seconds: float) -> np.ndarray:
    """From the loudspeaker to the microphone: 30 ms, -12 dB, and a room that dies away by 60 dB in that time."""
    echoes = np.zeros(1)
    if room_seconds:
        n = int(room_seconds * RATE)
        echoes = np.random.default_rng(3).standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
        echoes *= np.sqrt(0.5 / np.square(echoes).sum())
    echoes[0] = 1
    echoes *= 10 ** (-12 / 20) / np.sqrt(np.square(echoes).sum())
    return np.concatenate([np.zeros(int(0.03 * RATE)), echoes])


def leaked(played: np.ndarray, room_seconds: float) -> np.ndarray:
    size = 1 << (2 * len(played)).bit_length()
    path = way(room_seconds)
    return np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(path, size), size)[: len(played)].astype(np.float32)


def level_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-15))


@pytest.mark.parametrize("room_seconds", [0, 0.25])
@pytest.mark.parametrize("together", [False, True], ids=["in turns", "together"])
def test_the_leak_is_taken_out(core: ctypes.CDLL, room_seconds: float, together: bool) -> None:
    """In turns, and while both play, by so many dB; what is left of it is far below the player."""
    mine = np.ones(16 * RATE, np.float32) if together else (np.arange(16 * RATE) // TURN % 2 == 0).astype(np.float32)
    played, player = music(1, 110) * mine, music(2, 165) * (1 if together else 1 - mine)
    leak = leaked(played, room_seconds)
    cleaned, delay_ms = native_unleaked(core, player + leak, played, RATE)
    late = slice(8 * RATE, 12 * RATE)
    suppression = level_db(leak[late]) - level_db((cleaned - player)[late])
    assert suppression > WANTED_DB[together], suppression
    assert delay_ms == pytest.approx(30, abs=0.5)


def test_without_a_leak_nothing_changes(core: ctypes.CDLL) -> None:
    player, played = music(2, 165), music(1, 110)
    cleaned, delay_ms = native_unleaked(core, player, played, RATE)
    np.testing.assert_array_equal(cleaned, player)
    assert delay_ms == 0
