"""Stems of one order made in one batch and one by one: time, equal samples, purity, and what lanes have in common."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from plugin_host.bench.bench import FigureRow
from plugin_host.jam.listening.features import Floats, chroma, onset_envelope
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.stems.lanes import MIX, read_lanes
from plugin_host.takes.stems.order import StemsOrder
from plugin_host.takes.stems.purity import shares
from plugin_host.takes.stems.run import make_stems
from plugin_host.takes.stems.sound import band_levels
from plugin_host.takes.take import read_take

LANES = "drums,bass,keys,lead"
REGION, ROLE, SEED = "pop-114bpm", "melody", 3
Music = Mapping[tuple[int, str], Audio]


def order_of(bars: int, variations: int, lanes: str = LANES, role: str = ROLE) -> StemsOrder:
    """The order that is made.  [main]"""
    take = TakeOrder(TakeRegionRequest(Path(REGION), role), bars=bars, seed=SEED)
    return StemsOrder(take, read_lanes(lanes), variations)


def both_ways(engine: HotEngine, out: Path, order: StemsOrder, show: Callable[[str], None]) -> list[FigureRow]:
    """Make all in one batch, and one by one; the folders are `batch` and `single`.  [main]"""
    took = {}
    for name, at_once in (("batch", order.variations), ("single", 1)):
        began = time.monotonic()
        make_stems(replace(order, at_once=at_once), engine, out / name, lambda line: None, show)
        took[name] = time.monotonic() - began
    files = sorted(path.relative_to(out / "batch") for path in (out / "batch").glob("*/*.wav"))
    unequal = sum(
        not np.array_equal(read_take(out / "batch" / file).audio, read_take(out / "single" / file).audio)
        for file in files
    )
    minutes = len(order.lanes) * order.variations * read_take(out / "batch" / files[0]).recipe.seconds / 60
    return [
        FigureRow("stems: minutes of music", minutes, "min"),
        FigureRow("stems: one run", took["batch"], "s"),
        FigureRow("stems: one by one", took["single"], "s"),
        FigureRow("stems: one by one takes so many times as long", took["single"] / took["batch"], ""),
        FigureRow("stems: files that differ between the two", unequal, f"of {len(files)}", "0"),
    ]


def music_of(folder: Path, order: StemsOrder) -> tuple[Music, int]:
    """All stems and mixes of an order by variation and name, and their rate.  [main]"""
    names, found, rate = [*(lane.name for lane in order.lanes), MIX], {}, 0
    for variation in range(1, order.variations + 1):
        for name in names:
            take = read_take(folder / str(variation) / f"{name}.wav")
            found[variation, name], rate = take.audio, take.recipe.rate_hz
    return found, rate


def purities(folder: Path, order: StemsOrder) -> list[FigureRow]:
    """Purity of each lane, and of the full mixes as a control.  [main]"""
    rows = json.loads((folder / "stems.json").read_text(encoding="utf-8"))["stems"]
    music, rate = music_of(folder, order)
    mixes = [shares(band_levels(music[variation, MIX], rate)) for variation in range(1, order.variations + 1)]
    found = []
    for lane in order.lanes:
        values = [row["figures"]["purity"] for row in rows if row["lane"] == lane.name]
        control = float(np.mean([share[lane.kind] for share in mixes]))
        pure = float(np.mean([value for value in values if value is not None] or [np.nan]))
        found.append(FigureRow(f"purity of {lane.name} (the mix's share of {lane.kind}: {control:.2f})", pure, ""))
    return found


def togetherness(folder: Path, order: StemsOrder) -> list[FigureRow]:
    """How alike lanes of one variation are in harmony and attacks, beside lanes of different variations.  [main]"""
    music, rate = music_of(folder, order)
    tones = {key: _beats(chroma(audio, rate), order.take.bars) for key, audio in music.items()}
    attacks = {key: _levelled(onset_envelope(audio, rate)) for key, audio in music.items()}
    return [
        *_compared("harmony", tones, [lane.name for lane in order.lanes if lane.tonal], order.variations),
        *_compared("attacks", attacks, [lane.name for lane in order.lanes], order.variations),
    ]


def _compared(what: str, of: Mapping[tuple[int, str], Floats], names: list[str], count: int) -> list[FigureRow]:
    own, other = list[float](), list[float]()
    for first, second in ((a, b) for number, a in enumerate(names) for b in names[number + 1 :]):
        for one in range(1, count + 1):
            for two in range(1, count + 1):
                n = min(len(of[one, first]), len(of[two, second]))
                alike = float((of[one, first][:n] * of[two, second][:n]).sum() / n)
                (own if one == two else other).append(alike)
    if not own or not other:
        return []
    return [
        FigureRow(f"{what}: likeness of a variation's lanes", float(np.mean(own)), "", "above the next"),
        FigureRow(f"{what}: likeness of lanes of different variations", float(np.mean(other)), ""),
    ]


def _beats(rows: Floats, bars: int) -> Floats:
    """Rows [T, 12] averaged over quarters of bars."""
    return np.stack([part.mean(axis=0) for part in np.array_split(rows, 4 * bars)])


def _levelled(envelope: Floats) -> Floats:
    """An envelope [T] with mean 0 and deviation 1."""
    return np.asarray((envelope - envelope.mean()) / (envelope.std() + 1e-9))
