"""Candidates for a stretch of music: streams that continue from the same frame; one is kept.

    stream   ....|---- its own continuation --------|....
    fork 1       |---- another seed ----------------|            the others are dropped
    fork 2       |---- another seed ----------------|

The first candidate is the stream itself: without time to wait for the others, it continues as if alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.stream.fork import fork
from engine.stream.tokens import TokenStream


@dataclass(frozen=True)
class CandidateSet:
    """Streams that all continue from frame `start` up to `stop` (including the prompt).  [generate]"""

    streams: tuple[TokenStream, ...]
    start: int
    stop: int

    @classmethod
    def begin(cls, stream: TokenStream, stop: int, seeds: list[int]) -> CandidateSet:
        """The stream, and a fork for each seed.  [generate]"""
        return cls((stream, *(fork(stream, seed) for seed in seeds)), stream.n_frames, stop)

    @property
    def done(self) -> bool:
        """Whether every candidate has reached the end of the stretch.  [generate]"""
        return all(stream.finished or stream.n_frames >= self.stop for stream in self.streams)

    def codes(self, index: int) -> Tensor:
        """New codes [K, n] of a candidate so far.  [generate]"""
        return self.streams[index].codes(self.start)
