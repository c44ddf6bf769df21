"""What a stream's model hears in its windows: what the lane was told, on the beats that its frames were laid on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from engine.lm import Conditions
from engine.model import TEMPO, Ask, FollowsGrid, LoadedModel
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render import bending
from engine.serve.render.stream_settings import stream_settings
from engine.serve.timeline.placement import StreamPlacement, ask_at
from engine.serve.timeline.tempo_curve import TempoCurve

if TYPE_CHECKING:
    from engine.serve.render.stream_renderer import StreamRenderer

SAME_TEMPO = 1e-3  # tempi that differ by less of their size are one


def prompt_curve(placement: StreamPlacement, region: ReferenceAudio | None) -> TempoCurve | None:
    """Where the beats of the given music lie, which has its own tempo; None where it is the host's.  [any]"""
    tempo = placement.curve.tempo_at(placement.zero_samples)
    if region is None or abs(region.bpm / tempo - 1.0) < SAME_TEMPO:
        return None
    grid = replace(placement.grid, tempo_bpm=region.bpm)
    return TempoCurve.straight(
        grid.moved(placement.zero_samples, float(placement.curve.beats_at(placement.zero_samples)))
    )


def follows_grid(model: LoadedModel) -> bool:
    """Whether a model can be told another tempo in the middle of a window.  [any]"""
    return TEMPO in model.takes and isinstance(model.conditioner, FollowsGrid)


def window_stays(renderer: StreamRenderer, settings: LaneSettings, placement: StreamPlacement) -> bool:
    """Whether a renderer's open window hears all that other settings and another place say.  [generate]"""
    same, known = settings.regenerating() == renderer.settings.regenerating(), renderer.settings.conditioned()
    moves = follows_grid(renderer.model) or (not same and placement.curve == renderer.placement.curve)
    return moves and settings.conditioned() == known


def redraw(renderer: StreamRenderer, settings: LaneSettings) -> bool:
    """What no step has begun to draw is drawn by other settings: nothing is taken back, and no window is read.

    False, and nothing is done, where they ask for more than that.  [generate]
    """
    stream = renderer.stream
    placement = bending.enough(renderer.placement, renderer.codec_output.bend)
    tuned = stream_settings(renderer.model, settings, placement, renderer.prompt_frames)
    stays = window_stays(renderer, settings, renderer.placement) and settings.dice == renderer.settings.dice
    if stream.finished or not stays or not tuned.guidance.same_rows(stream.settings.guidance):
        return False
    stream.draw_by(tuned)
    renderer.quiet_change(settings)
    renderer.stream_settled = renderer.stream_free
    renderer.version += 1
    return True


def ask(renderer: StreamRenderer, offset_frames: int, window_frames: int) -> Ask:
    """What is asked for in the window at a stream frame.  [generate]"""
    grid = renderer.beat_map.model_grid(renderer.prompt_frames, offset_frames, window_frames, renderer.loop)
    placement = bending.as_heard(renderer.writing, renderer.codec_output.bend)
    takes, begun = renderer.model.takes, renderer.region
    return ask_at(
        renderer.settings, placement, renderer.prompt_frames, offset_frames, takes, renderer.seed, grid, begun
    )


def conditions(renderer: StreamRenderer, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
    """What the stream's next window hears; the part of the style that it listens to is noted.  [generate]"""
    renderer.windows += 1
    conditioner, asked = renderer.model.conditioner, ask(renderer, offset_frames, window_frames)
    renderer.excerpt = conditioner.excerpts([asked], offset_frames)[0] if asked.style is not None else None
    with torch.no_grad():
        return conditioner([asked], renderer.stream.settings.guidance, offset_frames, window_frames)[0]


def retime(renderer: StreamRenderer) -> None:
    """The frames that no window has drawn yet hear the beat map as it is now.  [generate]"""
    follows, size = renderer.model.conditioner, renderer.model.window_frames
    if not follows_grid(renderer.model) or not isinstance(follows, FollowsGrid):
        return

    def renew(heard: tuple[Conditions, ...], offset_frames: int, first_row: int) -> None:
        follows.retime(heard, ask(renderer, offset_frames, size), offset_frames, first_row)

    renderer.stream.retime(renew)
