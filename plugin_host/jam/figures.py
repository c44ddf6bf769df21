"""What a jam's host counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plugin_host.playback.processor import Processor


@dataclass(frozen=True)
class Figures:
    """Samples that were missed, held or silent where music was due; late blocks; the sound card's xruns."""

    missed_samples: int = 0
    held_samples: int = 0
    muted_samples: int = 0
    late_blocks: int = 0
    xruns: int = 0


def counted(processors: Sequence[Processor], xruns: int) -> Figures:
    """The figures of all lanes, by now.  [any]"""
    counters = [each.counters for each in processors]
    return Figures(
        sum(each.missed_samples for each in counters), sum(each.held_samples for each in counters),
        sum(each.muted_samples for each in counters), sum(each.drops.late_blocks for each in processors), xruns,
    )  # fmt: skip
