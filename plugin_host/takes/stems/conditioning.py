"""How a lane is asked of the loaded model, as far as it can be asked: by name, or by words and what it hears.

model takes          what a lane gets
instruments          the lane's instrument by name; otherwise words in the prompt
context              the lanes already made, as music that it hears and does not play
melody               unless the region is the melody, the tonal lanes already made: it keeps their harmony
(any)                tempo, bars and key of the region; drums don't follow a melody that they cannot play
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bridge.control.parameters import PARAMETERS
from bridge.ring.form import Audio
from plugin_host.takes.recipe import REGION_BYTES_MAX, Recipe, StemNote, UsedRegion
from plugin_host.takes.stems.lanes import NAMES, Lane

INSTRUMENTS, CONTEXT, MELODY = "instruments", "context", "melody"


@dataclass(frozen=True)
class Made:
    """A lane already made: its audio [n, channels]."""

    lane: Lane
    audio: Audio


def lane_recipe(base: Recipe, lane: Lane, variation: int, made: Sequence[Made], abilities: frozenset[str]) -> Recipe:
    """The recipe of a lane; `base` is that of the order, `made` has the earlier lanes of its variation.  [main]"""
    named = takes_instruments(abilities)
    prompt = ", ".join(filter(None, ("" if named else lane.words, base.prompt)))
    values = {**base.values, INSTRUMENTS: float(1 << NAMES.index(lane.name))} if named else base.values
    regions = _regions(base, lane, made, abilities)
    return replace(base, prompt=prompt, values=values, regions=regions, stem=StemNote(lane.name, variation))


def takes_instruments(abilities: frozenset[str]) -> bool:
    """Whether instruments are asked for by name: by a lane parameter, which is a sum of a bit for each of `NAMES`.

    [any]
    """
    return INSTRUMENTS in abilities and INSTRUMENTS in PARAMETERS


def _regions(base: Recipe, lane: Lane, made: Sequence[Made], abilities: frozenset[str]) -> tuple[UsedRegion, ...]:
    regions = base.regions
    if not lane.tonal and not takes_instruments(abilities):
        regions = tuple(region for region in regions if region.role != MELODY)
    tonal = [each for each in made if each.lane.tonal]
    follows = lane.tonal and MELODY in abilities and all(region.role != MELODY for region in regions)
    if tonal and follows:
        regions = (*regions, _heard(base, tonal, MELODY))
    return (*regions, _heard(base, made, CONTEXT)) if made and CONTEXT in abilities else regions


def _heard(base: Recipe, made: Sequence[Made], role: str) -> UsedRegion:
    """Lanes already made as a reference on their bars: mono, with peaks of at most -1 dB."""
    import soundfile

    total = sum((each.audio.mean(axis=1, dtype=np.float64) for each in made), np.float64(0.0))
    mono = np.asarray(total) / max(float(np.abs(total).max()) / 0.89, 1.0)
    memory = io.BytesIO()
    soundfile.write(memory, mono, base.rate_hz, "PCM_16", format="FLAC")
    flac = memory.getvalue()
    if len(flac) > REGION_BYTES_MAX:  # minutes of music: its first part, which repeats
        memory = io.BytesIO()
        bar = len(mono) // base.bars
        bars = max(1, base.bars * REGION_BYTES_MAX // len(flac) // 2)
        soundfile.write(memory, mono[: bar * bars], base.rate_hz, "PCM_16", format="FLAC")
        flac = memory.getvalue()
    start = float(base.start_bar * base.signature.beats_per_bar)
    name = "lanes " + " ".join(each.lane.name for each in made)
    return UsedRegion(role, base.bpm, start, hashlib.sha256(flac).hexdigest(), flac, name=name)
