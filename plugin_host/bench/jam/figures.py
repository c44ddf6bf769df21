"""What the recording of a jam says: its journal and its three files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.jam.listening.features import chroma_likeness
from plugin_host.jam.recording.journal import read_journal

SHUFFLES = 12
LOOK_SECONDS = 0.4  # before and behind a bar line
ZERO_RUN = 96  # samples of exact silence, 2 ms, that count as silence and not as a crossing of zero
SOUNDING = ("playing", "both", "held")


@dataclass(frozen=True)
class Turn:
    """A phase of a jam: from one bar to another, and the session sample of bar 0."""

    phase: str
    bar: int
    until: int


class Recording:
    """A recorded jam."""

    def __init__(self, folder: Path) -> None:
        import soundfile

        self.lines = read_journal(folder / "session.jsonl")
        self.input, self.rate_hz = soundfile.read(folder / "input.wav", dtype="float32", always_2d=True)
        self.own: Audio = soundfile.read(folder / "segue.wav", dtype="float32", always_2d=True)[0]
        begun = self.of("timeline")[0]
        self.begins = int(begun["sample"])
        self.grid = Grid(self.rate_hz, float(begun["bpm"]))
        self.figures = self.of("figures")[-1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The lines of a kind.  [any]"""
        return [line for line in self.lines if line["kind"] == kind]

    def sample(self, bar: int) -> int:
        """The session sample of a bar line.  [any]"""
        return self.begins + self.grid.bar_start(bar)

    def turns(self) -> Iterator[Turn]:
        """The phases, in order.  [any]"""
        last = self.grid.bar_at(len(self.own) - self.begins)
        changes: list[tuple[str, int]] = [("listening", 0)]
        for line in self.of("phase"):
            if int(line["bar"]) < changes[-1][1]:  # what was to begin there begins later
                changes.pop()
            else:
                changes.append((line["phase"], int(line["bar"])))
        ends = [bar for _, bar in changes[1:]] + [last]
        for (phase, bar), until in zip(changes, ends, strict=True):
            if until > bar:
                yield Turn(phase, bar, until)

    def span(self, audio: Audio, bar: int, until: int) -> Audio:
        """Audio from one bar line to another.  [any]"""
        return audio[max(0, self.sample(bar)) : max(0, self.sample(until))]


def hand_overs(jam: Recording) -> list[int]:
    """Samples from each bar line where Segue begins to its first sound; exact is 0 or 1.  [any]"""
    look, found = int(LOOK_SECONDS * jam.rate_hz), []
    silent = True
    for turn in jam.turns():
        if turn.phase in SOUNDING and silent:
            line = jam.sample(turn.bar)
            part = np.flatnonzero(jam.own[max(0, line - look) : line + look].any(axis=1))
            found.append(int(part[0]) - min(look, line) if len(part) else look)
        silent = turn.phase not in SOUNDING
    return found


def silent_samples(jam: Recording) -> int:
    """Samples of exact silence, in runs of 2 ms or more, where Segue's music was due.  [any]"""
    count = 0
    for turn in jam.turns():
        if turn.phase in SOUNDING:
            quiet = ~jam.span(jam.own, turn.bar, turn.until).any(axis=1)
            edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
            runs = edges[1::2] - edges[::2]
            count += int(runs[runs >= ZERO_RUN].sum())
    return count


def accompaniment_likeness(jam: Recording, seed: int = 1) -> tuple[float, float]:
    """Mean likeness of Segue's chroma to the player's, bar by bar, and to the player's bars in other orders.  [any]"""
    bars = [bar for turn in jam.turns() if turn.phase == "both" for bar in range(turn.bar, turn.until)]
    own = [jam.span(jam.own, bar, bar + 1) for bar in bars]
    heard = [jam.span(jam.input, bar, bar + 1) for bar in bars]
    pairs: dict[tuple[int, int], float] = {}

    def likeness(one: int, other: int) -> float:
        if (one, other) not in pairs:
            pairs[one, other] = chroma_likeness(own[one], heard[other], jam.rate_hz)
        return pairs[one, other]

    rng, count = np.random.default_rng(seed), range(len(bars))
    true = float(np.mean([likeness(each, each) for each in count]))
    orders = [rng.permutation(len(bars)) for _ in range(SHUFFLES)]
    return true, float(np.mean([likeness(each, int(order[each])) for order in orders for each in count]))


def off_samples(jam: Recording, played: Audio) -> float:
    """How late the player's file lies in input.wav, against the bar it was played on, in samples; the median.  [any]"""
    reach, found = jam.rate_hz // 10, []
    length = len(played)
    for number in range(1, (len(jam.input) - jam.begins) // length - 1):
        line = jam.begins + number * length
        part = jam.input[line - reach : line + length + reach, 0].astype(np.float64)
        size = 1 << (len(part) + length).bit_length()
        spectrum = np.fft.rfft(part, size) * np.conj(np.fft.rfft(played[:, 0].astype(np.float64), size))
        match = np.fft.irfft(spectrum, size)[: 2 * reach + 1]
        found.append(int(np.argmax(match)) - reach)
    return float(np.median(found)) if found else float("nan")
