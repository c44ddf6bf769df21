"""Beat alignment of a stream whose model has no tempo conditioning: the host's beats for `engine.beat.bend`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from bridge.control.parameters import BEND
from bridge.ring.layout import ENDLESS_SAMPLES
from engine.beat.bend import BEND_RESERVE, Bend
from engine.beat.onsets import RATE_HZ
from engine.model import TEMPO, LoadedModel
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.ring_output import RingOutput
from engine.serve.timeline.placement import StreamPlacement
from engine.serve.timeline.samples import HostSample

SPARE_SECONDS = 2.0


class HostBeats:
    """The host beats for which an output's newest music was made, by samples at the model's rate.

    All [generate].
    """

    def __init__(self, output: RingOutput) -> None:
        self._output = output

    def beats_at(self, out: int) -> float:
        """Beat of the host's grid at an output sample."""
        return self._output.beat_map.entries[-1].beats_at(out * self._ratio)

    def next_bar(self, out: int) -> int:
        """The first output sample, at `out` or after it, on which a bar begins."""
        entry, ratio = self._output.beat_map.entries[-1], self._ratio
        zero, curve = entry.placement.zero_samples, entry.placement.curve
        start = curve.bar_start(curve.next_bar(HostSample(zero + int(np.ceil(out * ratio)))))
        return int(np.ceil((start - zero) / ratio))

    @property
    def _ratio(self) -> float:
        return self._output.ring.form.sample_rate_hz / RATE_HZ


def bend_for(
    model: LoadedModel, output: RingOutput, settings: LaneSettings, frame: int, before: Tensor | None
) -> Bend | None:
    """The bend of a stream's audio from frame `frame` on, after the music `before` [C, n]; None for models with tempo
    conditioning.  [generate]
    """
    codec = model.codec
    if TEMPO in model.takes or codec.sample_rate != RATE_HZ:
        return None
    previous = np.zeros((codec.channels, 0), np.float32) if before is None else before.float().cpu().numpy()
    bend = Bend(HostBeats(output), frame * codec.frame_samples, previous)
    bend.switch(wanted(settings))
    return bend


def off_the_beat(bend: Bend | None, output: RingOutput) -> tuple[float, float, float]:
    """How far the newest music is off before correction, in beats and ms (positive: late), and the confidence.

    [generate]
    """
    if bend is None or not bend.course.followed:
        return 0.0, 0.0, 0.0
    tempo = output.beat_map.tempo_at(output.stream_made)
    return bend.detected.off_beats, bend.detected.off_beats * 60_000.0 / tempo, bend.detected.confidence


def wanted(settings: LaneSettings) -> bool:
    """Whether a lane's settings ask for bending onto the beat.  [any]"""
    return settings.get(BEND)


def engaged(bend: Bend | None) -> bool:
    """Whether audio is bent, or was: until then a stream needs no spare frames.  [generate]"""
    return bend is not None and ((bend.active and bend.course.followed) or bend.map.last.shift != 0)


def enough(placement: StreamPlacement, bend: Bend | None) -> StreamPlacement:
    """A placement that ends later, so that a bent stream has enough frames.  [generate]"""
    if bend is None or not engaged(bend) or placement.end_samples == ENDLESS_SAMPLES:
        return placement
    rate = placement.grid.sample_rate_hz
    skipped = max(0, bend.map.last.shift) * rate // RATE_HZ
    reserve = int(BEND_RESERVE * (placement.end_samples - placement.zero_samples) + SPARE_SECONDS * rate)
    return replace(placement, end_samples=HostSample(placement.end_samples + skipped + reserve))


def as_audible(placement: StreamPlacement, bend: Bend | None) -> StreamPlacement:
    """A placement on which each frame lies where it is heard after bending.  [generate]"""
    if bend is None:
        return placement
    shift = round(bend.map.last.shift * placement.grid.sample_rate_hz / RATE_HZ)
    return replace(placement, zero_samples=HostSample(placement.zero_samples - shift))
