"""Results of a scene: rows of the table, and data for the pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

from plugin_host.bench.bench import FigureRow
from plugin_host.bench.sync.measures import BarPhases, Beats
from plugin_host.bench.sync.recorder import Floats


@dataclass(frozen=True)
class PhaseTrace:
    """Phase error over time at one tempo, the detector's bias subtracted."""

    tempo_bpm: float
    material: str
    beats: Beats
    bars: BarPhases


@dataclass(frozen=True)
class TempoTrace:
    """The music across a change: rises [hops] 2 ms apart, and the host's tempo at each."""

    name: str
    rising: Floats
    tempo_bpm: Floats
    events: tuple[float, ...] = ()


@dataclass
class SceneResults:
    """All results of one or more scenes."""

    rows: list[FigureRow] = field(default_factory=list)
    phases: list[PhaseTrace] = field(default_factory=list)
    tempi: list[TempoTrace] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str = "", goal: str = "") -> None:
        """One more row.  [main]"""
        self.rows.append(FigureRow(name, value, unit, goal))

    def take(self, other: SceneResults) -> None:
        """Append another scene's results.  [main]"""
        self.rows += other.rows
        self.phases += other.phases
        self.tempi += other.tempi
