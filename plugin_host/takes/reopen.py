"""Making a take again from the recipe inside it, and comparing it with the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from bridge.system.plain_text import plain
from plugin_host.console.output import ready_folder
from plugin_host.console.screen import Screen
from plugin_host.takes.engines import EngineRequest, HotEngine, hot_engine
from plugin_host.takes.errors import TakeError
from plugin_host.takes.finish import decoded, encoded
from plugin_host.takes.order import one
from plugin_host.takes.recipe import Recipe, StemNote, region_bytes
from plugin_host.takes.take import Take, grid_of


@dataclass(frozen=True)
class Variation:
    """Changes to a recipe; None keeps the value."""

    seed: int | None = None
    bars: int | None = None
    prompt: str | None = None

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe with these changes.  [any]"""
        changed = {name: value for name, value in vars(self).items() if value is not None}
        return replace(recipe, **changed)


def describe(recipe: Recipe) -> Iterator[str]:
    """A recipe as lines of text.  [any]"""
    grid, bars = grid_of(recipe), f"bars {recipe.start_bar + 1} to {recipe.start_bar + recipe.bars}"
    meter = f"{grid.signature.numerator}/{grid.signature.denominator}"
    yield f"take: {recipe.bpm:g} bpm, {meter}, {bars}, seed {recipe.seed}, {recipe.rate_hz} Hz, {recipe.bits} bits"
    weights = plain(recipe.model.sha256[:12]) or "not known"
    yield f"model: {plain(recipe.model.name)}, {recipe.model.precision}, weights {weights}"
    if recipe.stem.lane:
        yield f"stem: {' '.join(_stem_words(recipe.stem))}"
    if recipe.live:
        yield f"played live: {plain(recipe.live.journal)}, from sample {recipe.live.first} of what was heard"
    if recipe.prompt:
        yield f"prompt: {plain(recipe.prompt)}"
    for region in recipe.regions:
        where = plain(region.path) if region.path else f"inside the file, {len(region.flac) / 1000:.0f} kB"
        yield f"region: {region.role}, {region.bpm:g} bpm, from beat {region.start_beats:g}, {where}"
        if region.tempo:
            yield f"its own tempo: {region.tempo}"
    yield "values: " + ", ".join(f"{name} {value:g}" for name, value in sorted(recipe.values.items()))
    if recipe.note:
        yield f"note: {plain(recipe.note)}"


def _stem_words(stem: StemNote) -> Iterator[str]:
    yield f"{plain(stem.lane)} of variation {stem.variation}"
    if stem.gain_db:
        yield f"changed by {stem.gain_db:+.1f} dB"
    if stem.separated:
        yield f"taken out of what was made by {plain(stem.separated)}"
    if stem.parts:
        yield f"the sum of {plain(stem.parts)}"


def make_again(
    found: Take, varied: Variation, request: EngineRequest, folder: Path, kind: str, screen: Screen
) -> float | None:
    """Make it, write it beside the file, compare; the largest difference (0: equal), None for a variation.  [main]

    Raises TakeError if a region of the recipe is no longer available, and the engine's errors.
    """
    recipe = varied.of(found.recipe)
    if recipe.stem.parts:
        raise TakeError(f"{found.path.name} is the sum of the stems beside it ({recipe.stem.parts}): open those")
    if recipe.live:
        raise TakeError(f"{found.path.name} was played live: `segue takes again` makes it again in its session")
    for region in recipe.regions:
        region_bytes(region)  # before an engine is started
    with hot_engine(request, screen.say) as engine:
        for note in _notes(found.recipe, engine):
            screen.say(note)
        name = f"{found.path.stem}-again" if varied == Variation() else ""
        path, _, audio = one(recipe, engine, ready_folder(folder), kind, name, "take", screen.say, screen.show)
    if varied != Variation():
        return None
    difference = largest_difference(found, audio)
    screen.say(f"{path.name}: {difference_text(difference)}")
    return difference


def _notes(recipe: Recipe, engine: HotEngine) -> Iterator[str]:
    """Reasons for a difference."""
    used = recipe.model
    if engine.model != used.name:
        yield f"note: it was made with {used.name}, this engine has {engine.model}: it will be other music"
    elif used.sha256 and engine.sha256 and used.sha256 != engine.sha256:
        yield "note: the model's weights have changed since it was made: it will be other music"
    elif engine.precision != used.precision:
        yield f"note: it was made in {used.precision}, this engine plays in {engine.precision}: it may differ"


def largest_difference(found: Take, audio: Audio) -> float:
    """The largest difference between a file and the encoded audio; infinite if lengths differ.  [any]"""
    bits = min(found.recipe.bits, 24) if found.path.suffix.lower() == ".flac" else found.recipe.bits
    again = decoded(encoded(audio, bits), bits, audio.shape[1])
    if again.shape != found.audio.shape:
        return math.inf
    return float(np.abs(again - found.audio).max())


def difference_text(difference: float) -> str:
    """A difference as text.  [any]"""
    if difference == 0.0:
        return "the same as the file, to the last bit"
    if not math.isfinite(difference):
        return "another length or number of channels than the file's"
    return f"not the same as the file: it differs by up to {20 * math.log10(difference):.0f} dB"
