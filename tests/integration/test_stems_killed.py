"""`kill -9` while stems are made by a real engine and kept: the short form of `segue bench --stems --only kill`."""

from __future__ import annotations

from pathlib import Path

from engine_rig import Engine

from plugin_host.bench.stems.killed import kills


def test_kills_lose_nothing_kept(engine: Engine, tmp_path: Path) -> None:
    rows = {row.name: row.value for row in kills(tmp_path, engine.port, 3, 1.5, lambda line: None)}
    assert rows["kill -9: times, while stems were made and kept"] == 3
    assert rows["kill -9: kept takes lost, half files, faults of the history"] == 0
