"""Where a host played, from what its journal says of it: stretches of its timeline, one after the other.

host       |-- bars 1 to 8 --|    |-- bars 5 to 12 --|          it jumped back between them
recording  |-- bars 1 to 8 --|-- bars 5 to 12 --|               what was heard, without the time between
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.errors import SegueError
from bridge.time.transport import Grid, Transport

BLOCK_SAMPLES = 256
SEEKS_MAX = 100_000
HOURS_MAX = 24  # of music in one recording


class RenderError(SegueError):
    """A journal that cannot be made again; the message says why."""

    code = "render"


@dataclass(frozen=True)
class Stretch:
    """Music heard on one timeline without a jump: host samples `begin` to before `end`, `first` in the recording."""

    grid: Grid
    begin: int
    end: int
    first: int


class HostPlaces:
    """Follows a host through its journal; `stretches` are the places where it played.  All [main]."""

    def __init__(self, rate_hz: int) -> None:
        self.stretches: list[Stretch] = []
        self._rate_hz = rate_hz
        self._host: Transport | None = None
        self._position = 0  # of the host
        self._due = 0  # samples of all stretches

    @property
    def heard_samples(self) -> int:
        """Samples of the recording up to here."""
        return self._due

    def play(self, host: Transport, sample: int) -> None:
        """Play to where the host was: `host`, in the block that begins at `sample`.

        A host tells its position as it begins a block, and reads the ring then.
        """
        before = self._host
        if before is None:
            self._begin(host)
        elif before.playing:
            self._play_on(before, host, sample)
        if host.playing:
            goes_on = before is not None and host.seek_id == before.seek_id
            self._position = self._position if goes_on else max(self._position, sample) if before else sample
            self._stretch(host, self._block_end(host, sample))
        else:
            self._stand(replace(host, playing=False, position_samples=sample))
            self._position = sample
        self._host = host

    def _begin(self, host: Transport) -> None:
        """The first place of the host. RenderError."""
        if not 0 <= host.seek_id <= SEEKS_MAX:
            raise RenderError(f"the host's seek id is {host.seek_id}, it may be 0 to {SEEKS_MAX}")

    def _stand(self, host: Transport) -> None:
        """The host stands still."""

    def _roll(self, host: Transport, end: int) -> None:
        """The host plays from its position up to a sample."""

    def _play_on(self, before: Transport, host: Transport, sample: int) -> None:
        """Play on the stretch of `before`, through its loop, to where `host` is."""
        if not 0 <= host.seek_id - before.seek_id <= SEEKS_MAX:
            raise RenderError(f"the host's seek id is {host.seek_id} after {before.seek_id}")
        for _ in range(host.seek_id - before.seek_id):
            if before.loop_beats is None:
                break
            start, end = (before.grid.sample_at(beats) for beats in before.loop_beats)
            if self._position > end:
                break
            self._stretch(before, end)
            self._position = start
        if host.seek_id != before.seek_id:
            # a jump: between the last place known and this one nothing is known
            self._position = self._position if host.loop_beats and self._position <= sample else sample
        changes = host.grid.anchor_samples
        if host.grid != before.grid and self._position <= changes <= sample:
            self._stretch(before, changes)
        self._stretch(host if host.playing else before, sample)

    def _block_end(self, host: Transport, sample: int) -> int:
        """Where the block that begins at a sample ends: at the loop's end at the latest."""
        end = sample + BLOCK_SAMPLES
        if host.loop_beats is None or sample >= (loop_end := host.grid.sample_at(host.loop_beats[1])):
            return end
        return min(end, loop_end)

    def _stretch(self, host: Transport, end: int) -> None:
        """Play from the host's position up to a sample."""
        if self._position < end:
            self._note(host.grid, end)
            self._due += end - self._position
            if self._due > HOURS_MAX * 3600 * self._rate_hz:
                raise RenderError(f"the journal has more than {HOURS_MAX} hours of music without an end")
            self._roll(replace(host, playing=True, position_samples=self._position), end)
            self._position = end

    def _note(self, grid: Grid, end: int) -> None:
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.grid == grid and last.end == self._position:
            self.stretches[-1] = replace(last, end=end)
        else:
            self.stretches.append(Stretch(grid, self._position, end, self._due))
