"""Following the host: when a stream is steered, moved or regenerated. All of it [generate].

small change of tempo                        steer: music still to be made is aligned to the host's beats
larger change of tempo                       retake: from the first sample off the beat, or as soon as possible
prompt, reference, parameter                 retake: as near to the host as can be in time, see renewal
jump inside the music, or late music         move: the newest music at the same position in the bar goes there
jump to before its start                     restart: the same music; see catch_up for a take with a fixed placement
the start or the loop's end moves a little   shift: made music is written again, elsewhere
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

RETAKE_SECONDS = 0.25  # tempo changes closer together are handled together
CATCH_UP_SECONDS = 0.3  # ready in the ring when a late stream comes in again
LED_SECONDS = 0.0002  # tempo curves further apart are aligned
BEGINNING = HostSample(0)
SHIFT_SECONDS = 0.06  # how far ahead of the host made music can still be written elsewhere


class HostFollower:
    """Keeps one lane's stream aligned to its host; `placement_on` yields a stream's placement on a host's grid."""

    def __init__(
        self,
        lane: Lane,
        timing: LaneTiming,
        renewal: Renewal,
        placement_on: Callable[[Transport], StreamPlacement],
        next_plan_revision: Callable[[], int],
        request: PlaybackRequest,
    ) -> None:
        self._lane, self._timing, self._renewal, self._request = lane, timing, renewal, request
        self._clock = lane.time
        self._placement_on, self._next_plan_revision = placement_on, next_plan_revision
        self._predictor, self._scrubbing = TempoPredictor(), Scrubbing()
        self._shifted_seconds = 0.0
        self._hoped_seconds = 0.0  # when music that could be in time was last begun
        self._curve_seconds = 0.0  # when music was last regenerated for a tempo change
        self.quick = False  # the last regeneration needed no new window, so its time is not measured
        self._seen: tuple[object, ...] = ()  # curve and version compared last
        self._looped: tuple[object, ...] = ()  # renderer and loop at the last turn

    def forget(self) -> None:
        """Release the renderer, and with it the model."""
        self._looped = self._seen = ()

    def curve(self, transport: Transport) -> TempoCurve:
        """The host's predicted tempo curve."""
        return self._predictor.curve(transport)

    def lead_seconds(self, wanted: float) -> float:
        """The lead: `wanted`, or less while the tempo moves, as far as it can be predicted."""
        return wanted if self._predictor.straight else min(wanted, RAMP_SECONDS)

    def follow(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Follow the host's newest snapshot; True when the stream was regenerated or moved: it may have ended then."""
        self.quick = False
        if transport.seek_id != renderer.placement.seek_id:
            if renderer.output.passed(transport):
                return False
            if self._scrubbing.awaited(transport.seek_id, self._clock.now_seconds()):
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
        since_change_seconds = self._clock.now_seconds() - self._lane.orders.changed_seconds
        self._timing.changed_after(since_change_seconds + max(0, ahead) / rate)
        return True

    def _spare(self, renderer: StreamRenderer, transport: Transport, ready: HostSample) -> int:
        """Stream samples made behind a host position; at least 0 when no more are wanted for now."""
        lead = self.lead_seconds(self._lane.settings.get(LEAD_SECONDS))
        spare = renderer.placement.host_of(renderer.output.stream_made) - ready
        return spare if renderer.wants(position_of(transport), lead) else max(spare, 0)

    # -- tempo, bars, loop ----------------------------------------------------------------------------

    def _loop_now(self, renderer: StreamRenderer, transport: Transport) -> tuple[HostSample, HostSample] | None:
        """The host's loop in samples: its start as the host last passed it, its end as predicted.

        The start lies in the past: the current tempo does not move it.
        """
        loop, known = loop_samples(transport, self.curve(transport)), self._looped
        self._looped = renderer, transport.loop_beats
        if loop is None or renderer.output.loop is None or known != self._looped:
            return loop
        return (renderer.output.loop[0], loop[1]) if renderer.output.loop[0] < loop[1] else loop

    def _follow_loop(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Follow a changed loop: music beyond its end is placed elsewhere; True when music is regenerated."""
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
        stored_from = max(renderer.codec_output.stored_from, renderer.output.stored_from)
        if stored_from <= ends < renderer.output.stream_made:
            renderer.output.shift(position_of(transport), ends, renderer.placement, self._next_plan_revision())
        return False

    def _follow_curve(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Compare made music with the host's beats; True when some of it is regenerated."""
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
        """Whether it is too late to move the music's first sample."""
        return renderer.placement.start_samples <= self._soon(transport, SHIFT_SECONDS)

    def _starts_elsewhere(self, renderer: StreamRenderer, transport: Transport, placement: StreamPlacement) -> bool:
        """Whether music that has not begun gets another start, which the host has not passed."""
        return renderer.placement.start_samples != placement.start_samples > self._soon(transport, SHIFT_SECONDS)

    def _keep_start(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Keep the first sample of music still to begin on its beat; False while the shift is delayed."""
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
        renderer.output.shift(position_of(transport), unheard, placement, self._next_plan_revision())
        return True

    def _lead(self, renderer: StreamRenderer, transport: Transport, curve: TempoCurve) -> None:
        """Align music still to be made, and its end, to the host's tempo curve."""
        stream_sample, rate = renderer.stream_free, transport.sample_rate_hz
        position = renderer.output.beat_map.at(stream_sample).position(stream_sample)
        laid = renderer.output.writing.curve
        apart = [laid.off_seconds(curve, position + after * rate) for after in (0.0, 0.5, 1.0)]
        placement = self._placement_here(renderer, transport)
        ends_off = abs(placement.end_samples - renderer.placement.end_samples)
        if max(map(abs, apart)) <= LED_SECONDS and not ends_off:
            return
        made, end = renderer.placement.host_of(renderer.output.stream_made), placement.end_samples
        if min(end, renderer.placement.end_samples) <= made:  # already made, or nearly
            placement = replace(placement, end_samples=renderer.placement.end_samples)
        told = renderer.placement.end_samples
        renderer.steer(placement)
        if placement.end_samples != told:  # the host stops at the plan's end
            renderer.output.take_turn(position_of(transport), self._next_plan_revision())
        if placement.end_samples != end and ends_off > OFF_SECONDS * rate:
            if end < placement.end_samples:
                renderer.end_at(end, self._next_plan_revision())
            else:
                self._retake(renderer, transport, HostSample(made - int(LOOK_SECONDS * rate)))

    # -- regenerating ---------------------------------------------------------------------------------

    def _makes_anew(self, in_time: bool = True) -> None:
        self._renewal.made()
        self._hoped_seconds = self._clock.now_seconds() if in_time else self._hoped_seconds

    def _placement_here(self, renderer: StreamRenderer, transport: Transport) -> StreamPlacement:
        """The placement on the host's current tempo curve; stream samples stay put once the music has begun."""
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
        """Regenerate the stream from `from_samples`, or from as near to the host as can be in time."""
        self._makes_anew(renderer.output.ahead_samples(position_of(transport)) > 0)
        plan_revision, placement = self._next_plan_revision(), self._placement_here(renderer, transport)
        ready = self._soon(transport) if ready_samples is None else ready_samples
        cut = max(ready, from_samples)
        if not renderer.output.stream_made or cut <= placement.start_samples:
            placement = placement if self._begun(renderer, transport) else self._placement_on(transport)
            renderer.output.loop_changed(loop_samples(transport, self.curve(transport)))
            renderer.restart(
                self._request.settings_from(placement.unheard_samples), placement, plan_revision, position_of(transport)
            )
            return
        settings = self._request.settings_from(renderer.placement.stream_of(cut))
        renderer.retake(position_of(transport), cut, settings, placement, plan_revision)

    def remake(
        self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample, settings: LaneSettings
    ) -> None:
        """Regenerate the stream with other settings, exactly from a stream sample on."""
        self._makes_anew()
        plan_revision, placement = self._next_plan_revision(), self._placement_here(renderer, transport)
        if stream_sample <= placement.unheard_samples:
            renderer.output.loop_changed(loop_samples(transport, self.curve(transport)))
            renderer.restart(settings, placement, plan_revision, position_of(transport))
            return
        renderer.retake_at(position_of(transport), stream_sample, settings, placement, plan_revision)

    def _jump(self, renderer: StreamRenderer, transport: Transport) -> None:
        """The host has jumped: restart the music before its start, else move to music that fits the bar."""
        self._makes_anew()
        plan_revision, placement, to = self._next_plan_revision(), self._placement_on(transport), self._soon(transport)
        if (
            to <= placement.start_samples
            or not renderer.output.stream_made
            or made_from_start(renderer, transport, to, self._timing)
        ):
            renderer.restart(
                self._request.settings_from(placement.unheard_samples), placement, plan_revision, position_of(transport)
            )
        elif to >= placement.end_samples:
            renderer.output.host_beyond_end(placement)
        else:
            self._move(renderer, transport, to, placement, plan_revision)

    def _catch_up(self, renderer: StreamRenderer, transport: Transport) -> None:
        """The music is late: come in again on a bar line that can be met with time to spare."""
        self._makes_anew()
        curve, spare = self.curve(transport), int(CATCH_UP_SECONDS * transport.sample_rate_hz)
        to = curve.bar_start(curve.next_bar(HostSample(self._soon(transport) + spare)))
        placement = self._placement_on(transport)
        if to < placement.end_samples:
            self._move(renderer, transport, to, placement, self._next_plan_revision())

    def _move(
        self,
        renderer: StreamRenderer,
        transport: Transport,
        to: HostSample,
        placement: StreamPlacement,
        plan_revision: int,
    ) -> None:
        stream_sample = fitting_sample(renderer, to, placement.curve)
        renderer.move(
            position_of(transport),
            stream_sample,
            to,
            self._request.settings_from(stream_sample),
            placement,
            plan_revision,
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
        """The earliest position for another tempo; a model with tempo conditioning needs no new window for it."""
        return self._soon(transport, self._timing.in_window_seconds if follows_grid(renderer.model) else None)

    def _soon(self, transport: Transport, seconds: float | None = None) -> HostSample:
        """The position `seconds` ahead of a host that plays; by default the margin for what is begun now."""
        ahead = self._timing.margin_seconds if seconds is None else seconds
        samples = int((ahead if transport.playing else 0.0) * transport.sample_rate_hz)
        return HostSample(transport.position_samples + samples)
