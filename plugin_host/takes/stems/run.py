"""Making an order's stems: lane by lane, all variations of a lane at once as lanes of the engine's batch.

    drums 1 2 3 4 --> bass 1 2 3 4 --> keys 1 2 3 4 --> mixes, ranks, stems.dawproject, index.html
      each hears the lanes of its variation that are there already

Each stem's file is written whole as soon as it is made. What is there is not made again: an order that was stopped goes
on where it was. All of it [main]; stems that were made at once are written and measured at once, on threads of a pool.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from plugin_host.console.output import put, ready_folder
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.errors import TakeFailed
from plugin_host.takes.finish import finish
from plugin_host.takes.make import make_all
from plugin_host.takes.order import Say, batched, recipe_of, whole
from plugin_host.takes.recipe import Recipe, StemNote, region_bytes
from plugin_host.takes.record import Recorder, is_recorded
from plugin_host.takes.stems import page, project, rank, separate, state
from plugin_host.takes.stems.conditioning import INSTRUMENTS, Made, lane_recipe, takes_instruments
from plugin_host.takes.stems.figures import SILENT_DB, Figures, level_db, measure_stem, pitch_classes
from plugin_host.takes.stems.lanes import MIX, Lane, lanes_text
from plugin_host.takes.stems.level import CEILING_DB, guarded_gain_db
from plugin_host.takes.stems.order import Progress, StemsOrder, Tell, path_of, present, seeded
from plugin_host.takes.stems.sound import Floats, band_levels
from plugin_host.takes.take import flac_file, read_take, wav_file

AT_WORK = 4  # stems that are written and measured at once: half of that is outside of Python


class Cancelled(TakeFailed):
    """The order was cancelled; what was made stays.  [any]"""

    code = "cancelled"


@dataclass(frozen=True)
class Way:
    """How stems are got from the loaded model: its abilities, and the separator that takes them out, or none."""

    abilities: frozenset[str]
    separator: str
    words: str


def way_of(engine: HotEngine) -> Way:
    """How the engine's model is asked for stems.  [main]"""
    abilities = frozenset(engine.client.model().abilities.split())
    if takes_instruments(abilities):
        return Way(abilities, "", "the model is asked for each instrument by name")
    why_not = separate.missing()
    if not why_not:
        return Way(abilities, separate.HTDEMUCS, "the model is asked by words, and the stem taken out of what it made")
    return Way(abilities, "", f"the model is asked by words alone, which it may not follow; no separation: {why_not}")


class StemsRun:
    """One order at work. `say` gets lines, `show` the progress line, `tell` each moment of it."""

    def __init__(
        self, order: StemsOrder, base: Recipe, folder: Path, engine: HotEngine, say: Say, show: Say,
        tell: Tell, cancelled: threading.Event,
    ) -> None:  # fmt: skip
        self.order, self.folder, self._engine = order, ready_folder(folder), engine
        self._say, self._show, self._tell, self._cancelled = say, show, tell, cancelled
        earlier, asked = state.seed_of(self.folder), order.take.seed
        drawn = int(np.random.default_rng().integers(2**24))
        self.seed = asked if asked >= 0 else earlier if earlier >= 0 else drawn
        self._base = base
        self._way = way_of(engine)
        self._begun = False  # whether what is in the folder may be this order's
        self._rows: list[state.StemRow] = []
        self._mixes: dict[int, tuple[float, ...]] = {}
        self._made: dict[int, list[Made]] = {number: [] for number in range(1, order.variations + 1)}
        self._region_classes = _region_classes(base)
        session = order.take.session
        self._recorder = Recorder(session, 0, say, stays=True) if session else None

    @property
    def done(self) -> int:
        """Stems that are there.  [main]"""
        return len(self._rows)

    def run(self) -> None:
        """Make all; raises Cancelled, TakeError, OutputError and the engine's errors. What is made stays.  [main]"""
        self._say(f"stems: {self._way.words}")
        ended = "failed"
        try:
            for lane in self.order.lanes:
                self._lane(lane)
            with ThreadPoolExecutor(AT_WORK) as pool:
                list(pool.map(self._mix, self._made))
            ended = "done"
        except (Cancelled, KeyboardInterrupt):
            ended = "cancelled"
            self._say(f"{self.done} of {self.order.total} stems are made and stay; the same order goes on from there")
            raise
        finally:
            if self._begun:  # else the folder is another order's, whose list and page stay
                project.write(self.folder, self._remember(ended))
            self._tell(Progress(ended, self.done, self.order.total, self.done / self.order.total))

    # -- one lane of all variations --------------------------------------------------------------------

    def _lane(self, lane: Lane) -> None:
        """Make the stems of a lane that are missing, and measure those that are there."""
        planned = {number: self._planned(lane, number) for number in self._made}
        missing = []
        for number, recipe in planned.items():
            found = present(self._path(number, lane.name), recipe)
            if found is None:
                missing.append(number)
            else:
                self._add(lane, found.recipe, found.audio, self._measured(lane, found.recipe, found.audio))
                self._record(lane, found.recipe)
        self._begun = True
        self._remember("making")
        there = [str(number) for number in planned if number not in missing]
        if there:
            self._say(f"{lane.name}, variation {', '.join(there)} of {self.order.variations}: made already")
        for numbers in batched(missing, self.order.at_once):
            label = f"{lane.name}, variation {', '.join(map(str, numbers))} of {self.order.variations}"
            made = self._music([planned[number] for number in numbers], label)
            stems = self._as_stems(lane, made)
            with ThreadPoolExecutor(AT_WORK) as pool:
                for ready in pool.map(lambda each: self._written(lane, *each), stems):
                    self._finish(lane, *ready)
            self._remember("making")

    def _planned(self, lane: Lane, variation: int) -> Recipe:
        base = seeded(self._base, self.seed, variation)
        return lane_recipe(base, lane, variation, self._made[variation], self._way.abilities)

    def _music(self, recipes: Sequence[Recipe], label: str) -> list[tuple[Recipe, Audio]]:
        """What the engine makes of these recipes at once, each cut to its bars."""
        if self._cancelled.is_set():
            raise Cancelled("the order was cancelled")

        def show(share: float) -> None:
            self._show(f"{label}: {100 * share:3.0f} %")
            so_far = self.done + share * len(recipes)
            self._tell(Progress("making", self.done, self.order.total, so_far / self.order.total))

        try:
            made = make_all(self._engine, recipes, self._say, show, self._cancelled)
        except TakeFailed:
            if self._cancelled.is_set():
                raise Cancelled("the order was cancelled") from None
            raise
        finally:
            self._show("")
        return [(recipe, whole(recipe, audio)) for recipe, audio in made]

    def _as_stems(self, lane: Lane, made: Sequence[tuple[Recipe, Audio]]) -> list[tuple[Recipe, Audio]]:
        """The asked stems out of what was made, if there is a separator for them."""
        if not self._way.separator:
            return list(made)
        audios = separate.separated([audio for _, audio in made], self._base.rate_hz, lane.kind)
        return [(replace(recipe, stem=replace(recipe.stem, separated=self._way.separator)), audio)
                for (recipe, _), audio in zip(made, audios, strict=True)]  # fmt: skip

    def _written(self, lane: Lane, recipe: Recipe, audio: Audio) -> tuple[Recipe, Audio, Figures, str]:
        """Guard the level, write the file, measure what it holds; on a thread of the pool."""
        gain, note = self._guard(recipe, audio) if self.order.guarded else (0.0, "")
        recipe = replace(recipe, stem=replace(recipe.stem, gain_db=round(gain, 3)))
        louder = audio * np.float32(10 ** (recipe.stem.gain_db / 20)) if recipe.stem.gain_db else audio
        held = read_take(self._save(recipe, louder, lane.name)).audio
        return recipe, held, self._measured(lane, recipe, held), note

    def _measured(self, lane: Lane, recipe: Recipe, audio: Audio) -> Figures:
        return measure_stem(audio, recipe, lane, self._region_classes)

    def _finish(self, lane: Lane, recipe: Recipe, audio: Audio, figures: Figures, note: str) -> None:
        """Tell of a stem that was written, and let the next lanes and the history have it."""
        self._add(lane, recipe, audio, figures, note)
        path = self._path(recipe.stem.variation, lane.name)
        self._say(f"  {path}: {page.figures_words(figures)}" + (f"; {note}" if note else ""))
        self._record(lane, recipe)

    def _record(self, lane: Lane, recipe: Recipe) -> None:
        """Make a stem a node of the session's history, unless it is one."""
        path = self._path(recipe.stem.variation, lane.name)
        if self._recorder is not None and not is_recorded(self._recorder.session, path):
            self._recorder.add([(path, recipe)], lane.name, recipe.stem.variation)

    def _guard(self, recipe: Recipe, audio: Audio) -> tuple[float, str]:
        others = [row.figures.level_db for row in self._rows if row.variation == recipe.stem.variation]
        peak = float(20 * np.log10(np.abs(audio).max() + 1e-12))
        return guarded_gain_db(level_db(band_levels(audio, recipe.rate_hz)), peak, others)

    def _add(self, lane: Lane, recipe: Recipe, audio: Audio, figures: Figures, note: str = "") -> None:
        """List a stem that is there, and let the next lanes hear it."""
        number = recipe.stem.variation
        self._made[number].append(Made(lane, audio))
        score = rank.stem_score(figures, recipe.stem.gain_db != 0.0)
        path = self._path(number, lane.name)
        how = recipe.stem.separated or ("by name" if recipe.values.get(INSTRUMENTS) else "by words")
        row = state.StemRow(number, lane.name, f"{number}/{path.name}", figures, score, how, state.outline(audio),
                             note)  # fmt: skip
        self._rows.append(row)
        share = self.done / self.order.total
        self._tell(Progress("made", self.done, self.order.total, share, number, lane.name, str(path), figures.purity))

    # -- variations --------------------------------------------------------------------------------------

    def _mix(self, variation: int) -> None:
        """The sum of a variation's stems, on a thread of the pool; lowered as a whole if it would clip."""
        made = self._made[variation]
        recipe = seeded(self._base, self.seed, variation)
        total = np.stack([each.audio for each in made]).sum(axis=0)
        peak = float(20 * np.log10(np.abs(total).max() + 1e-12))
        gain = min(0.0, CEILING_DB - peak)
        note = StemNote(MIX, variation, round(gain, 3), parts=" ".join(each.lane.name for each in made))
        recipe = replace(recipe, regions=(), stem=note)
        total *= np.float32(10 ** (note.gain_db / 20))
        found = present(self._path(variation, MIX), recipe)
        if found is None or found.recipe.stem != note:  # a lane was added
            self._save(recipe, total, MIX)
        self._mixes[variation] = state.outline(total)

    def _save(self, recipe: Recipe, audio: Audio, name: str) -> Path:
        """Write a stem or mix, whole, under its own name."""
        path = self._path(recipe.stem.variation, name)
        ready_folder(path.parent)
        done = finish(audio, recipe.rate_hz, "off", recipe.bits)
        put(path, flac_file(recipe, done) if path.suffix == ".flac" else wav_file(recipe, done, path.name))
        return path

    def _path(self, variation: int, name: str) -> Path:
        return path_of(self.folder, variation, name, self.order.take.kind)

    def _remember(self, word: str) -> state.State:
        """Write the list and the page of what is there."""
        rows = sorted(self._rows, key=lambda row: row.variation)
        complete = [number for number, made in self._made.items() if len(made) == len(self.order.lanes)]
        scores = {
            number: rank.variation_score([row.score for row in rows if row.variation == number]) for number in complete
        }
        now = state.State(
            self.seed, word, self._about(), rows, scores, rank.ranked(scores), dict(sorted(self._mixes.items()))
        )
        state.write(self.folder, now)
        page.write(self.folder, now, self.order.take.kind)
        return now

    def _about(self) -> dict[str, object]:
        base, region = self._base, next(iter(self._base.regions), None)
        return {
            "lanes": lanes_text(self.order.lanes), "variations": self.order.variations, "bpm": base.bpm,
            "numerator": base.signature.numerator, "denominator": base.signature.denominator, "bars": base.bars,
            "start_bar": base.start_bar, "prompt": base.prompt, "model": self._engine.model, "way": self._way.words,
            "region": f"{region.role} {region.name}" if region else "", "done": self.done, "total": self.order.total,
        }  # fmt: skip


def _region_classes(base: Recipe) -> Floats | None:
    """Pitch classes of the order's region; None without one, or for drums alone."""
    import soundfile

    if not base.regions:
        return None
    audio, rate_hz = soundfile.read(io.BytesIO(region_bytes(base.regions[0])), dtype="float32", always_2d=True)
    return pitch_classes(audio, rate_hz) if level_db(band_levels(audio, rate_hz)) > SILENT_DB else None


def make_stems(
    order: StemsOrder, engine: HotEngine, folder: Path, say: Say, show: Say, tell: Tell = lambda progress: None,
    cancelled: threading.Event | None = None, base: Recipe | None = None,
) -> Path:  # fmt: skip
    """Make an order's stems in a folder; returns the folder. Raises all errors; what is made stays.

    `base` is the order's recipe if `takes.order.looked_at` returned it.  [main]
    """
    from plugin_host.run.region_tempo import detector_of

    base = base or recipe_of(order.take, say, ready_folder(folder), detector_of(engine.client, say))
    run = StemsRun(order, base, folder, engine, say, show, tell, cancelled or threading.Event())
    run.run()
    return run.folder
