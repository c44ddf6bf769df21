"""What `segue bench --stems` finds, and that it would find faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plugin_host.bench.stems import heard
from plugin_host.bench.stems.batch import order_of, togetherness
from plugin_host.bench.stems.command import NoSuchScene, StemsBenchOptions, run_stems_bench
from plugin_host.bench.stems.killed import left_behind
from plugin_host.console.output import put
from plugin_host.console.screen import Screen
from plugin_host.history.database import transaction
from plugin_host.history.history import History
from plugin_host.takes.finish import finish
from plugin_host.takes.recipe import Recipe, StemNote
from plugin_host.takes.record import Recorder
from plugin_host.takes.take import span_of, wav_file

RATE, BPM = 16_000, 120.0
SILENT = lambda line: None  # noqa: E731


def stem(folder: Path, variation: int, lane: str, hz: float, step_beats: float) -> Path:
    """Two bars of a tone, struck every so many beats."""
    recipe = Recipe(BPM, 2, rate_hz=RATE, seed=1, stem=StemNote(lane, variation))
    begin, end = span_of(recipe)
    seconds = np.arange(end - begin) / RATE
    tone = sum(np.sin(2 * np.pi * hz * n * seconds) / n for n in (1, 2, 3))
    audio = 0.2 * tone * np.exp(-12 * (seconds % (step_beats * 60 / BPM)))
    path = folder / str(variation) / f"{lane}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = finish(np.stack([audio, audio], axis=1).astype(np.float32), RATE, "off", 24)
    put(path, wav_file(recipe, done, path.name))
    Recorder(folder, 0, SILENT, stays=True).add([(path, recipe)], lane, variation)
    return path


def stems(folder: Path) -> None:
    """Lanes of a variation have tones and attacks in common, those of two variations have not."""
    for variation, hz, step in ((1, 220.0, 0.5), (2, 311.1, 0.75)):
        for lane in ("bass", "keys", "mix"):
            stem(folder, variation, lane, hz, step)


def test_lanes_of_a_variation_are_nearer_than_others(tmp_path: Path) -> None:
    stems(tmp_path)
    order = order_of(2, 2, "bass,keys")
    rows = {row.name: row.value for row in togetherness(tmp_path, order)}
    assert rows["harmony: likeness of a variation's lanes"] > 0.9
    assert rows["harmony: likeness of lanes of different variations"] < 0.6
    assert rows["attacks: likeness of a variation's lanes"] > 0.9
    assert rows["attacks: likeness of lanes of different variations"] < 0.6
    assert replace(order, variations=1) != order


@pytest.mark.parametrize(
    ("one", "other", "same"), [(0, 0, True), (0, 21, True), (0, 7, True), (0, 6, False), (9, 12, False)]
)
def test_keys_that_share_their_tones_are_related(one: int, other: int, same: bool) -> None:
    """0 is C major, 21 A minor, 7 G major, 6 F sharp major, 12 C minor."""
    assert heard._related(one, other) is same


def test_what_a_kill_leaves_is_looked_at(tmp_path: Path) -> None:
    stems(tmp_path)
    with History(tmp_path) as history:
        numbers = [node.number for node in history.nodes()]
        history.keep(numbers[:2])
    assert left_behind(tmp_path, set(numbers[:2])) == []
    assert left_behind(tmp_path, set(numbers[:3])) == [f"take {numbers[2]} is lost"]
    path = tmp_path / "1" / "keys.wav"
    path.write_bytes(path.read_bytes()[:-5000])
    (tmp_path / "index.html").write_text("<!doctype html><p>half")
    (tmp_path / "stems.json").write_text('{"segue_')
    found = left_behind(tmp_path, set())
    assert [fault.partition(":")[0] for fault in found] == ["take 2", "index.html", "stems.json"]
    with History(tmp_path) as history, transaction(history.connection):
        history.connection.execute("DELETE FROM node WHERE number = ?", (numbers[0],))
    assert f"take {numbers[0]} is lost" in left_behind(tmp_path, {numbers[0]})


def test_a_scene_that_is_none_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSuchScene, match="--only takes batch, kill, live; got fire"):
        run_stems_bench(StemsBenchOptions(tmp_path / "new", only=("fire",)), Screen())
    (tmp_path / "song.wav").touch()
    with pytest.raises(NoSuchScene, match="holds something already"):
        run_stems_bench(StemsBenchOptions(tmp_path), Screen())
