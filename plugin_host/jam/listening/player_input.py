"""The player's own sound: Segue's taken out, gated, with what was found and whether he plays.

    push(captured, played) -> cleaned      leak canceller -> gate -> (activity looks on)

Works on a grid of hops, so what comes out lags behind what went in by one to two hops (about 20 ms), and is the same
to the bit however the input was cut into blocks. It runs in the session's thread, never on the audio thread.
"""

from __future__ import annotations

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.listening.activity import Activity
from plugin_host.jam.listening.gate import CLOSE_DB, OPEN_DB, Gate
from plugin_host.jam.listening.leak import LeakCanceller, hop_for
from plugin_host.jam.listening.leak_learner import LeakFinding

CHANNELS_MAX = 2


class PlayerInput:
    """Cleans the input of a session, from sample 0 on.  [main]

    `cancel_leak` False: the input cannot hold Segue's sound (a file, a line input), and passes unchanged but for the
    gate. `gate` False: nothing is gated. ValueError for a wrong rate or number of channels.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        channels: int,
        cancel_leak: bool = True,
        gate: bool = True,
        open_db: float = OPEN_DB,
        close_db: float = CLOSE_DB,
    ) -> None:
        if not 8000 <= sample_rate_hz <= 192_000:
            raise ValueError(f"a rate of {sample_rate_hz} Hz: 8000 to 192000 are allowed")
        if not 1 <= channels <= CHANNELS_MAX:
            raise ValueError(f"{channels} channels: 1 or {CHANNELS_MAX} are allowed")
        self._rate, self._channels = sample_rate_hz, channels
        self.hop = hop_for(sample_rate_hz)
        self._canceller = LeakCanceller(sample_rate_hz, channels) if cancel_leak else None
        self._gate = Gate(sample_rate_hz, self.hop, open_db, close_db, mutes=gate)
        self._activity = Activity(sample_rate_hz, self.hop)
        self._waiting: Audio = np.zeros((0, 2 * channels), np.float32)
        self.pushed = 0
        self.cleaned = 0

    def push(self, captured: Audio, played: Audio) -> Audio:
        """Add captured and played sound [n, channels] of the same samples; returns the cleaned samples now finished.

        What is returned, joined, is the cleaned input from sample 0 on; it ends at sample `cleaned`, which lags at
        most two hops behind `pushed`. ValueError for other shapes or numbers that are not finite.
        """
        wanted = (len(captured), self._channels)
        if captured.shape != wanted or played.shape != wanted:
            raise ValueError(f"captured {captured.shape} and played {played.shape}: both must be {wanted}")
        both = np.concatenate([captured, played], axis=1, dtype=np.float32)
        if not np.isfinite(both).all():
            raise ValueError("captured or played sound holds numbers that are not finite")
        self.pushed += len(both)
        return self._process(both)

    def finish(self) -> Audio:
        """The samples that still wait, when no more come: `cleaned` is then `pushed`."""
        missing = self.pushed - self.cleaned
        rest = self._process(np.zeros((2 * self.hop, 2 * self._channels), np.float32))[:missing]
        self.cleaned = self.pushed
        return rest

    def _process(self, both: Audio) -> Audio:
        known = np.concatenate([self._waiting, both])
        whole = len(known) // self.hop * self.hop
        self._waiting = known[whole:]
        done = [each for at in range(0, whole, self.hop) if (each := self._hop(known[at : at + self.hop])) is not None]
        out = np.concatenate(done) if done else np.zeros((0, self._channels), np.float32)
        self.cleaned += len(out)
        return out

    def _hop(self, both: Audio) -> Audio | None:
        captured, played = both[:, : self._channels], both[:, self._channels :]
        cleaned = self._canceller.clean(captured, played) if self._canceller else captured
        gated, is_open = self._gate.push(cleaned)
        if gated is not None:
            self._activity.add(gated, is_open)
        return gated

    @property
    def level_db(self) -> float:
        """RMS of the last cleaned hop in dB of full scale."""
        return self._activity.level_db

    @property
    def leak(self) -> LeakFinding:
        """What the headphone check has found by now; `.text` is a sentence for the player."""
        if self._canceller is None:
            return LeakFinding("none")
        return self._canceller.finding

    @property
    def onsets(self) -> list[int]:
        """Samples at which the player's last notes began, to one hop."""
        return list(self._activity.onsets)

    @property
    def last_played(self) -> int | None:
        """The sample until which the player last played; None if he has not played yet."""
        return self._activity.last_played

    def has_stopped(self, beats: float, bpm: float) -> bool:
        """Whether the player has played, and then not for so many beats; a chord that rings out is not playing."""
        return self._activity.has_stopped(round(beats * 60.0 / bpm * self._rate))

    def is_playing(self, beats: float, bpm: float) -> bool:
        """Whether the player played within the last `beats`."""
        return self.last_played is not None and not self.has_stopped(beats, bpm)
