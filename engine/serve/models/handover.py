"""Another model takes over a lane that plays: on a bar line of its host, without a hole.

    [generate]  estate   what is heard up to a bar line that is far enough ahead and made already
    [load]      raise_   the new model hears it, begins there and makes the first second
    [generate]  fits, then LaneController.take_over: the ring's plan says from where on the new one's blocks count

The old model plays on meanwhile, beyond the bar line too: where the heir comes too late nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bridge.time import units
from bridge.time.transport import Transport
from engine.audio.convert import resample
from engine.models.model import LoadedModel
from engine.serve.lane.controller import LaneController
from engine.serve.lane.lane import Lane
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.render.stream_settings import HandoverPrompt, as_prompt, left_aside, own_values

READY_FRAMES = 50  # made by the heir before it takes over
HURRY_SECONDS = 0.04  # an heir whose place is nearer than this is too late


@dataclass(frozen=True)
class HandoverMusic:
    """What a lane leaves to its next model; `heard` [C, n] ends at own frame `frame`, as loud as the user hears it.

    `frame` 0 and no audio where the music has not begun.  [any]
    """

    lane: Lane
    player: StreamRenderer
    version: int
    settings: LaneSettings
    frame: int
    heard: Tensor | None


@dataclass(frozen=True)
class HandoverWait:
    """Nothing can be left yet: first so much music must be made ahead of the host.  [any]"""

    lead_seconds: float


@dataclass(frozen=True)
class Handover:
    """A player of the new model, ready to take over, and what it took over from.  [any]"""

    estate: HandoverMusic
    settings: LaneSettings
    player: StreamRenderer


def estate(
    director: LaneController, need_seconds: float, context_frames: int, at_once: bool
) -> HandoverMusic | HandoverWait | None:
    """What a lane leaves from the first bar line that is `need_seconds` ahead; None where there is nothing to go on.

    With `at_once` from where its music is made to, wherever that is.  [generate]
    """
    player, lane = director.player, director.lane
    if player is None or player.stream.finished or player.finished:
        return None
    transport = lane.clock.or_standing()
    now_own = transport.position_samples - player.place.zero_samples
    need = int(need_seconds * transport.sample_rate_hz) if transport.playing else 0
    if now_own + need <= 0 or (not player.made_own and not at_once):
        return HandoverMusic(lane, player, player.version, lane.settings, 0, None)
    own = player.made_own if at_once else _bar_own(player, transport, now_own + need)
    if own >= player.end_own:
        return None
    if own > player.made_own:
        return HandoverWait((own - now_own) / transport.sample_rate_hz + 0.2)
    frame = _frame_of(player, own)
    return HandoverMusic(lane, player, player.version, lane.settings, frame, _heard(player, frame, context_frames))


def _bar_own(player: StreamRenderer, transport: Transport, own: int) -> int:
    """The first bar line at or after an own sample, as an own sample; a loop's end counts as one."""
    grid, zero, passes = transport.grid, player.place.zero_samples, 0
    position = zero + own
    if player.loop is not None and transport.position_samples < player.loop[1]:
        start, end = player.loop
        while position >= end:
            position, passes = position - (end - start), passes + end - start
        return min(grid.bar_start(grid.next_bar(position)), end) + passes - zero
    return grid.bar_start(grid.next_bar(position)) - zero


def _frame_of(player: StreamRenderer, own: int) -> int:
    """The own frame that holds an own sample, among those whose sound is known."""
    seconds = units.samples_to_seconds(max(own, 0), player.ring.form.sample_rate_hz)
    return min(int(units.seconds_to_frames(seconds)), player.chain.audio_end // player.model.codec.frame_samples)


def _heard(player: StreamRenderer, frame: int, context_frames: int) -> Tensor | None:
    """Whole frames of what sounds right before an own frame, without the level that its model was given it at."""
    chain, samples = player.chain, player.model.codec.frame_samples
    end = chain.history.shape[1] - (chain.audio_end - frame * samples)
    frames = min(end // samples, context_frames)
    return chain.history[:, end - frames * samples : end].clone() / player.gain if frames > 0 else None


def raise_heir(left: HandoverMusic, model: LoadedModel) -> Handover:
    """The new model's player, begun at its place, with its first music made; what is heard there is encoded anew.

    Raises what the model raises for the lane's wishes.  [load]
    """
    old, settings = left.player, left.settings.with_own(own_values(model))
    before = None
    if left.heard is not None:
        rate_hz, own_hz = old.model.codec.sample_rate, model.codec.sample_rate
        heard = as_prompt(model, resample(left.heard, rate_hz, own_hz))
        before = HandoverPrompt(heard, left.frame, old.prompt_frames)
    place = old.place
    player = StreamRenderer(model, old.ring, settings, place, old.seed, old.region, before)
    player.join(place, old.loop, left.lane.clock.or_standing().position_samples)
    with torch.no_grad():
        while player.stream.n_frames < player.prompt_frames + left.frame + READY_FRAMES and not player.stream.finished:
            player.keep(player.stream.advance(READY_FRAMES // 5))
    return Handover(left, settings, player)


def fits(heir: Handover, director: LaneController) -> bool:
    """Whether an heir still is in time and nothing was changed that it has not heard of.  [generate]"""
    left, player = heir.estate, director.player
    if player is not left.player or player.version != left.version:
        return False
    if director.lane.settings.heard() != left.settings.heard() or player.loop != heir.player.loop:
        return False
    transport = director.lane.clock.or_standing()
    if not transport.playing:
        return True
    due = player.place.zero_samples + heir.player.written_own - transport.position_samples
    return due > HURRY_SECONDS * transport.sample_rate_hz


def take_over(heir: Handover, director: LaneController) -> None:
    """Let an heir play on; what the new model cannot follow is told.  [generate]"""
    lane, old, player = director.lane, heir.estate.player, heir.player
    settings = lane.adopt(own_values(player.model))
    player.quiet_change(settings)
    player.join(old.place, old.loop, lane.clock.or_standing().position_samples)
    lacking = left_aside(player.model, settings)
    director.take_over(player, player.model, f"goes on with {player.model.name}{'; ' if lacking else ''}{lacking}")
