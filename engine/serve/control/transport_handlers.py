"""Handlers of messages about a host's time, [control]: transports and taps."""

from __future__ import annotations

from collections.abc import Callable

from bridge.control import messages
from bridge.control.requests import Answer, Handler, Request
from bridge.errors import OutOfRange
from bridge.time.units import Signature
from engine.serve.lane.lane import Lane


class TransportHandlers:
    """Sets a lane's clock; if the host writes the shared block itself, sends the lane's event instead."""

    def __init__(self, lane_of: Callable[[int], Lane]) -> None:
        self._lane_of = lane_of

    def handlers(self) -> dict[str, Handler]:
        """The handlers by address.  [main]"""
        return {messages.TRANSPORT.address: self.transport, messages.TAP.address: self.tap}

    def transport(self, request: Request) -> Answer:
        """transport.  [control]"""
        lane = self._lane_of(request.whole("lane"))
        try:
            signature = Signature(request.whole("numerator"), request.whole("denominator"))
        except ValueError as fault:
            raise OutOfRange(str(fault)) from None
        playing, beats, bpm = request.whole("playing"), request.number("position_beats"), request.number("bpm")
        lane.clock.report(playing == 1, beats, bpm, signature)
        if lane.clock.shared:
            lane.events.time_set(lane, request.client, playing, beats, bpm, signature)
        return ()

    def tap(self, request: Request) -> Answer:
        """tap.  [control]"""
        lane = self._lane_of(request.whole("lane"))
        tapped = lane.clock.tap(request.whole("downbeat") == 1)
        if tapped is None:
            return 0.0, 0
        if lane.clock.shared:
            lane.events.time_set(lane, request.client, -1, 0.0, tapped.tempo_bpm, lane.clock.or_standing().signature)
        return tapped.tempo_bpm, tapped.beats_since_downbeat
