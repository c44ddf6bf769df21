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

import time
from collections.abc import Callable
from dataclasses import replace

from bridge.time.transport import Transport
from engine.serve.lane.catch_up import made_from_start
from engine.serve.lane.fitting import LOOK_SECONDS, OFF_SECONDS, first_kept_own, first_off, fitting_own, loop_samples
from engine.serve.lane.lane import Lane
from engine.serve.lane.playback_request import PlaybackRequest
from engine.serve.lane.renewal import Renewal
from engine.serve.lane.scrubbing import Scrubbing
from engine.serve.lane.timing import LaneTiming
from engine.serve.lane_settings import LaneSettings
from engine.serve.render.conditioning import hears_grid, window_stays
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.placement import StreamPlacement
from engine.serve.timeline.tempo_curve import RAMP_SECONDS, TempoCurve
from engine.serve.timeline.tempo_predictor import TempoPredictor

RETAKE_SECONDS = 0.25  # changes of tempo that come faster are taken together
CATCH_UP_SECONDS = 0.3  # what is to be ready when a late stream comes in again
LED_SECONDS = 0.0002  # lines that are further apart are led together
SHIFT_SECONDS = 0.06  # ahead of the host that what is made can still be written elsewhere


class HostFollower:
    """Keeps one lane's stream where its host is; `place_on` gives a stream's place on a host's grid."""

    def __init__(
        self,
        lane: Lane,
        pace: LaneTiming,
        renewal: Renewal,
        place_on: Callable[[Transport], StreamPlacement],
        next_generation: Callable[[], int],
        wishes: PlaybackRequest,
    ) -> None:
        self._lane, self._pace, self._renewal, self._wishes = lane, pace, renewal, wishes
        self._place_on, self._next_generation = place_on, next_generation
        self._foresight = TempoPredictor()
        self._shifted_seconds = 0.0
        self._hoped_seconds = 0.0  # when music was begun last that could be in time
        self._line_seconds = 0.0  # when a change of tempo was last made anew
        self._scrubbing = Scrubbing()
        self.quick = False  # what was made anew last needed no new window: it tells nothing of what that takes
        self._seen: tuple[object, ...] = ()  # what was compared last
        self._looped: tuple[object, ...] = ()  # player and loop at the last look

    def forget(self) -> None:
        """Let go of the player, and of the model with it."""
        self._looped = self._seen = ()

    def line(self, transport: Transport) -> TempoCurve:
        """The line on which the host goes on, as far as it can be foreseen."""
        return self._foresight.line(transport)

    def lead_seconds(self, wanted: float) -> float:
        """How far ahead music is to be made: no further than the tempo can be foreseen while it moves."""
        return wanted if self._foresight.straight else min(wanted, RAMP_SECONDS)

    def follow(self, player: StreamRenderer, transport: Transport) -> bool:
        """Do what the host's newest snapshot asks for; True when the stream is made anew: it may be over after that."""
        self.quick = False
        if transport.timeline != player.place.timeline:
            if player.passed(transport):
                return False
            if self._scrubbing.awaited(transport.timeline, time.monotonic()):
                return False
            player.loop = loop_samples(transport, self.line(transport))
            self._jump(player, transport)
            return True
        if self._follow_loop(player, transport) or self._follow_line(player, transport):
            return True
        if self._behind(player, transport):
            self._catch_up(player, transport)
            return True
        return self._follow_settings(player, transport)

    # -- settings -------------------------------------------------------------------------------------

    def _follow_settings(self, player: StreamRenderer, transport: Transport) -> bool:
        settings = self._wishes.settings()
        if not self._wishes.changed(player):
            self._renewal.unwanted()
            if player.settings is not settings:
                player.quiet_change(settings)
            return False
        begun = player.made_own > player.place.unheard_samples
        in_window = begun and window_stays(player, settings, self._place_here(player, transport))
        least = self._pace.in_window_seconds if in_window else self._pace.margin_seconds
        margin = self._renewal.margin_seconds(least)
        ready = self._soon(transport, margin)
        spare = self._spare(player, transport, ready) if begun else None
        if not self._renewal.due(in_window, spare, margin):
            return False
        self._retake(player, transport, ready_samples=ready)
        self.quick = player.in_window
        ahead = player.place.zero_samples + player.made_own - transport.position_samples
        told = time.monotonic() - self._lane.changed_seconds
        self._pace.change_seconds = told + max(0, ahead) / transport.sample_rate_hz
        return True

    def _spare(self, player: StreamRenderer, transport: Transport, ready: int) -> int:
        """Own samples that are made from a host position on; 0 where no more is to be made for now."""
        lead = self.lead_seconds(self._lane.settings.values["lead_seconds"])
        full = not player.wants(transport.position_samples, lead)
        return 0 if full else player.place.zero_samples + player.made_own - ready

    # -- tempo, bars, loop ----------------------------------------------------------------------------

    def _loop_now(self, player: StreamRenderer, transport: Transport) -> tuple[int, int] | None:
        """The host's loop in samples: its start where the host came by last, its end where it is foreseen.

        The start lies behind: a tempo that the host has now says nothing of it.
        """
        loop, known = loop_samples(transport, self.line(transport)), self._looped
        self._looped = player, transport.loop_beats
        if loop is None or player.loop is None or known != self._looped:
            return loop
        return (player.loop[0], loop[1]) if player.loop[0] < loop[1] else loop

    def _follow_loop(self, player: StreamRenderer, transport: Transport) -> bool:
        """Another loop: from its end on what is made goes elsewhere; True when it is made anew."""
        loop, before = self._loop_now(player, transport), player.loop
        if loop == before:
            return False
        if loop is None or before is None or not self._begun(player, transport):
            player.loop = loop
            self._retake(player, transport)
            return True
        ends = min(loop[1], before[1]) - player.place.zero_samples
        soon = self._soon(transport, SHIFT_SECONDS) - player.place.zero_samples
        if loop[0] != before[0] or ends < soon:  # other beats, or too late for this pass
            player.loop = loop
            self._retake(player, transport)
            return True
        now, near = time.monotonic(), ends - soon < CATCH_UP_SECONDS * transport.sample_rate_hz
        if now - self._shifted_seconds < LOOK_SECONDS and not near:
            return False
        self._shifted_seconds, player.loop = now, loop
        if first_kept_own(player) <= ends < player.made_own:
            player.shift(transport.position_samples, ends, player.place, self._next_generation())
        return False

    def _follow_line(self, player: StreamRenderer, transport: Transport) -> bool:
        """Compare what is made with the host's beats; True when some of it is made anew."""
        line = self.line(transport)
        if (line, player.version) == self._seen:
            return False
        if not self._begun(player, transport) and not self._keep_start(player, transport):
            return False
        off = first_off(player, line, self._led_samples(player, transport))
        if off is None:
            self._lead(player, transport, line)
        elif time.monotonic() - self._line_seconds < RETAKE_SECONDS:
            return False
        else:
            self._line_seconds = time.monotonic()
            self._retake(player, transport, off, self._led_samples(player, transport))
            self.quick = hears_grid(player.model)
        self._seen = line, player.version
        return off is not None

    def _begun(self, player: StreamRenderer, transport: Transport) -> bool:
        """Whether the music's first sample can not be moved any more."""
        return player.place.start_samples <= self._soon(transport, SHIFT_SECONDS)

    def _starts_elsewhere(self, player: StreamRenderer, transport: Transport, place: StreamPlacement) -> bool:
        """Whether music that has not begun is to begin where the host still comes by: not before where it is."""
        return player.place.start_samples != place.start_samples > self._soon(transport, SHIFT_SECONDS)

    def _keep_start(self, player: StreamRenderer, transport: Transport) -> bool:
        """The music is still to begin: its first sample stays on its beat; False while that is to wait a moment."""
        place = self._place_on(transport)
        if not self._starts_elsewhere(player, transport, place):
            return True
        now, near = time.monotonic(), self._soon(transport, LOOK_SECONDS + 2 * SHIFT_SECONDS)
        if now - self._shifted_seconds < LOOK_SECONDS and min(place.start_samples, player.place.start_samples) > near:
            return False
        self._shifted_seconds = now
        unheard = player.place.unheard_samples
        place = replace(place, zero_samples=place.start_samples - unheard, unheard_samples=unheard)
        player.shift(transport.position_samples, unheard, place, self._next_generation())
        return True

    def _lead(self, player: StreamRenderer, transport: Transport, line: TempoCurve) -> None:
        """What is still to be made goes to the host's line, the music's end with it."""
        own, rate = player.free_own, transport.sample_rate_hz
        position = player.score.at(own).position(own)
        apart = [player.writing.line.off_seconds(line, position + after * rate) for after in (0.0, 0.5, 1.0)]
        place = self._place_here(player, transport)
        ends_off = abs(place.end_samples - player.place.end_samples)
        if max(map(abs, apart)) <= LED_SECONDS and not ends_off:
            return
        made = player.place.zero_samples + player.made_own
        end = place.end_samples
        if min(end, player.place.end_samples) <= made:  # it is made already, or nearly
            place = replace(place, end_samples=player.place.end_samples)
        player.steer(place)
        if place.end_samples != end and ends_off > OFF_SECONDS * rate:
            if end < place.end_samples:
                player.end_at(end, self._next_generation())
            else:
                self._retake(player, transport, made - int(LOOK_SECONDS * rate))

    # -- making anew ----------------------------------------------------------------------------------

    def _makes_anew(self, in_time: bool = True) -> None:
        self._renewal.made()
        self._hoped_seconds = time.monotonic() if in_time else self._hoped_seconds

    def _place_here(self, player: StreamRenderer, transport: Transport) -> StreamPlacement:
        """The place on the host's line now; own samples stay where they are once the music has begun."""
        place, own = self._place_on(transport), player.place
        if not self._begun(player, transport) and self._starts_elsewhere(player, transport, place):
            return place
        return replace(place, zero_samples=own.zero_samples, unheard_samples=own.unheard_samples)

    def _retake(
        self, player: StreamRenderer, transport: Transport, from_samples: int = 0, ready_samples: int | None = None
    ) -> None:
        """Make the stream anew from `from_samples`, or from as near to the host as can be done in time."""
        self._makes_anew(player.ahead_samples(transport.position_samples) > 0)
        generation, place = self._next_generation(), self._place_here(player, transport)
        ready = self._soon(transport) if ready_samples is None else ready_samples
        cut = max(ready, from_samples)
        if not player.made_own or cut <= place.start_samples:
            place = place if self._begun(player, transport) else self._place_on(transport)
            player.loop = loop_samples(transport, self.line(transport))
            player.restart(self._wishes.settings_from(place.unheard_samples), place, generation)
            return
        settings = self._wishes.settings_from(cut - player.place.zero_samples)
        player.retake(transport.position_samples, cut, settings, place, generation)

    def remake(self, player: StreamRenderer, transport: Transport, own: int, settings: LaneSettings) -> None:
        """Make the stream anew with other settings, exactly from an own sample on."""
        self._makes_anew()
        generation, place = self._next_generation(), self._place_here(player, transport)
        if own <= place.unheard_samples:
            player.loop = loop_samples(transport, self.line(transport))
            player.restart(settings, place, generation)
            return
        player.retake_at(transport.position_samples, own, settings, place, generation)

    def _jump(self, player: StreamRenderer, transport: Transport) -> None:
        """The host is elsewhere: the same again before the start, or what fits the bar inside."""
        self._makes_anew()
        generation, place = self._next_generation(), self._place_on(transport)
        to = self._soon(transport)
        if to <= place.start_samples or not player.made_own or made_from_start(player, transport, to, self._pace):
            player.restart(self._wishes.settings_from(place.unheard_samples), place, generation)
        elif to >= place.end_samples:
            player.place = place
        else:
            self._move(player, transport, to, place, generation)

    def _catch_up(self, player: StreamRenderer, transport: Transport) -> None:
        """Too late: come in again on a bar line that can be met with something to spare."""
        self._makes_anew()
        line, spare = self.line(transport), int(CATCH_UP_SECONDS * transport.sample_rate_hz)
        to = line.bar_start(line.next_bar(self._soon(transport) + spare))
        place = self._place_on(transport)
        if to < place.end_samples:
            self._move(player, transport, to, place, self._next_generation())

    def _move(
        self, player: StreamRenderer, transport: Transport, to: int, place: StreamPlacement, generation: int
    ) -> None:
        own = fitting_own(player, to, place.line)
        player.move(transport.position_samples, own, to, self._wishes.settings_from(own), place, generation)

    def _behind(self, player: StreamRenderer, transport: Transport) -> bool:
        """Whether the host is waiting for music that would come too late."""
        if not transport.playing or player.stream.finished or not player.made_own or player.behind_own:
            return False
        waited = time.monotonic() - self._hoped_seconds
        late = -player.ahead_samples(transport.position_samples) > transport.sample_rate_hz // 50
        return late and waited > self._pace.margin_seconds + CATCH_UP_SECONDS

    def _led_samples(self, player: StreamRenderer, transport: Transport) -> int:
        """The earliest position for another tempo, which a model that hears it takes up without a new window."""
        return self._soon(transport, self._pace.in_window_seconds if hears_grid(player.model) else None)

    def _soon(self, transport: Transport, seconds: float | None = None) -> int:
        """So far ahead of a host that plays; without a number, what is begun there can be ready in time."""
        ahead = self._pace.margin_seconds if seconds is None else seconds
        return transport.position_samples + int((ahead if transport.playing else 0.0) * transport.sample_rate_hz)
