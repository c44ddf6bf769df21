"""The clocks on which samples are counted, and conversion between a stream's samples, codec samples and frames.

HostSample     on the host's timeline, at its rate            where the playhead is
StreamSample   from the stream's first sample, at that rate   `StreamPlacement` says where it lies on the host's
CodecSample    from the same start, at the model's rate       the codec's output; `SampleRates` converts

A position has one of these types; the difference of two, a length, is an `int`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from bridge.time.transport import Transport

HostSample = NewType("HostSample", int)
StreamSample = NewType("StreamSample", int)
CodecSample = NewType("CodecSample", int)


def position_of(transport: Transport) -> HostSample:
    """The host position of a transport.  [any]"""
    return HostSample(transport.position_samples)


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
        """Stream samples per codec sample.  [any]"""
        return self.stream_hz / self.codec_hz

    def stream_of(self, codec: CodecSample) -> StreamSample:
        """The first stream sample at a codec sample or after it.  [any]"""
        return StreamSample(-(-codec * self.stream_hz // self.codec_hz))

    def codec_of(self, stream: StreamSample) -> CodecSample:
        """The codec sample at a stream sample, or the last one before it.  [any]"""
        return CodecSample(stream * self.codec_hz // self.stream_hz)

    def stream_length(self, codec_samples: int) -> int:
        """Whole stream samples in a length of codec samples.  [any]"""
        return codec_samples * self.stream_hz // self.codec_hz

    def start_of(self, frame: int) -> CodecSample:
        """The first codec sample of a frame.  [any]"""
        return CodecSample(frame * self.frame_samples)

    def frame_at(self, codec: CodecSample) -> int:
        """The frame that holds a codec sample.  [any]"""
        return codec // self.frame_samples

    def frame_from(self, codec: CodecSample) -> int:
        """The first frame that begins at a codec sample or after it.  [any]"""
        return -(-codec // self.frame_samples)
