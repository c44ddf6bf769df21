"""The leader: the first source, in the given order, that has a reading.

Order of `auto`: JACK, MIDI clock, OSC and taps; the host's own clock if all are silent. (If a host writes the shared
transport block, its engine reads only that.) Ableton Link leads only on request, since it sends to the whole network.

A leader that falls silent is held: the host plays on at its last tempo. When it returns, it leads again at once; after
`HOLD_SECONDS` another one may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from plugin_host.sync.reading import Reading, Source

HOLD_SECONDS = 2.0


class Leader:
    """Chooses among sources, best first; `say` gets a line of text at each change."""

    def __init__(self, sources: Sequence[Source], say: Callable[[str], None]) -> None:
        self.sources = tuple(sources)
        self.current: Source | None = None
        self._say = say
        self._last: Reading | None = None
        self._lost_at: float | None = None

    @property
    def lost(self) -> bool:
        """Whether the present leader is silent, and held.  [any]"""
        return self._lost_at is not None

    def reading(self, now_seconds: float) -> Reading | None:
        """The leader's reading; None if the host is on its own, or holds a lost leader.  [main]"""
        found: Reading | None = None
        for source in self.sources:
            found = source.reading(now_seconds)
            if found is not None or (source is self.current and self._held(now_seconds)):
                break
        else:
            return None
        if found is None:
            return None
        if source is not self.current:
            self._say(f"following {source.name} at {found.tempo_bpm:.2f} bpm")
        elif self._lost_at is not None:
            self._say(f"{source.name} is back after {now_seconds - self._lost_at:.1f} s")
        self.current, self._last, self._lost_at = source, found, None
        return found

    def _held(self, now_seconds: float) -> bool:
        """The leader is silent: report it once; returns whether it is still held."""
        if self._lost_at is None and self.current is not None and self._last is not None:
            self._lost_at = now_seconds
            self._say(f"{self.current.name} lost: going on at {self._last.tempo_bpm:.2f} bpm until it is back")
        return self._lost_at is not None and now_seconds - self._lost_at < HOLD_SECONDS
