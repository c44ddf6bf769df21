"""The settings for each stretch of a lane's music, as the host follower asks for them."""

from __future__ import annotations

from typing import Protocol

from engine.serve.lane_settings import LaneSettings
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import StreamSample


class PlaybackRequest(Protocol):
    """The settings for each stretch of music; the lane's scheduler implements it."""

    def settings(self) -> LaneSettings:
        """The settings at the end of made music.  [generate]"""

    def changed(self, renderer: StreamRenderer) -> bool:
        """Whether made music is out of date with the settings.  [generate]"""

    def settings_from(self, stream_sample: StreamSample) -> LaneSettings:
        """The settings from a stream sample on that is regenerated; later changes wait again.  [generate]"""
