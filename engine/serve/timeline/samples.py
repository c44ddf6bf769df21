"""How a stream's samples become its codec's and its frames: all counted from where the stream's own music begins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SampleRates:
    """Converts between one stream's samples, its codec's samples and its frames; rounds once, always the same way.

    [any]
    """

    codec_hz: int
    stream_hz: int
    frame_samples: int  # of the codec

    @property
    def stream_per_codec(self) -> float:
        """Stream samples in a codec sample.  [any]"""
        return self.stream_hz / self.codec_hz

    def stream_of(self, codec: int) -> int:
        """The first stream sample at a codec sample or after it.  [any]"""
        return -(-codec * self.stream_hz // self.codec_hz)

    def codec_of(self, stream: int) -> int:
        """The codec sample at a stream sample, or the last one before it.  [any]"""
        return stream * self.codec_hz // self.stream_hz

    def stream_length(self, codec_samples: int) -> int:
        """Whole stream samples that so many of the codec's last.  [any]"""
        return codec_samples * self.stream_hz // self.codec_hz

    def start_of(self, frame: int) -> int:
        """The first codec sample of a frame.  [any]"""
        return frame * self.frame_samples

    def frame_at(self, codec: int) -> int:
        """The frame that holds a codec sample.  [any]"""
        return codec // self.frame_samples

    def frame_from(self, codec: int) -> int:
        """The first frame that begins at a codec sample or after it.  [any]"""
        return -(-codec // self.frame_samples)
