"""What a stream's model hears in its windows: what the lane was told, on the beats that its frames were laid on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from engine.lm import Conditions
from engine.models.model import TEMPO, Ask, FollowsGrid, LoadedModel
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render import bending
from engine.serve.timeline.placement import StreamPlacement, ask_at
from engine.serve.timeline.tempo_curve import TempoCurve

if TYPE_CHECKING:
    from engine.serve.render.stream_renderer import StreamRenderer

SAME_TEMPO = 1e-3  # tempi that differ by less of their size are one


def prompt_line(place: StreamPlacement, region: ReferenceAudio | None) -> TempoCurve | None:
    """Where the beats of the given music lie, which has its own tempo; None where it is the host's.  [any]"""
    tempo = place.line.tempo_at(place.zero_samples)
    if region is None or abs(region.bpm / tempo - 1.0) < SAME_TEMPO:
        return None
    grid = replace(place.grid, tempo_bpm=region.bpm)
    return TempoCurve.straight(grid.moved(place.zero_samples, float(place.line.beats_at(place.zero_samples))))


def hears_grid(model: LoadedModel) -> bool:
    """Whether a model can be told another tempo in the middle of a window.  [any]"""
    return TEMPO in model.takes and isinstance(model.conditioner, FollowsGrid)


def window_stays(player: StreamRenderer, settings: LaneSettings, place: StreamPlacement) -> bool:
    """Whether a player's open window hears all that other settings and another place say.  [generate]"""
    same, known = settings.heard() == player.settings.heard(), player.settings.conditioned()
    moves = hears_grid(player.model) or (not same and place.line == player.place.line)
    return moves and settings.conditioned() == known


def ask(player: StreamRenderer, offset_frames: int, window_frames: int) -> Ask:
    """What is asked for in the window at a stream frame.  [generate]"""
    grid = player.score.model_grid(player.prompt_frames, offset_frames, window_frames, player.loop)
    place = bending.as_heard(player.writing, player.chain.bend)
    takes, begun = player.model.takes, player.region
    return ask_at(player.settings, place, player.prompt_frames, offset_frames, takes, player.seed, grid, begun)


def conditions(player: StreamRenderer, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
    """What the stream's next window hears; the part of the style that it listens to is noted.  [generate]"""
    player.windows += 1
    conditioner, asked = player.model.conditioner, ask(player, offset_frames, window_frames)
    player.excerpt = conditioner.excerpts([asked], offset_frames)[0] if asked.style is not None else None
    with torch.no_grad():
        return conditioner([asked], player.stream.settings.guidance, offset_frames, window_frames)[0]


def retime(player: StreamRenderer) -> None:
    """The frames that no window has drawn yet hear the score as it is now.  [generate]"""
    follows, size = player.model.conditioner, player.model.window_frames
    if not hears_grid(player.model) or not isinstance(follows, FollowsGrid):
        return

    def renew(heard: tuple[Conditions, ...], offset_frames: int, first_row: int) -> None:
        follows.retime(heard, ask(player, offset_frames, size), offset_frames, first_row)

    player.stream.retime(renew)
