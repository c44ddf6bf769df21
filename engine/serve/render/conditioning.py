"""Conditioning of a stream's windows: the lane's prompt, references and values, on the beats of its frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import proxy

import torch

from engine.lm import Conditions
from engine.model import TEMPO, Ask, ExcerptRange, FollowsGrid, LoadedModel
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render import bending
from engine.serve.render.weight_course import WeightCourse
from engine.serve.timeline.placement import StreamPlacement, Weights, ask_at
from engine.serve.timeline.samples import HostSample
from engine.serve.timeline.tempo_curve import TempoCurve

if TYPE_CHECKING:
    from engine.serve.render.stream_renderer import StreamRenderer

SAME_TEMPO = 1e-3  # relative difference below which tempi are equal


def prompt_curve(placement: StreamPlacement, region: ReferenceAudio | None) -> TempoCurve | None:
    """The tempo curve of the audio prompt, None if its tempo is the host's.  [any]"""
    tempo = placement.curve.tempo_at(placement.zero_samples)
    if region is None or abs(region.bpm / tempo - 1.0) < SAME_TEMPO:
        return None
    grid = replace(placement.grid, tempo_bpm=region.bpm)
    return TempoCurve.straight(
        grid.moved(placement.zero_samples, float(placement.curve.beats_at(placement.zero_samples)))
    )


def follows_grid(model: LoadedModel) -> bool:
    """Whether a model can take another tempo in the middle of a window.  [any]"""
    return TEMPO in model.takes and isinstance(model.conditioner, FollowsGrid)


class Conditioning:
    """Yields the conditions of each window of one renderer's stream, which calls it. All [generate]."""

    def __init__(self, renderer: StreamRenderer) -> None:
        self._renderer = proxy(renderer)  # only the lane keeps a renderer alive
        self.windows = 0  # so far
        self.weights = self._course(renderer.settings)
        self.excerpt: ExcerptRange | None = None  # of the style region, in the newest window

    def __call__(self, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        """The conditions of the stream's next window; records the style excerpt."""
        self.windows += 1
        weights = self.weights.at(self._renderer.stream.n_frames)
        asked = self._ask(offset_frames, window_frames, weights)
        conditioner = self._renderer.model.conditioner
        self.excerpt = conditioner.excerpts([asked], offset_frames)[0] if asked.style is not None else None
        return self.renewed(offset_frames, window_frames, weights)

    def renewed(self, offset_frames: int, window_frames: int, version: Weights) -> tuple[Conditions, ...]:
        """See `engine.stream.changing`: the conditions of a window with other weights."""
        asked, guidance = self._ask(offset_frames, window_frames, version), self._renderer.stream.settings.guidance
        with torch.no_grad():
            made = self._renderer.model.conditioner([asked], guidance, offset_frames, window_frames)[0]
        return tuple(replace(each, version=version) for each in made)

    def version_at(self, frame: int) -> Weights:
        """See `engine.stream.changing`: the weights of prompts and styles at a stream frame."""
        return self.weights.at(frame)

    def heard_at(self, position_samples: HostSample) -> Weights:
        """The weights of the music that sounds at a host position."""
        renderer = self._renderer
        return self.weights.at(renderer.prompt_frames + max(0, renderer.placement.frame_at(position_samples)))

    def begin(self, settings: LaneSettings) -> None:
        """The stream (re)starts from its first frame."""
        self.weights = self._course(settings)

    def _course(self, settings: LaneSettings) -> WeightCourse:
        renderer = self._renderer

        def tempo_at(frame: int) -> float:
            return renderer.output.beat_map.tempo_at(renderer.codec_output.stream_of(frame - renderer.prompt_frames))

        return WeightCourse(settings, tempo_at)

    def retime(self) -> None:
        """Condition frames that are not drawn yet on the current beat map."""
        model = self._renderer.model
        conditioner, size = model.conditioner, model.window_frames
        if not follows_grid(model) or not isinstance(conditioner, FollowsGrid):
            return

        def renew(conditions: tuple[Conditions, ...], offset_frames: int, first_row: int) -> None:
            asked = self._ask(offset_frames, size, self.weights.at(self._renderer.stream.n_frames))
            conditioner.retime(conditions, asked, offset_frames, first_row)

        self._renderer.stream.retime(renew)

    def _ask(self, offset_frames: int, window_frames: int, weights: Weights) -> Ask:
        """The request for the window at a stream frame."""
        renderer, output = self._renderer, self._renderer.output
        grid = output.beat_map.model_grid(renderer.prompt_frames, offset_frames, window_frames, output.loop)
        placement = bending.as_audible(output.writing, renderer.codec_output.bend)
        takes, begun = renderer.model.takes, renderer.region
        place = renderer.settings, placement, renderer.prompt_frames, offset_frames
        return ask_at(*place, takes, renderer.seed, grid, begun, weights)
