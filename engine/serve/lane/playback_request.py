"""What a lane wants to be heard where, as the follower asks for it; the lane's scheduler knows."""

from __future__ import annotations

from typing import Protocol

from engine.serve.lane_settings import LaneSettings
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import StreamSample


class PlaybackRequest(Protocol):
    """What is to be heard where: the lane's scheduler."""

    def settings(self) -> LaneSettings:
        """At the end of what is made.  [generate]"""

    def changed(self, renderer: StreamRenderer) -> bool:
        """Whether something else is to be heard than what is made.  [generate]"""

    def settings_from(self, stream_sample: StreamSample) -> LaneSettings:
        """From a stream sample on, where the stream is made anew; later changes wait again.  [generate]"""
