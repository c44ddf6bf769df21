"""Following the host: when a stream is led, moved or made anew. All of it [generate].

tempo, a little                              steer: what is still to be made is led to the host's beats
tempo, more than may be heard                retake: from the first place that is off, or as near as can be done
prompt, reference, parameter                 retake: from as near to the host as can be done in time, see renewal
jump inside the music, or behind the host    move: the newest music whose place in the bar fits goes there
jump to before its start                     the same music from its start; see catch_up for one that keeps its place
the start or the loop's end moves a little   shift: what is made is written once more, elsewhere
the loop's end, expected                     nothing: the next pass is in the ring already
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge.control.parameters import LEAD_SECONDS
from bridge.time.transport import Transport
from engine.serve.lane.catch_up import made_from_start
from engine.serve.lane.fitting import (
    LOOK_SECONDS,
    OFF_SECONDS,
    first_off,
    fitting_sample,
    loop_samples,
)
from engine.serve.lane.lane import Lane
from engine.serve.lane.playback_request import PlaybackRequest
from engine.serve.lane.renewal import Renewal
from engine.serve.lane.scrubbing import Scrubbing
from engine.serve.lane.timing import LaneTiming
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.conditioning import follows_grid
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.placement import StreamPlacement
from engine.serve.timeline.samples import HostSample, StreamSample, position_of
from engine.serve.timeline.tempo_curve import RAMP_SECONDS, TempoCurve
from engine.serve.timeline.tempo_predictor import TempoPredictor

RETAKE_SECONDS = 0.25  # changes of tempo that come faster are taken together
CATCH_UP_SECONDS = 0.3  # what is to be ready when a late stream comes in again
LED_SECONDS = 0.0002  # lines that are further apart are led together
BEGINNING = HostSample(0)
SHIFT_SECONDS = 0.06  # ahead of the host that what is made can still be written elsewhere


class HostFollower:
    """Keeps one lane's stream where its host is; `placement_on` gives a stream's place on a host's grid."""

    def __init__(
        self,
        lane: Lane,
        timing: LaneTiming,
        renewal: Renewal,
        placement_on: Callable[[Transport], StreamPlacement],
        next_generation: Callable[[], int],
        request: PlaybackRequest,
    ) -> None:
        self._lane, self._timing, self._renewal, self._request = lane, timing, renewal, request
        self._clock = lane.time
        self._placement_on, self._next_generation = placement_on, next_generation
        self._foresight, self._scrubbing = TempoPredictor(), Scrubbing()
        self._shifted_seconds = 0.0
        self._hoped_seconds = 0.0  # when music was begun last that could be in time
        self._curve_seconds = 0.0  # when a change of tempo was last made anew
        self.quick = False  # what was made anew last needed no new window: it tells nothing of what that takes
        self._seen: tuple[object, ...] = ()  # what was compared last
        self._looped: tuple[object, ...] = ()  # renderer and loop at the last look

    def forget(self) -> None:
        """Let go of the renderer, and of the model with it."""
        self._looped = self._seen = ()

    def curve(self, transport: Transport) -> TempoCurve:
        """The line on which the host goes on, as far as it can be foreseen."""
        return self._foresight.curve(transport)

    def lead_seconds(self, wanted: float) -> float:
        """How far ahead music is to be made: no further than the tempo can be foreseen while it moves."""
        return wanted if self._foresight.straight else min(wanted, RAMP_SECONDS)

    def follow(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Do what the host's newest snapshot asks for; True when the stream is made anew: it may be over after that."""
        self.quick = False
        if transport.timeline != renderer.placement.timeline:
            if renderer.output.passed(transport):
                return False
            if self._scrubbing.awaited(transport.timeline, self._clock.now_seconds()):
                return False
            renderer.output.loop_changed(loop_samples(transport, self.curve(transport)))
            self._jump(renderer, transport)
            return True
        if self._follow_loop(renderer, transport) or self._follow_curve(renderer, transport):
            return True
        if self._behind(renderer, transport):
            self._catch_up(renderer, transport)
            return True
        return self._follow_settings(renderer, transport)

    # -- settings -------------------------------------------------------------------------------------

    def _follow_settings(self, renderer: StreamRenderer, transport: Transport) -> bool:
        settings = self._request.settings()
        if not self._request.changed(renderer):
            self._renewal.unwanted()
            if renderer.settings is not settings:
                renderer.quiet_change(settings)
            return False
        begun = renderer.output.stream_made > renderer.placement.unheard_samples
        in_window = begun and renderer.window_stays(settings, self._placement_here(renderer, transport))
        least = self._timing.in_window_seconds if in_window else self._timing.margin_seconds
        margin, rate = self._renewal.margin_seconds(least, in_window), transport.sample_rate_hz
        ready = self._soon(transport, margin)
        spare = self._spare(renderer, transport, ready) if begun else None
        if self._renewal.leads(in_window, spare, rate) and renderer.redraw(settings):
            self._request.settings_from(renderer.stream_free)
            self._renewal.led()
            self.quick = True
        elif self._renewal.due(in_window, spare, margin):
            self._retake(renderer, transport, ready_samples=ready)
            self.quick = renderer.in_window
            if self.quick:
                self._renewal.made_in_window(max(0, renderer.output.ahead_samples(position_of(transport))) / rate)
        else:
            return False
        ahead = (
            renderer.placement.zero_samples
            + max(renderer.output.stream_made, renderer.stream_settled)
            - transport.position_samples
        )
        told_seconds = self._clock.now_seconds() - self._lane.orders.changed_seconds
        self._timing.changed_after(told_seconds + max(0, ahead) / rate)
        return True

    def _spare(self, renderer: StreamRenderer, transport: Transport, ready: HostSample) -> int:
        """Own samples that are made from a host position on; not below 0 where no more is to be made for now."""
        lead = self.lead_seconds(self._lane.settings.get(LEAD_SECONDS))
        spare = renderer.placement.host_of(renderer.output.stream_made) - ready
        return spare if renderer.wants(position_of(transport), lead) else max(spare, 0)

    # -- tempo, bars, loop ----------------------------------------------------------------------------

    def _loop_now(self, renderer: StreamRenderer, transport: Transport) -> tuple[HostSample, HostSample] | None:
        """The host's loop in samples: its start where the host came by last, its end where it is foreseen.

        The start lies behind: a tempo that the host has now says nothing of it.
        """
        loop, known = loop_samples(transport, self.curve(transport)), self._looped
        self._looped = renderer, transport.loop_beats
        if loop is None or renderer.output.loop is None or known != self._looped:
            return loop
        return (renderer.output.loop[0], loop[1]) if renderer.output.loop[0] < loop[1] else loop

    def _follow_loop(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Another loop: from its end on what is made goes elsewhere; True when it is made anew."""
        loop, before = self._loop_now(renderer, transport), renderer.output.loop
        if loop == before:
            return False
        if loop is None or before is None or not self._begun(renderer, transport):
            renderer.output.loop_changed(loop)
            self._retake(renderer, transport)
            return True
        ends = renderer.placement.stream_of(min(loop[1], before[1]))
        soon = renderer.placement.stream_of(self._soon(transport, SHIFT_SECONDS))
        if loop[0] != before[0] or ends < soon:  # other beats, or too late for this pass
            renderer.output.loop_changed(loop)
            self._retake(renderer, transport)
            return True
        now, near = self._clock.now_seconds(), ends - soon < CATCH_UP_SECONDS * transport.sample_rate_hz
        if now - self._shifted_seconds < LOOK_SECONDS and not near:
            return False
        self._shifted_seconds = now
        renderer.output.loop_changed(loop)
        kept_from = max(renderer.codec_output.kept_from, renderer.output.kept_from)
        if kept_from <= ends < renderer.output.stream_made:
            renderer.output.shift(position_of(transport), ends, renderer.placement, self._next_generation())
        return False

    def _follow_curve(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Compare what is made with the host's beats; True when some of it is made anew."""
        curve = self.curve(transport)
        if (curve, renderer.version) == self._seen:
            return False
        if not self._begun(renderer, transport) and not self._keep_start(renderer, transport):
            return False
        off = first_off(renderer, curve, self._led_samples(renderer, transport))
        if off is None:
            self._lead(renderer, transport, curve)
        elif self._clock.now_seconds() - self._curve_seconds < RETAKE_SECONDS:
            return False
        else:
            self._curve_seconds = self._clock.now_seconds()
            self._retake(renderer, transport, off, self._led_samples(renderer, transport))
            self.quick = follows_grid(renderer.model)
        self._seen = curve, renderer.version
        return off is not None

    def _begun(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Whether the music's first sample can not be moved any more."""
        return renderer.placement.start_samples <= self._soon(transport, SHIFT_SECONDS)

    def _starts_elsewhere(self, renderer: StreamRenderer, transport: Transport, placement: StreamPlacement) -> bool:
        """Whether music that has not begun is to begin where the host still comes by: not before where it is."""
        return renderer.placement.start_samples != placement.start_samples > self._soon(transport, SHIFT_SECONDS)

    def _keep_start(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """The music is still to begin: its first sample stays on its beat; False while that is to wait a moment."""
        placement = self._placement_on(transport)
        if not self._starts_elsewhere(renderer, transport, placement):
            return True
        now, near = self._clock.now_seconds(), self._soon(transport, LOOK_SECONDS + 2 * SHIFT_SECONDS)
        if (
            now - self._shifted_seconds < LOOK_SECONDS
            and min(placement.start_samples, renderer.placement.start_samples) > near
        ):
            return False
        self._shifted_seconds = now
        unheard = renderer.placement.unheard_samples
        zero = HostSample(placement.start_samples - unheard)
        placement = replace(placement, zero_samples=zero, unheard_samples=unheard)
        renderer.output.shift(position_of(transport), unheard, placement, self._next_generation())
        return True

    def _lead(self, renderer: StreamRenderer, transport: Transport, curve: TempoCurve) -> None:
        """What is still to be made goes to the host's line, the music's end with it."""
        stream_sample, rate = renderer.stream_free, transport.sample_rate_hz
        position = renderer.output.beat_map.at(stream_sample).position(stream_sample)
        laid = renderer.output.writing.curve
        apart = [laid.off_seconds(curve, position + after * rate) for after in (0.0, 0.5, 1.0)]
        placement = self._placement_here(renderer, transport)
        ends_off = abs(placement.end_samples - renderer.placement.end_samples)
        if max(map(abs, apart)) <= LED_SECONDS and not ends_off:
            return
        made, end = renderer.placement.host_of(renderer.output.stream_made), placement.end_samples
        if min(end, renderer.placement.end_samples) <= made:  # it is made already, or nearly
            placement = replace(placement, end_samples=renderer.placement.end_samples)
        renderer.steer(placement)
        if placement.end_samples != end and ends_off > OFF_SECONDS * rate:
            if end < placement.end_samples:
                renderer.end_at(end, self._next_generation())
            else:
                self._retake(renderer, transport, HostSample(made - int(LOOK_SECONDS * rate)))

    # -- making anew ----------------------------------------------------------------------------------

    def _makes_anew(self, in_time: bool = True) -> None:
        self._renewal.made()
        self._hoped_seconds = self._clock.now_seconds() if in_time else self._hoped_seconds

    def _placement_here(self, renderer: StreamRenderer, transport: Transport) -> StreamPlacement:
        """The place on the host's line now; stream samples stay where they are once the music has begun."""
        placement, stream_sample = self._placement_on(transport), renderer.placement
        if not self._begun(renderer, transport) and self._starts_elsewhere(renderer, transport, placement):
            return placement
        return replace(
            placement, zero_samples=stream_sample.zero_samples, unheard_samples=stream_sample.unheard_samples
        )

    def _retake(
        self,
        renderer: StreamRenderer,
        transport: Transport,
        from_samples: HostSample = BEGINNING,
        ready_samples: HostSample | None = None,
    ) -> None:
        """Make the stream anew from `from_samples`, or from as near to the host as can be done in time."""
        self._makes_anew(renderer.output.ahead_samples(position_of(transport)) > 0)
        generation, placement = self._next_generation(), self._placement_here(renderer, transport)
        ready = self._soon(transport) if ready_samples is None else ready_samples
        cut = max(ready, from_samples)
        if not renderer.output.stream_made or cut <= placement.start_samples:
            placement = placement if self._begun(renderer, transport) else self._placement_on(transport)
            renderer.output.loop_changed(loop_samples(transport, self.curve(transport)))
            renderer.restart(self._request.settings_from(placement.unheard_samples), placement, generation)
            return
        settings = self._request.settings_from(renderer.placement.stream_of(cut))
        renderer.retake(position_of(transport), cut, settings, placement, generation)

    def remake(
        self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample, settings: LaneSettings
    ) -> None:
        """Make the stream anew with other settings, exactly from a stream sample on."""
        self._makes_anew()
        generation, placement = self._next_generation(), self._placement_here(renderer, transport)
        if stream_sample <= placement.unheard_samples:
            renderer.output.loop_changed(loop_samples(transport, self.curve(transport)))
            renderer.restart(settings, placement, generation)
            return
        renderer.retake_at(position_of(transport), stream_sample, settings, placement, generation)

    def _jump(self, renderer: StreamRenderer, transport: Transport) -> None:
        """The host is elsewhere: the same again before the start, or what fits the bar inside."""
        self._makes_anew()
        generation, placement, to = self._next_generation(), self._placement_on(transport), self._soon(transport)
        if (
            to <= placement.start_samples
            or not renderer.output.stream_made
            or made_from_start(renderer, transport, to, self._timing)
        ):
            renderer.restart(self._request.settings_from(placement.unheard_samples), placement, generation)
        elif to >= placement.end_samples:
            renderer.output.host_beyond_end(placement)
        else:
            self._move(renderer, transport, to, placement, generation)

    def _catch_up(self, renderer: StreamRenderer, transport: Transport) -> None:
        """Too late: come in again on a bar line that can be met with something to spare."""
        self._makes_anew()
        curve, spare = self.curve(transport), int(CATCH_UP_SECONDS * transport.sample_rate_hz)
        to = curve.bar_start(curve.next_bar(HostSample(self._soon(transport) + spare)))
        placement = self._placement_on(transport)
        if to < placement.end_samples:
            self._move(renderer, transport, to, placement, self._next_generation())

    def _move(
        self,
        renderer: StreamRenderer,
        transport: Transport,
        to: HostSample,
        placement: StreamPlacement,
        generation: int,
    ) -> None:
        stream_sample = fitting_sample(renderer, to, placement.curve)
        renderer.move(
            position_of(transport),
            stream_sample,
            to,
            self._request.settings_from(stream_sample),
            placement,
            generation,
        )

    def _behind(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Whether the host is waiting for music that would come too late."""
        output = renderer.output
        if not transport.playing or renderer.stream.finished or not output.stream_made or output.catch_up.stream_behind:
            return False
        waited = self._clock.now_seconds() - self._hoped_seconds
        late = -renderer.output.ahead_samples(position_of(transport)) > transport.sample_rate_hz // 50
        return late and waited > self._timing.margin_seconds + CATCH_UP_SECONDS

    def _led_samples(self, renderer: StreamRenderer, transport: Transport) -> HostSample:
        """The earliest position for another tempo, which a model that hears it takes up without a new window."""
        return self._soon(transport, self._timing.in_window_seconds if follows_grid(renderer.model) else None)

    def _soon(self, transport: Transport, seconds: float | None = None) -> HostSample:
        """So far ahead of a host that plays; without a number, what is begun there can be ready in time."""
        ahead = self._timing.margin_seconds if seconds is None else seconds
        samples = int((ahead if transport.playing else 0.0) * transport.sample_rate_hz)
        return HostSample(transport.position_samples + samples)
