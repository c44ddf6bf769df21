"""Orders of stems at work: files, levels, ranks, page and project; stopped, gone on with, refused.

The engine is a stand-in that makes sounds at once; `tests/integration/test_stems.py` has a real one.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from bridge.control.arguments import Argument
from bridge.control.parameters import PARAMETERS
from bridge.ring.form import Audio
from plugin_host.cli.main import app
from plugin_host.history.check import faults_of
from plugin_host.history.database import transaction
from plugin_host.history.head import head
from plugin_host.history.history import History
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.errors import TakeError, TakeFailed
from plugin_host.takes.info import lines_about
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.record import recipe_of
from plugin_host.takes.stems import separate
from plugin_host.takes.stems.lanes import read_lanes
from plugin_host.takes.stems.order import Progress, StemsOrder
from plugin_host.takes.stems.run import Cancelled, make_stems
from plugin_host.takes.take import read_recipe, read_take, span_of

RATE, SEED = 16_000, 7
Sound = Callable[[Recipe], Audio]


def sound_of(recipe: Recipe) -> Audio:
    """Something that depends on seed, prompt and references; each lane quieter than the one before."""
    start, end = span_of(recipe)
    digits = "".join(region.sha256[:4] for region in recipe.regions)
    rng = np.random.default_rng([recipe.seed, *f"{recipe.prompt}{digits}".encode()])
    level = {"drums": 0.1, "bass": 0.05, "keys": 0.001}.get(recipe.stem.lane, 0.1)
    return rng.normal(0, level, (end - start, 2)).astype(np.float32)


class Engine:
    """Makes `sound_of` at once; `fails_at` is the number of the take with which it is lost, `seen` has all recipes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, abilities: str = "text melody style continue tempo") -> None:
        self.abilities, self.seen, self.fails_at = abilities, list[Recipe](), -1
        self.stop_at, self.cancelled, self.said = -1, threading.Event(), list[str]()
        self.held: threading.Event | None = None  # from the second take on each waits for it, or to be stopped
        self.hot = HotEngine(self, "noise", "float32", "", lambda: True)  # type: ignore[arg-type]
        monkeypatch.setattr("plugin_host.takes.make.make", self.make)
        monkeypatch.setattr(separate, "missing", lambda: "not here")

    def model(self) -> SimpleNamespace:
        return SimpleNamespace(abilities=self.abilities)

    def make(
        self, engine: object, recipe: Recipe, say: object, show: Callable[[float], None], stop: threading.Event | None
    ) -> tuple[Recipe, Audio]:
        if len(self.seen) == self.fails_at:
            raise TakeFailed("lost")
        self.seen.append(recipe)
        if len(self.seen) == self.stop_at:
            self.cancelled.set()
        while self.held is not None and len(self.seen) > 1 and not (self.held.is_set() or (stop and stop.is_set())):
            show(0.5)
            time.sleep(0.002)
        if stop is not None and stop.is_set():
            raise TakeFailed("given up")
        return replace(recipe, values={"temperature": 1.0, **recipe.values}), sound_of(recipe)


@pytest.fixture
def order(tmp_path: Path) -> StemsOrder:
    return order_in(tmp_path)


def order_in(tmp_path: Path) -> StemsOrder:
    seconds = np.arange(2 * RATE) / RATE
    soundfile.write(tmp_path / "song.wav", 0.2 * np.sin(2 * np.pi * 220 * seconds), RATE)
    region = TakeRegionRequest(tmp_path / "song.wav", "melody", 240.0, 8.0)
    take = TakeOrder(region, bpm=240.0, bars=2, seed=SEED, prompt="dub & <bass>", rate_hz=RATE)
    return StemsOrder(take, read_lanes("drums,bass,keys"), variations=2)


def made(order: StemsOrder, engine: Engine, folder: Path) -> list[Progress]:
    told: list[Progress] = []
    make_stems(order, engine.hot, folder, engine.said.append, lambda line: None, told.append, engine.cancelled)
    return told


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*") if path.is_file()}


ALL = {f"{number}/{name}.wav" for number in (1, 2) for name in ("drums", "bass", "keys", "mix")}


def test_stems_mixes_list_page_and_project(order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    told = made(order, Engine(monkeypatch), out)
    assert files(out) == ALL | {"stems.json", "stems.dawproject", "index.html"}
    for number in (1, 2):
        stems = {name: read_take(out / str(number) / f"{name}.wav") for name in ("drums", "bass", "keys", "mix")}
        for name, take in stems.items():
            assert (take.recipe.stem.lane, take.recipe.stem.variation) == (name, number)
            assert (take.recipe.seed, take.recipe.start_bar, take.recipe.bars) == (SEED + number - 1, 2, 2)
            assert len(take.audio) == 2 * RATE
        total = sum(stems[name].audio for name in ("drums", "bass", "keys"))
        gain = 10 ** (stems["mix"].recipe.stem.gain_db / 20)
        assert np.abs(total * gain - stems["mix"].audio).max() < 2**-22
        assert stems["mix"].recipe.stem.parts == "drums bass keys"
        levels = [20 * np.log10(stems[name].audio.std()) for name in ("drums", "bass", "keys")]
        assert max(levels) - min(levels) < 20.5, "the keys were 40 dB below the drums"
        assert stems["keys"].recipe.stem.gain_db > 15
    table = json.loads((out / "stems.json").read_text())
    assert (table["state"], table["seed"], table["done"], sorted(table["ranks"])) == ("done", SEED, 6, [1, 2])
    assert [progress.state for progress in told].count("made") == 6
    assert (told[-1].state, told[-1].done, told[-1].share) == ("done", 6, 1.0)
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)


def test_the_page_needs_no_server(order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    made(order, Engine(monkeypatch), out)
    page = (out / "index.html").read_text()
    assert "dub &amp; &lt;bass&gt;" in page
    assert set(re.findall(r'src="([^"]+)"', page)) == ALL
    assert not re.search(r"https?://", page)
    assert "Not every stem here is one instrument alone" in page
    assert page.count("<svg") == 8


def test_the_project_has_a_group_for_each_variation_and_the_best_sounds(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    made(order, Engine(monkeypatch), out)
    ranks = json.loads((out / "stems.json").read_text())["ranks"]
    with zipfile.ZipFile(out / "stems.dawproject") as archive:
        root = ElementTree.fromstring(archive.read("project.xml"))
        assert len([name for name in archive.namelist() if name.endswith(".wav")]) == 6
        folder = os.environ.get("SEGUE_DAWPROJECT_XSD")
        if folder:
            etree = pytest.importorskip("lxml.etree")
            rules = etree.XMLSchema(etree.parse(Path(folder) / "Project.xsd"))
            rules.assertValid(etree.fromstring(archive.read("project.xml")))
    groups = root.findall("Structure/Track[@contentType='tracks']")
    assert [group.get("name") for group in groups] == [f"Variation {number}" for number in ranks]
    for number, group in zip(ranks, groups, strict=True):
        assert [track.get("name") for track in group.findall("Track")] == [
            f"{name} {number}" for name in ("drums", "bass", "keys")
        ]
        inside = {track.find("Channel").get("destination") for track in group.findall("Track")}
        assert inside == {group.find("Channel").get("id")}
    assert [group.find("Channel/Mute") is None for group in groups] == [True, False]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {clip.get("time") for clip in root.iter("Clip")} == {"8"}


def test_lanes_hear_the_lanes_that_are_there(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a region as style, the harmony of the lanes already made is the melody of the next; drums have none."""
    assert order.take.region is not None
    style = replace(order, take=replace(order.take, region=replace(order.take.region, role="style")), variations=1)
    engine = Engine(monkeypatch)
    made(style, engine, tmp_path / "style")
    roles = {recipe.stem.lane: [(region.role, region.name) for region in recipe.regions] for recipe in engine.seen}
    assert roles == {
        "drums": [("style", "song")], "bass": [("style", "song")],
        "keys": [("style", "song"), ("melody", "lanes bass")],
    }  # fmt: skip
    assert engine.seen[2].regions[1].start_beats == 8.0
    engine = Engine(monkeypatch)
    made(replace(order, variations=1), engine, tmp_path / "melody")
    roles = {recipe.stem.lane: [(region.role, region.name) for region in recipe.regions] for recipe in engine.seen}
    assert roles == {"drums": [], "bass": [("melody", "song")], "keys": [("melody", "song")]}
    assert engine.seen[0].prompt == "drums, beat, dub & <bass>"


def test_a_model_that_takes_a_context_hears_all_lanes_that_are_there(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drums too; with a region as style the harmony of the tonal ones is the melody besides."""
    assert order.take.region is not None
    style = replace(order, take=replace(order.take, region=replace(order.take.region, role="style")), variations=1)
    engine = Engine(monkeypatch, "text melody style continue tempo context")
    made(style, engine, tmp_path / "style")
    roles = {recipe.stem.lane: [(region.role, region.name) for region in recipe.regions] for recipe in engine.seen}
    assert roles == {
        "drums": [("style", "song")], "bass": [("style", "song"), ("context", "lanes drums")],
        "keys": [("style", "song"), ("melody", "lanes bass"), ("context", "lanes drums bass")],
    }  # fmt: skip
    heard, rate = soundfile.read(io.BytesIO(engine.seen[1].regions[1].flac), dtype="float32")
    drums = read_take(tmp_path / "style" / "1" / "drums.wav").audio.mean(axis=1)
    assert rate == RATE
    assert np.abs(heard - drums).max() < 2e-4
    assert [region.role for region in read_recipe(tmp_path / "style" / "1" / "keys.wav").regions][-1] == "context"


def test_each_stem_is_a_take_of_its_session(order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One order is one batch; the head stays. A stem that is there and not in the history is added."""
    out = tmp_path / "out"
    order = replace(order, take=replace(order.take, session=out))
    made(order, Engine(monkeypatch), out)
    with History(out) as history:
        nodes = history.nodes()
        wanted = [(lane, number) for lane in ("drums", "bass", "keys") for number in (1, 2)]
        assert [(node.lane, node.variation) for node in nodes] == wanted
        assert [node.letter for node in nodes] == ["A", "B"] * 3
        assert {node.batch for node in nodes} == {1}
        assert head(history).node == 0
        assert list(faults_of(history)) == []
        for node in nodes:
            assert recipe_of(history, node) == read_recipe(out / node.file)
    assert "not in the history" not in "".join(lines_about(out)), "a mix is the sum of takes, and none itself"
    refused = CliRunner().invoke(app, ["takes", "add", str(out / "1" / "mix.wav"), "-s", str(out)])
    assert "is a mix: its stems are the takes, drums, bass, keys" in refused.stderr
    made(order, Engine(monkeypatch), out)
    (out / "1" / "keys.wav").unlink()
    with History(out) as history, transaction(history.connection):
        history.connection.execute("DELETE FROM reference WHERE node IN (SELECT number FROM node WHERE lane = 'keys')")
        history.connection.execute("DELETE FROM node WHERE lane = 'keys'")
    made(order, Engine(monkeypatch), out)
    with History(out) as history:
        assert [(node.lane, node.variation) for node in history.nodes()][4:] == [("keys", 2), ("keys", 1)]


def test_a_model_that_takes_instruments_is_asked_by_name(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameter `instruments` has a bit for each of lanes.NAMES, in that order."""
    row = Argument("instruments", "i", "", low=0, high=255, default=0)
    monkeypatch.setitem(PARAMETERS, "instruments", row)  # type: ignore[arg-type]
    engine = Engine(monkeypatch, "text melody style continue tempo instruments")
    made(replace(order, variations=1), engine, tmp_path / "out")
    assert [(recipe.values["instruments"], recipe.prompt) for recipe in engine.seen] == [
        (bit, "dub & <bass>") for bit in (1, 2, 4)]  # fmt: skip
    assert [region.role for region in engine.seen[0].regions] == ["melody"]
    assert "Not every stem here" not in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_stopped_order_goes_on_where_it_was(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Cancelled from another thread at some take: what is there stays and is not made again, the rest is equal to that
    of an order that was never stopped."""
    order = replace(order, at_once=1)
    out, whole = tmp_path / "out", tmp_path / "whole"
    engine = Engine(monkeypatch)
    engine.stop_at = at
    with pytest.raises(Cancelled):
        made(order, engine, out)
    before = {name: (out / name).read_bytes() for name in files(out) if name.endswith(".wav")}
    assert len(before) == at - 1
    assert engine.said[-1].startswith(f"{at - 1} of 6 stems are made and stay; the same order goes on")
    assert json.loads((out / "stems.json").read_text())["state"] == "cancelled"
    again = Engine(monkeypatch)
    made(order, again, out)
    assert len(again.seen) == 6 - len(before)
    assert sum(line.count("made already") for line in again.said) == len({path[2:] for path in before})
    assert {name: (out / name).read_bytes() for name in before} == before
    made(order, Engine(monkeypatch), whole)
    for name in ALL:
        assert np.array_equal(read_take(out / name).audio, read_take(whole / name).audio)


def test_a_drawn_seed_is_kept_for_the_next_start(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = replace(order, take=replace(order.take, seed=-1))
    engine = Engine(monkeypatch)
    engine.fails_at = 3
    with pytest.raises(TakeFailed):
        made(order, engine, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "stems.json").read_text())["state"] == "failed"
    again = Engine(monkeypatch)
    made(order, again, tmp_path / "out")
    assert {recipe.seed for recipe in again.seen} <= {recipe.seed for recipe in engine.seen}
    assert len(again.seen) == 4, "the two drums are there"


def test_stems_of_another_order_are_not_replaced(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    made(order, Engine(monkeypatch), out)
    before = {name: (out / name).read_bytes() for name in files(out)}
    with pytest.raises(TakeError, match=r"another order \(prompt differs\)"):
        made(replace(order, take=replace(order.take, prompt="ska")), Engine(monkeypatch), out)
    assert {name: (out / name).read_bytes() for name in files(out)} == before, "its list, page and project, too"
    (out / "1/drums.wav").write_bytes(b"mine")
    with pytest.raises(TakeError, match="none of this order's stems"):
        made(order, Engine(monkeypatch), out)
    assert (out / "1/drums.wav").read_bytes() == b"mine"


def test_more_variations_and_lanes_are_added_to_what_is_there(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(replace(order, lanes=read_lanes("drums,bass"), variations=1), Engine(monkeypatch), tmp_path / "out")
    engine = Engine(monkeypatch)
    made(replace(order, variations=2), engine, tmp_path / "out")
    assert [(recipe.stem.variation, recipe.stem.lane) for recipe in engine.seen] == [
        (2, "drums"), (2, "bass"), (1, "keys"), (2, "keys")]  # fmt: skip
    assert read_recipe(tmp_path / "out/1/mix.wav").stem.parts == "drums bass keys"


def test_stems_are_taken_out_of_what_was_made_where_a_separator_is(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(monkeypatch)
    monkeypatch.setattr(separate, "missing", lambda: "")
    asked: list[str] = []

    def half(mixes: list[Audio], rate_hz: int, kind: str) -> list[Audio]:
        asked.append(kind)
        return [mix / 2 for mix in mixes]

    monkeypatch.setattr(separate, "separated", half)
    made(replace(order, guarded=False), engine, tmp_path / "out")
    assert asked == ["drums", "bass", "other"]
    take = read_take(tmp_path / "out/1/drums.wav")
    assert take.recipe.stem.separated == "htdemucs"
    assert np.abs(take.audio - sound_of(replace(engine.seen[0], values={})) / 2).max() < 2**-22


KILLS = int(os.environ.get("SEGUE_KILLS", "6"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process")
def test_killed_at_any_moment_no_half_file_has_a_final_name(
    order: StemsOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at random moments; what has a final name is whole and stays, and the order goes on to its end."""
    rng, before, out, seconds = np.random.default_rng(5), dict[str, bytes](), tmp_path / "out", 0.5
    for kill in range(KILLS):
        if set(before) == ALL:  # it was quicker than the kills: once more from the beginning
            out, before = tmp_path / f"out{kill}", {}
        began, child = time.monotonic(), os.fork()
        if child == 0:
            try:
                made(order, Engine(monkeypatch), out)
            finally:
                os._exit(0)
        time.sleep(rng.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now = {name: (out / name).read_bytes() for name in files(out) & ALL}
        assert {name: now[name] for name in before} == before, "what was made is still there, and the same"
        for name in now:
            take = read_take(out / name)
            assert len(take.audio) == np.diff(span_of(take.recipe))[0]
        seconds = max(seconds, time.monotonic() - began) if len(now) == len(before) else seconds
        before = now
    made(order, Engine(monkeypatch), out)
    assert files(out) == ALL | {"stems.json", "stems.dawproject", "index.html"}
