"""How long sound takes from Segue's output back into its input: bursts of noise are played, and found again.

    out       |burst|........|burst|........            the device is a block function: `render` is called with each
    captured  ....|burst|........|burst|....            block that came in, and fills the one that goes out
              <-> round trip

What a player plays with what he hears at a sample is captured a round trip later: so much it is moved back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio
from plugin_host.jam.listening.gate import level_db

BURSTS = 6
BURST_SECONDS, LONGEST_SECONDS = 0.25, 0.7
PEAK = 0.25
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 8000.0  # what small loudspeakers give back
_CLEAR = 12.0  # times the noise of the correlation
_SAME_SECONDS = 0.002  # bursts that are found so near to each other are the same path
_SILENT_DB, _CLIPPED = -80.0, 0.99
_SEED = 19


@dataclass(frozen=True)
class RoundTrip:
    """What a test found: `samples` is the median over the bursts that agree, `found` their number.

    `spread_samples` is between the earliest and the latest of them, `level_db` that of a burst in the input over what
    was sent. `input_db` and `clipped` are of the whole input. Nothing came back where `found` is 0.
    """

    sample_rate_hz: int
    found: int
    samples: float = 0.0
    spread_samples: float = 0.0
    level_db: float = 0.0
    input_db: float = -120.0
    clipped: bool = False

    @property
    def ms(self) -> float:
        """The round trip in milliseconds.  [any]"""
        return 1000.0 * self.samples / self.sample_rate_hz

    @property
    def usable(self) -> bool:
        """Whether most bursts came back, at the same time.  [any]"""
        return 2 * self.found > BURSTS

    @property
    def text(self) -> str:
        """What was found, in one line.  [any]"""
        if not self.usable:
            how = f"{self.found} of {BURSTS} bursts came back" if self.found else "nothing came back"
            return f"{how}; the input is at {self.input_db:.0f} dB"
        spread = 1000.0 * self.spread_samples / self.sample_rate_hz
        return (
            f"{self.samples:.0f} samples ({self.ms:.1f} ms), spread {spread:.2f} ms, level {self.level_db:.0f} dB, "
            f"{self.found} of {BURSTS} bursts"
        )

    @property
    def advice(self) -> str:
        """What to do about it; empty if all is well.  [any]"""
        if self.clipped:
            return "the input clips: turn its gain down, and measure again"
        if self.usable:
            return ""
        if self.input_db < _SILENT_DB:
            return (
                "the input is silent: connect an output to an input with a cable, or put the microphone before the "
                "loudspeaker; is it the right device, not muted, and may programs use it?"
            )
        return "the test signal is too faint in the input: turn the output or the input's gain up, or use a cable"


class LoopTest:
    """Plays the bursts and records what comes back. `render` belongs to the audio thread and allocates nothing."""

    def __init__(self, sample_rate_hz: int, channels: int = 2) -> None:
        self.sample_rate_hz, self.channels = sample_rate_hz, channels
        self._burst = _noise_burst(sample_rate_hz)
        self._slot = len(self._burst) + round(LONGEST_SECONDS * sample_rate_hz)
        sent = np.zeros(BURSTS * self._slot, np.float32)
        for number in range(BURSTS):
            sent[number * self._slot : number * self._slot + len(self._burst)] = self._burst
        self._sent, self._music_for = sent, np.zeros((len(sent), channels), np.float32)
        self._at = 0

    @property
    def seconds(self) -> float:
        """How long the test takes.  [any]"""
        return len(self._sent) / self.sample_rate_hz

    @property
    def finished(self) -> bool:
        """Whether all bursts have been played and waited for.  [any]"""
        return self._at >= len(self._sent)

    def render(self, captured: Audio, out: Audio) -> None:
        """Take a block [n, channels] and fill the one that goes out at the same time, silence at the end.  [audio]"""
        n = min(len(out), len(self._sent) - self._at)
        self._music_for[self._at : self._at + n] = captured[:n]
        out[:n] = self._sent[self._at : self._at + n, None]
        out[n:] = 0
        self._at += n

    def result(self) -> RoundTrip:
        """What came back so far.  [main]"""
        loudest = int(np.square(self._music_for, dtype=np.float64).sum(axis=0).argmax())
        heard = self._music_for[:, loudest]
        whole = RoundTrip(
            self.sample_rate_hz, 0, input_db=level_db(heard), clipped=bool(np.abs(heard).max() >= _CLIPPED)
        )
        found = [each for number in range(BURSTS) if (each := self._find(heard[number * self._slot :][: self._slot]))]
        if not found:
            return whole
        middle = float(np.median([lag for lag, _ in found]))
        same = [each for each in found if abs(each[0] - middle) <= _SAME_SECONDS * self.sample_rate_hz]
        lags = [lag for lag, _ in same]
        if not lags:
            return whole
        level = float(np.median([gain for _, gain in same]))
        return RoundTrip(
            self.sample_rate_hz, len(same), float(np.median(lags)), max(lags) - min(lags), level, whole.input_db,
            whole.clipped,
        )  # fmt: skip

    def _find(self, heard: NDArray[np.float32]) -> tuple[float, float] | None:
        """Lag in samples and level in dB of the burst in what was heard from its start on."""
        size = 2 ** int(np.ceil(np.log2(len(heard) + len(self._burst))))
        burst = np.fft.rfft(self._burst, size)
        cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(burst), size)[: self._slot - len(self._burst)]
        sizes = np.abs(cross)
        at, noise = int(sizes.argmax()), float(np.median(sizes)) / 0.6745
        if sizes[at] < _CLEAR * noise or sizes[at] == 0:
            return None
        near = sizes[max(at - 1, 0) : at + 2]
        bend = float(near[0] - 2 * near[1] + near[2]) if len(near) == 3 else 0.0
        between = 0.5 * float(near[0] - near[2]) / bend if bend else 0.0
        gain = float(sizes[at]) / float(np.square(self._burst, dtype=np.float64).sum())
        return at + between, 20.0 * float(np.log10(gain))


def _noise_burst(rate_hz: int) -> NDArray[np.float32]:
    """Noise of the frequencies that small loudspeakers play, faded in and out, always the same."""
    n = round(BURST_SECONDS * rate_hz)
    spectrum = np.fft.rfft(np.random.default_rng(_SEED).standard_normal(n))
    freqs = np.fft.rfftfreq(n, 1.0 / rate_hz)
    spectrum[(freqs < _LOWEST_HZ) | (freqs > min(_HIGHEST_HZ, 0.45 * rate_hz))] = 0
    burst = np.fft.irfft(spectrum, n) * np.hanning(n) ** 0.25
    return np.asarray(PEAK * burst / np.abs(burst).max(), np.float32)
