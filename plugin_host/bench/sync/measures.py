"""Measures of a recording and the host's positions: distance from the beat, recovery times, clicks, silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.ring.form import Audio
from plugin_host.bench.sync.detection import HOP_SAMPLES, RATE_HZ, Onsets, hop_seconds
from plugin_host.bench.sync.recorder import Floats, Noted, Recording
from plugin_host.host.clip import Clip

NEAR_BEATS = 0.125  # an onset within half a sixteenth of a beat counts as that beat's
SIXTEENTHS = 4
SAME_BEAT_SECONDS = 0.5
STEP_DBFS = -50.0
HIGH_SECONDS = 0.002
SILENT = 1e-4
SILENT_SECONDS = 0.02


@dataclass(frozen=True)
class Beats:
    """Detected beats: seconds into the recording, how late in ms (early: negative); `due`: the number of beats."""

    seconds: Floats
    late_ms: Floats
    due: int

    def without(self, bias_ms: float) -> Beats:
        """The same with the detector's bias subtracted.  [any]"""
        return Beats(self.seconds, self.late_ms - bias_ms, self.due)

    def between(self, begin_seconds: float, end_seconds: float) -> Beats:
        """The beats of a stretch; `due` in proportion.  [any]"""
        keep = (self.seconds >= begin_seconds) & (self.seconds < end_seconds)
        span = max(float(self.seconds[-1] - self.seconds[0]), 1e-9) if len(self.seconds) else 1.0
        due = round(self.due * min(1.0, (end_seconds - begin_seconds) / span))
        return Beats(self.seconds[keep], self.late_ms[keep], max(due, int(keep.sum())))

    @property
    def median_ms(self) -> float:
        """Median distance from the grid; NaN for none.  [any]"""
        return float(np.median(np.abs(self.late_ms))) if len(self.late_ms) else float("nan")

    @property
    def p95_ms(self) -> float:
        """95th percentile of the distance from the grid; NaN for none.  [any]"""
        return float(np.percentile(np.abs(self.late_ms), 95)) if len(self.late_ms) else float("nan")

    @property
    def detected_share(self) -> float:
        """The share of beats with an onset.  [any]"""
        return len(self.late_ms) / self.due if self.due else 0.0


def detected_beats(found: Onsets, recording: Recording, stretched: float = 1.0) -> Beats:
    """For each beat of the host the strongest onset within half a sixteenth of it.

    `stretched` other than 1 measures against a grid of another tempo, as a control.
    [any]
    """
    at = found.seconds * recording.rate_hz
    beats = recording.beats_at(at) * stretched
    late = (beats - np.round(beats)) * 60_000.0 / (recording.tempo_at(at) * stretched)
    chosen: list[int] = []
    for index in np.flatnonzero(np.abs(beats - np.round(beats)) <= NEAR_BEATS):
        last = chosen[-1] if chosen else -1
        same = last >= 0 and round(float(beats[index])) == round(float(beats[last]))
        if not same or found.seconds[index] - found.seconds[last] > SAME_BEAT_SECONDS:  # the next pass of a loop
            chosen.append(int(index))
        elif found.strength[index] > found.strength[last]:
            chosen[-1] = int(index)
    picked = np.array(chosen, dtype=np.int64)
    return Beats(found.seconds[picked], late[picked], max(round(_beats_passed(recording) * stretched), len(picked)))


def _beats_passed(recording: Recording) -> float:
    """Beats that the host played in a recording, all passes of loops included."""
    log = recording.log
    return float((log[:, Noted.N_SAMPLES] * log[:, Noted.TEMPO] * log[:, Noted.PLAYING]).sum()) / (
        60.0 * recording.rate_hz
    )


@dataclass(frozen=True)
class BarPhases:
    """A second measure: the phase of the rises on the sixteenths, a bar at a time: how late in ms, how clearly 0..1."""

    seconds: Floats
    late_ms: Floats
    clarity: Floats


def bar_phases(rising: Floats, recording: Recording, bar_beats: float = 4.0) -> BarPhases:
    """Phase of an onset envelope against the host's sixteenths, in stretches of a bar's length.  [any]"""
    seconds = hop_seconds(rising)
    at = seconds * recording.rate_hz
    beats, tempo = recording.beats_at(at), recording.tempo_at(at)
    hops_per_bar = max(int(bar_beats * 60.0 / float(np.median(tempo)) * RATE_HZ / HOP_SAMPLES), 1)
    turned = rising * np.exp(2j * np.pi * SIXTEENTHS * beats)
    rows = []
    for begin in range(0, len(rising) - hops_per_bar + 1, hops_per_bar):
        part = slice(begin, begin + hops_per_bar)
        total = float(rising[part].sum())
        if total <= 0:
            continue
        arrow = complex(turned[part].sum()) / total
        late = float(np.angle(arrow)) / (2 * np.pi * SIXTEENTHS) * 60_000.0 / float(tempo[part].mean())
        rows.append((seconds[begin] + 0.5 * hops_per_bar * HOP_SAMPLES / RATE_HZ, late, abs(arrow)))
    table = np.array(rows).reshape(-1, 3)
    return BarPhases(table[:, 0], table[:, 1], table[:, 2])


def on_grid_after_ms(
    rising: Floats, recording: Recording, event_seconds: float, bias_ms: float, bar_seconds: float
) -> float:
    """Milliseconds from a change to where the music is on the host's sixteenths again; NaN if it is not.

    From then on, for two bars, nine of ten windows of half a bar lie on the grid as clearly as 0.6 of the bars before.
    [any]
    """
    seconds = hop_seconds(rising)
    at = seconds * recording.rate_hz
    late_beats = bias_ms / 60_000.0 * recording.tempo_at(at)
    turned = rising * np.cos(2 * np.pi * SIXTEENTHS * (recording.beats_at(at) - late_beats))
    width = max(int(0.5 * bar_seconds * RATE_HZ / HOP_SAMPLES), 1)
    box = np.ones(width)
    clear = np.convolve(turned, box, "valid") / np.maximum(np.convolve(rising, box, "valid"), 1e-9)
    begins = seconds[: len(clear)]
    before = clear[(begins > event_seconds - 4.5 * bar_seconds) & (begins < event_seconds - 0.5 * bar_seconds)]
    if not len(before):
        return float("nan")
    good = clear >= 0.6 * float(np.median(before))
    two_bars = int(2 * bar_seconds * RATE_HZ / HOP_SAMPLES)
    first = int(event_seconds * RATE_HZ / HOP_SAMPLES)
    held = np.cumsum(np.concatenate([[0.0], good]))
    for begin in range(first, len(good) - width):
        end = min(begin + two_bars, len(good))
        if good[begin] and (held[end] - held[begin]) >= 0.9 * (end - begin):
            return 1000.0 * max(float(begins[begin]) - event_seconds, 0.0)
    return float("nan")


def clicks(audio: Audio, rate_hz: int) -> Floats:
    """Seconds at which the samples jump: energy above 17.5 kHz, where the models' music has none.

    A step of 0.015 of full scale in quiet music, about 0.03 in loud, is found. Needs a rate of 44.1 kHz or more.
    [main]
    """
    blocks = _high_peaks(audio, rate_hz)
    around = np.array([np.median(blocks[max(i - 25, 0) : i + 26]) for i in range(len(blocks))])
    loud = blocks > np.maximum(10 ** (STEP_DBFS / 20), 8 * around)
    starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
    return np.asarray(starts * HIGH_SECONDS, np.float64)


def _high_peaks(audio: Audio, rate_hz: int) -> Floats:
    """The highest sample above 17.5 kHz of every 2 ms."""
    size = round(HIGH_SECONDS * rate_hz)
    if len(audio) < rate_hz // 10:
        return np.zeros(0)
    high = _high(audio, rate_hz)
    return np.asarray(high[: len(high) // size * size].reshape(-1, size).max(axis=1))


def _high(audio: Audio, rate_hz: int) -> Floats:
    """The peak above 17.5 kHz of any channel, sample by sample."""
    from scipy.signal import butter, sosfiltfilt

    steep = butter(8, 17_500, "highpass", fs=rate_hz, output="sos")
    return np.asarray(np.abs(sosfiltfilt(steep, audio.astype(np.float64), axis=0)).max(axis=1))


def detected_clicks(recording: Recording, clip: Clip | None) -> Floats:
    """Clicks from where Segue's music begins, in seconds, the joint with the region before it included.

    At the joint a click is louder than twice the region's own level there in its last tenth of a second: a cymbal that
    the bar line cuts is not a click.  [main]
    """
    mix, begin = with_region(recording, clip)
    found = clicks(mix, recording.rate_hz)
    if clip is None or begin <= 0:
        return found
    joint = begin / recording.rate_hz
    peaks = _high_peaks(mix, recording.rate_hz)
    at = round(joint / HIGH_SECONDS)
    own = float(_high(mix[:begin], recording.rate_hz)[-recording.rate_hz // 10 :].max())
    loud = float(peaks[max(at - 1, 0) : at + 2].max()) > 2 * own
    near = np.abs(found - joint) <= 1.5 * HIGH_SECONDS
    return found[(found > joint) & ~near | near & loud]


def with_region(recording: Recording, clip: Clip | None) -> tuple[Audio, int]:
    """Region and recording as a listener hears them, and the sample on which the region ends.

    The host plays the region right before the music that continues it.  [any]
    """
    log, audio = recording.log, recording.audio
    if clip is None or not len(log):
        return audio, 0
    mix = audio.copy()
    first = int(log[0, Noted.POSITION])
    n = min(max(clip.end_samples - first, 0), len(mix))
    clip.add_to(mix[:n], first)
    fade = min(n, recording.rate_hz // 100)
    mix[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    return mix, n


def silences(audio: Audio, rate_hz: int) -> list[tuple[float, float]]:
    """Silent stretches of 20 ms and more: (begin, end) in seconds.  [any]"""
    quiet = np.abs(audio).max(axis=1) < SILENT
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    spans = edges.reshape(-1, 2)
    return [(b / rate_hz, e / rate_hz) for b, e in spans if e - b >= SILENT_SECONDS * rate_hz]
