"""The rows of the scoreboard: which file counts each, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass

from plugin_host.bench.trust.stage import Size


@dataclass(frozen=True)
class Row:
    """One row; `clock`: it plays in real time, otherwise it is bad input and storage. `short`: also in the short run.

    The file `module` has `measure(stage) -> Figure`. `seconds` is the limit of the usual run.
    """

    number: int
    name: str
    module: str
    clock: bool
    short: bool
    seconds: float = 600.0

    def limit(self, size: Size) -> float:
        """Seconds after which the row is ended, and is missed.  [any]"""
        return self.seconds * (12.0 if size is Size.LONG else 1.0)


TABLE = (
    Row(4, "10,000 commands a second while a lane plays", "flooded", True, False),
    Row(12, "mutated OSC", "bad_osc", False, True),
    Row(6, "the engine is killed", "kills", True, False),
    Row(7, "and comes back", "restarts", True, False),
    Row(8, "the engine stands still", "stops", True, False),
    Row(9, "hosts are killed", "hosts_killed", True, False),
    Row(5, "open, play, stop, close", "cycles", True, False),
    Row(11, "memory runs out", "scarce_memory", True, False),
    Row(3, "the C++ audio thread calls nothing it must not", "pure", True, True),
    Row(16, "hostile ring memory", "ring_memory", False, True),
    Row(18, "the plugin's saved states", "plugin_state", False, False),
    Row(10, "crash, full disk, I/O error at every file call", "crashes", False, True),
    Row(17, "broken audio files", "bad_sound", False, True),
    Row(15, "hostile checkpoints", "checkpoints", False, True),
    Row(14, "paths", "paths", False, True),
    Row(13, "who may talk", "strangers", False, True),
    Row(2, "stalls are counted", "counts", True, True),
    Row(1, "frames under load", "loaded", True, False),
    Row(19, "steering without a new start", "steering", True, False),
)


def rows_of(numbers: tuple[int, ...], size: Size) -> tuple[Row, ...]:
    """The wanted rows, none named: all of this size.  [any]"""
    return tuple(row for row in TABLE if (row.number in numbers if numbers else row.short or size is not Size.SHORT))
