"""The beat under a stream whose model is not told the tempo: what `engine.beat.bend` is laid on, for one output."""

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
    """The beats of the line that an output's newest music was laid on, under samples at the model's rate.

    All [generate].
    """

    def __init__(self, output: RingOutput) -> None:
        self._output = output

    def beats_at(self, out: int) -> float:
        """Beat of the host's grid at a sample put out."""
        return self._output.beat_map.entries[-1].beats_at(out * self._ratio)

    def next_bar(self, out: int) -> int:
        """The first sample put out, at `out` or after it, on which a bar begins."""
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
    """What bends a stream's sound from an own frame on, after the music `before` [C, n]; None for models that hear
    the tempo.  [generate]
    """
    codec = model.codec
    if TEMPO in model.takes or codec.sample_rate != RATE_HZ:
        return None
    heard = np.zeros((codec.channels, 0), np.float32) if before is None else before.float().cpu().numpy()
    bend = Bend(HostBeats(output), frame * codec.frame_samples, heard)
    bend.switch(wanted(settings))
    return bend


def off_the_beat(bend: Bend | None, output: RingOutput) -> tuple[float, float, float]:
    """How far the newest music is off before it is put right, in beats and ms (late above 0), and how sure that is.

    [generate]
    """
    if bend is None or not bend.course.followed:
        return 0.0, 0.0, 0.0
    tempo = output.beat_map.tempo_at(output.stream_made)
    return bend.detected.off_beats, bend.detected.off_beats * 60_000.0 / tempo, bend.detected.confidence


def wanted(settings: LaneSettings) -> bool:
    """Whether a lane's sound is to be bent onto the beat.  [any]"""
    return settings.get(BEND)


def engaged(bend: Bend | None) -> bool:
    """Whether sound is bent, or was: until then exactly as many frames are needed as it lasts.  [generate]"""
    return bend is not None and ((bend.active and bend.course.followed) or bend.map.last.shift != 0)


def enough(placement: StreamPlacement, bend: Bend | None) -> StreamPlacement:
    """A place that ends so much later that a stream whose sound is bent has frames enough for it.  [generate]"""
    if bend is None or not engaged(bend) or placement.end_samples == ENDLESS_SAMPLES:
        return placement
    rate = placement.grid.sample_rate_hz
    skipped = max(0, bend.map.last.shift) * rate // RATE_HZ
    reserve = int(BEND_RESERVE * (placement.end_samples - placement.zero_samples) + SPARE_SECONDS * rate)
    return replace(placement, end_samples=HostSample(placement.end_samples + skipped + reserve))


def as_audible(placement: StreamPlacement, bend: Bend | None) -> StreamPlacement:
    """A place on which a frame lies where it will be heard.  [generate]"""
    if bend is None:
        return placement
    shift = round(bend.map.last.shift * placement.grid.sample_rate_hz / RATE_HZ)
    return replace(placement, zero_samples=HostSample(placement.zero_samples - shift))
