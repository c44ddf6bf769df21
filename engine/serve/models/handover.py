"""Another model takes over a playing lane: on a bar line of its host, without a hole.

    [generate]  handover_music     the music up to a made bar line that is far enough ahead
    [load]      prepare_handover   the new model is conditioned on it, begins there and makes the first second
    [generate]  fits, take_over    the ring's plan says from where on the new model's blocks count

The old model plays on meanwhile, beyond the bar line too: a handover that comes too late does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bridge.time.transport import Transport
from engine.audio.convert import resample
from engine.model import LoadedModel
from engine.serve.lane.controller import LaneController
from engine.serve.lane.lane import Lane
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.render.stream_settings import HandoverPrompt, as_prompt, left_aside, own_values
from engine.serve.timeline.placement import FIRST
from engine.serve.timeline.samples import StreamSample, position_of

READY_FRAMES = 50  # made by the handover before it takes over
HURRY_SECONDS = 0.04  # a handover nearer to the host than this is too late


@dataclass(frozen=True)
class HandoverMusic:
    """The music a lane passes to its next model; `audio` [C, n] ends at frame `frame`, at the user's level.

    `frame` 0 and no audio if the music has not begun.  [any]
    """

    lane: Lane
    renderer: StreamRenderer
    version: int
    settings: LaneSettings
    frame: int
    audio: Tensor | None


@dataclass(frozen=True)
class HandoverWait:
    """No handover music yet: first `lead_seconds` of music must be made ahead of the host.  [any]"""

    lead_seconds: float


@dataclass(frozen=True)
class Handover:
    """A renderer of the new model, ready to take over, and the music it continues.  [any]"""

    handover_music: HandoverMusic
    settings: LaneSettings
    renderer: StreamRenderer


def handover_music(
    controller: LaneController, need_seconds: float, context_frames: int, at_once: bool
) -> HandoverMusic | HandoverWait | None:
    """A lane's music up to the first bar line `need_seconds` ahead; None if there is nothing to continue.

    With `at_once` up to the end of made music, on a bar line or not.  [generate]
    """
    renderer, lane = controller.renderer, controller.lane
    if renderer is None or renderer.stream.finished or renderer.output.finished:
        return None
    transport = lane.clock.or_standing()
    stream_now = renderer.placement.stream_of(position_of(transport))
    need = int(need_seconds * transport.sample_rate_hz) if transport.playing else 0
    if stream_now + need <= 0 or (not renderer.output.stream_made and not at_once):
        return HandoverMusic(lane, renderer, renderer.version, lane.wanted, 0, None)
    stream_sample = (
        renderer.output.stream_made if at_once else _bar_sample(renderer, transport, StreamSample(stream_now + need))
    )
    if stream_sample >= renderer.output.stream_end:
        return None
    if stream_sample > renderer.output.stream_made:
        return HandoverWait((stream_sample - stream_now) / transport.sample_rate_hz + 0.2)
    frame = _frame_of(renderer, stream_sample)
    return HandoverMusic(
        lane, renderer, renderer.version, lane.wanted, frame, _audio_before(renderer, frame, context_frames)
    )


def _bar_sample(renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample) -> StreamSample:
    """The first bar line at or after a stream sample, as a stream sample; a loop's end counts as one."""
    grid, zero, passes = transport.grid, renderer.placement.zero_samples, 0
    position: int = renderer.placement.host_of(stream_sample)
    if renderer.output.loop is not None and transport.position_samples < renderer.output.loop[1]:
        start, end = renderer.output.loop
        while position >= end:
            position, passes = position - (end - start), passes + end - start
        return StreamSample(min(grid.bar_start(grid.next_bar(position)), end) + passes - zero)
    return StreamSample(grid.bar_start(grid.next_bar(position)) - zero)


def _frame_of(renderer: StreamRenderer, stream_sample: StreamSample) -> int:
    """The frame that holds a stream sample, among those with known audio."""
    rates = renderer.codec_output.rates
    coded = min(rates.codec_of(max(stream_sample, FIRST)), renderer.codec_output.audio_end)
    return rates.frame_at(coded)


def _audio_before(renderer: StreamRenderer, frame: int, context_frames: int) -> Tensor | None:
    """Whole frames of audio right before a frame, without the gain of its model's prompt."""
    audio = renderer.codec_output.audio_before(frame, context_frames)
    return audio / renderer.gain if audio.shape[1] else None


def prepare_handover(left: HandoverMusic, model: LoadedModel) -> Handover:
    """Begin the new model's renderer after the handover music, which it encodes, and make its first music.

    Raises what the model raises for the lane's settings.  [load]
    """
    old, settings = left.renderer, left.settings.with_own(own_values(model))
    before = None
    if left.audio is not None:
        rate_hz, own_hz = old.model.codec.sample_rate, model.codec.sample_rate
        prompt = as_prompt(model, resample(left.audio, rate_hz, own_hz))
        before = HandoverPrompt(prompt, left.frame, old.prompt_frames)
    placement = old.placement
    renderer = StreamRenderer(model, old.output.ring, settings, placement, old.seed, old.region, before)
    renderer.output.join(placement, old.output.loop, position_of(left.lane.clock.or_standing()))
    with torch.no_grad():
        while (
            renderer.stream.n_frames < renderer.prompt_frames + left.frame + READY_FRAMES
            and not renderer.stream.finished
        ):
            renderer.keep(renderer.stream.advance(READY_FRAMES // 5))
    return Handover(left, settings, renderer)


def fits(handover: Handover, controller: LaneController) -> bool:
    """Whether a handover is still in time and has the lane's present settings.  [generate]"""
    left, renderer = handover.handover_music, controller.renderer
    if renderer is not left.renderer or renderer.version != left.version:
        return False
    if (
        controller.lane.wanted.regenerating() != left.settings.regenerating()
        or renderer.output.loop != handover.renderer.output.loop
    ):
        return False
    transport = controller.lane.clock.or_standing()
    if not transport.playing:
        return True
    due = renderer.placement.host_of(handover.renderer.output.stream_written) - transport.position_samples
    return due > HURRY_SECONDS * transport.sample_rate_hz


def take_over(handover: Handover, controller: LaneController) -> None:
    """Carry out a handover; the event names the settings that the new model cannot follow.  [generate]"""
    lane, old, renderer = controller.lane, handover.handover_music.renderer, handover.renderer
    settings = controller.adopt(renderer.model)
    renderer.quiet_change(settings)
    renderer.output.join(old.placement, old.output.loop, position_of(lane.clock.or_standing()))
    lacking = left_aside(renderer.model, settings)
    controller.take_over(
        renderer, renderer.model, f"goes on with {renderer.model.name}{'; ' if lacking else ''}{lacking}"
    )
