"""An order of takes, from the command line, a DAW or a folder, and its files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.control.presets import load_preset
from bridge.ring.form import Audio
from bridge.time.units import Signature
from plugin_host.console.output import put, ready_folder
from plugin_host.run.region_tempo import Detector, detector_of, no_detector
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.finish import Finished, finish, looped
from plugin_host.takes.make import make_all
from plugin_host.takes.place import CONTINUED_BARS, TakeRegionRequest, place
from plugin_host.takes.recipe import REGION_BYTES_MAX, Recipe, UsedRegion, from_json, to_json
from plugin_host.takes.record import Recorder
from plugin_host.takes.stems.separate import as_stem
from plugin_host.takes.take import grid_of, save_take, span_of

LANES_AT_ONCE = 4  # takes made together: of a large model they cost little more time than one, but memory each
SEED_STEP = 1  # between the takes of one order, if the first seed is given


@dataclass(frozen=True)
class TakeOrder:
    """The options; None and -1 leave a value to the region or to chance. `bpm` is the song's. Bars count from 0."""

    region: TakeRegionRequest | None = None
    bpm: float | None = None
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen
    bars: int = 0  # 0: as many as the region has; 8 after it or without one
    start_bar: int | None = None
    takes: int = 1
    prompt: str = ""
    preset: str = ""
    seed: int = -1
    values: Mapping[str, float] = field(default_factory=dict)
    rate_hz: int = 48_000
    bits: int = 24
    kind: str = "wav"
    loop: bool = False
    loudness: str = "off"
    key: str = ""
    name: str = ""
    session: Path | None = None  # whose history gets the takes; None: none
    parent: int = 0  # the take of that history that they go on from


Say = Callable[[str], None]


def recipe_of(order: TakeOrder, say: Say, folder: Path, detect: Detector = no_detector) -> Recipe:
    """The recipe of an order's first take; reads the region. RegionError, TakeError for invalid values.  [main]"""
    prompt, values = order.prompt, dict(order.values)
    if order.preset:
        preset = load_preset(order.preset)
        prompt, values = prompt or preset.prompt or "", {**preset.parameters, **values}
    bpm, start, bars = order.bpm or 120.0, 0, order.bars or CONTINUED_BARS
    regions: tuple[UsedRegion, ...] = ()
    if order.region is not None:
        placed = place(order.region, order.bpm, order.signature, order.rate_hz, detect)
        say(f"region: {placed.words}")
        regions = (kept(placed.region, folder),)
        bpm, start, bars = placed.bpm, placed.start_bar, order.bars or placed.bars
    start = start if order.start_bar is None else order.start_bar
    recipe = Recipe(
        bpm, bars, start, order.signature, order.rate_hz, prompt, order.seed, values, regions,
        loop=order.loop, loudness=order.loudness, bits=order.bits, key=order.key,
    )  # fmt: skip
    from_json(to_json(recipe.with_seed(max(order.seed, 0)), with_audio=False))  # check that it can be read back
    return recipe


def looked_at(order: TakeOrder, say: Say, folder: Path) -> Recipe | None:
    """The recipe of an order, with its folder created: faults of either are raised before a model is loaded.

    None if the tempo of its region must be detected by an engine.  [main]
    """
    asked, said = list[Path](), list[str]()

    def detect(path: Path, hint_bpm: float, signature: Signature) -> tuple[float, float]:
        asked.append(path)
        return no_detector(path, hint_bpm, signature)

    recipe = recipe_of(order, said.append, ready_folder(folder), detect)
    if asked:
        return None
    for line in said:
        say(line)
    return recipe


def kept(region: UsedRegion, folder: Path) -> UsedRegion:
    """The region inside the recipe; a region too large for that is written beside the takes.  [main]"""
    if len(region.flac) <= REGION_BYTES_MAX:
        return region
    path = ready_folder(folder) / f"region-{region.sha256[:12]}.flac"
    put(path, region.flac)
    return replace(region, flac=b"", path=str(path))


def fill(
    order: TakeOrder, engine: HotEngine, folder: Path, say: Say, show: Say, recipe: Recipe | None = None
) -> list[Path]:
    """Make all takes of an order, some at once; writes each file as soon as it is made. Raises all errors.

    `recipe` is the order's, if `looked_at` returned it.  [main]
    """
    folder = ready_folder(folder)
    recipe = recipe or recipe_of(order, say, folder, detector_of(engine.client, say))
    recorder = Recorder(order.session, order.parent, say) if order.session else None
    paths: list[Path] = []
    seeds = [order.seed if order.seed < 0 else order.seed + number * SEED_STEP for number in range(order.takes)]
    for batch in batched(seeds, LANES_AT_ONCE):
        first, last = len(paths) + 1, len(paths) + len(batch)
        label = f"take {first} of {order.takes}" if first == last else f"takes {first} to {last} of {order.takes}"
        recipes = [replace(recipe, seed=seed) for seed in batch]
        made = some(recipes, engine, folder, order.kind, order.name, label, say, show)
        paths += [path for path, _, _ in made]
        if recorder is not None:
            recorder.add([(path, found) for path, found, _ in made])
    return paths


def batched(seeds: list[int], count: int) -> list[list[int]]:
    """In order, `count` at a time.  [any]"""
    return [seeds[at : at + count] for at in range(0, len(seeds), count)]


def one(
    recipe: Recipe, engine: HotEngine, folder: Path, kind: str, name: str, label: str, say: Say, show: Say
) -> tuple[Path, Recipe, Audio]:
    """Make, finish and write one take; returns its path, recipe, and audio before encoding.  [main]"""
    return some([recipe], engine, folder, kind, name, label, say, show)[0]


def some(
    recipes: list[Recipe], engine: HotEngine, folder: Path, kind: str, name: str, label: str, say: Say, show: Say
) -> list[tuple[Path, Recipe, Audio]]:
    """Takes as lanes of one batch: each as `one`.  [main]"""
    began = time.monotonic()
    found = make_all(engine, recipes, say, lambda share: show(f"{label}: {100 * share:3.0f} %"))
    show("")
    took = (time.monotonic() - began) / len(found)
    return [_written(made, audio, took, folder, kind, name, say) for made, audio in found]


def _written(
    made: Recipe, audio: Audio, took: float, folder: Path, kind: str, name: str, say: Say
) -> tuple[Path, Recipe, Audio]:
    """Finish and write a take; `took` is its share of the time."""
    start, end = span_of(made)
    done = finished(made, audio)
    path = save_take(folder, made, done, kind, name)
    lasts = (end - start) / made.rate_hz
    loudness = done.loudness
    level = f"{loudness.lufs:.1f} LUFS, peak {loudness.true_peak_db:.1f} dB" if loudness else "not measured"
    say(f"  {path}")
    bar = f"bar {made.start_bar + 1}"
    say(f"      {bar}, {made.bars} bars, {lasts:.2f} s in {took:.1f} s ({lasts / took:.1f} times real time); {level}")
    clipped = f"{done.clipped} samples were cut at full scale: --loudness peak helps" if done.clipped else ""
    for note in filter(None, (done.note, clipped)):
        say(f"      {note}")
    return path, made, done.audio


def finished(recipe: Recipe, audio: Audio) -> Finished:
    """The audio, looped and levelled as the recipe says; of a stem, what is taken out of it.  [main]"""
    return finish(as_stem(recipe, whole(recipe, audio)), recipe.rate_hz, recipe.loudness, recipe.bits)


def whole(recipe: Recipe, audio: Audio) -> Audio:
    """The recording cut to the recipe's bars, or looped.  [main]"""
    start, end = span_of(recipe)
    return looped(audio, end - start) if recipe.loop else audio[: end - start]


def grid_words(recipe: Recipe) -> str:
    """Tempo, signature and bars of a take in words.  [main]"""
    grid = grid_of(recipe)
    meter = f"{grid.signature.numerator}/{grid.signature.denominator}"
    return f"{recipe.bpm:g} bpm, {meter}, bars {recipe.start_bar + 1} to {recipe.start_bar + recipe.bars}"
