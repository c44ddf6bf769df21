"""A jam in a driven host: its constants, what the engine heard, what the host's input is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.plugin_host.plugin.counting_engine import value_at
from tests.plugin_host.plugin.plugin_rig import CountingProcess, DrivenHost

BAR = 96_000  # samples, at 120 in 4/4
BEAT = BAR // 4
CONNECTED, PLAYING = 2, 4
ACCOMPANY, TRADE, CONTINUE, LOOP = 1, 2, 3, 4
OFF, COUNT_IN, LISTENING, SEGUE, BOTH = range(5)
MELODY, STYLE = 0, 1
FADE = 240  # samples: 5 ms in which Segue's music dies away
LEAD = 4  # beats, of a machine whose time is not known yet


def opened(bundles: Path, engine: CountingProcess) -> Iterator[DrivenHost]:
    """A host that renders offline, connected to the engine."""
    made = DrivenHost(bundles, engine.port)
    made.do("open")
    made.run(at=0)
    made.until(lambda: made.value("engine") == CONNECTED)
    made.do("offline", on=1)
    yield made
    made.end()


def captured(engine: CountingProcess) -> list[dict]:
    """What the engine was given to listen to."""
    return [line for line in engine.lines if "captured" in line]


def plays(engine: CountingProcess) -> list[list[str]]:
    """The plays: bar and bars."""
    return [values[1:] for values in engine.messages("lane/play")]


def bars(audio: np.ndarray) -> list[np.ndarray]:
    """Bar by bar."""
    return [audio[n : n + BAR] for n in range(0, len(audio), BAR)]


def is_segue(audio: np.ndarray, position: int) -> bool:
    """Whether each sample is the engine's for its position."""
    return bool(np.array_equal(audio, value_at(np.arange(position, position + len(audio)))))


def heard(position: int) -> float:
    """The input's sample at a position."""
    return float(np.float32(-(position % (1 << 20) + 1) / (1 << 20) / 2))
