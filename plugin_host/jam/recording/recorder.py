"""What a jam plays, on the disk while it is played: three WAV files of equal length, and the journal.

    input.wav   the player      segue.wav   Segue      mix.wav   their sum      session.jsonl   the journal

Sample n of the files is session sample `first_sample` + n. The audio thread copies into a ring of ten seconds; a thread
of the recorder's own writes it ten times a second and counts it in the headers. A disk that takes longer than the ring
holds leaves silence, whose samples are counted in `lost_samples`. A disk that takes no more stops the recording, not
the music.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.ring.form import Audio
from plugin_host.console.output import OutputError, cannot, ready_folder
from plugin_host.jam.recording.journal import Journal, journal_line
from plugin_host.jam.recording.sample_ring import SampleRing
from plugin_host.jam.recording.wave_file import Disk, WaveFile, WaveForm, to_pcm

INPUT, SEGUE, MIX, JOURNAL = "input.wav", "segue.wav", "mix.wav", "session.jsonl"
WAVES = (INPUT, SEGUE, MIX)
RING_SECONDS = 10.0
WRITE_SECONDS = 0.1
SYNC_SECONDS = 2.0  # what a power cut may take
CLOSE_SECONDS = 20.0  # that a disk may take for the end
LINES_MAX = 20_000  # of the journal, waiting


@dataclass(frozen=True)
class Recorded:
    """What was recorded: `fault` says why it ended early, "" if it did not; samples clipped in mix.wav."""

    folder: Path
    samples: int
    seconds: float
    lost_samples: int
    clipped_samples: int
    fault: str


class JamRecorder:
    """Records until `close`. OutputError if the folder holds a recording or cannot be written to.

    `on_fault` gets the one line that says why the recording stopped, on the recorder's thread. `waits`: `add` waits for
    a slow disk, for jams faster than real time.
    """

    def __init__(
        self,
        folder: Path,
        sample_rate_hz: int,
        channels: int,
        on_fault: Callable[[str], None] = lambda text: None,
        *,
        waits: bool = False,
        first_sample: int = 0,
        disk: Disk | None = None,
    ) -> None:
        self.folder = ready_folder(folder)
        self.fault = ""  # why it stopped
        self.lost_samples = 0
        self._rate_hz, self._first = sample_rate_hz, first_sample
        self._on_fault, self._waits = on_fault, waits
        self._ring = SampleRing(int(RING_SECONDS * sample_rate_hz), channels, first_sample)
        self._lines: deque[bytes] = deque(maxlen=LINES_MAX)
        self._frames = self._clipped = 0  # in all three files; in mix.wav
        self.recorded_samples = 0  # that readers see in all three files
        self._files = _Files(self.folder, WaveForm(sample_rate_hz, channels), first_sample, disk or Disk())
        self._ending, self._taken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-jam-recorder", daemon=True)
        self._thread.start()

    # -- taken in ---------------------------------------------------------------------------------------

    def add(self, sample: int, captured: Audio, played: Audio) -> None:
        """The player's and Segue's block [n, channels] from session sample `sample` on. Copies, never waits for the
        disk (but with `waits`), never raises for it. Samples left out are silent; samples that were given are kept.
        [main]
        """
        while not self.fault and (left := self._ring.add(sample, captured, played)):
            if not self._waits:
                self.lost_samples += left  # the next block comes after a gap
                return
            self._taken.clear()
            self._taken.wait(WRITE_SECONDS)

    def note(self, kind: str, sample: int, beat: float, **values: Any) -> None:
        """A line of the journal: what was commanded, received or played, at this session sample and beat.  [any]"""
        self._lines.append(journal_line(kind, sample, beat, values))

    def close(self) -> Recorded:
        """Write what is there, and end; may be called twice. Never raises for the disk.  [main]"""
        self._ending.set()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive() and not self.fault:
            self.fault = f"{self.folder} does not answer; what was written last may be missing"
        seconds = self._frames / self._rate_hz
        return Recorded(self.folder, self._frames, seconds, self.lost_samples, self._clipped, self.fault)

    # -- written ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        synced_at = time.monotonic()
        ended = False
        while not (ended or self.fault):
            ended = self._ending.wait(0.0 if self._waits and self._ring.waiting else WRITE_SECONDS)
            try:
                self._write()
                if time.monotonic() - synced_at > SYNC_SECONDS:
                    synced_at = time.monotonic()
                    self._files.sync()
            except Exception as fault:
                self._stop(fault)
        self._finish()
        if self.fault:
            self._on_fault(self.fault)

    def _write(self) -> None:
        """Write what has come, a second at a time, and count it."""
        while self._ring.waiting:
            silent, captured, played = self._ring.next(self._rate_hz)
            if silent:
                self._files.append_silence(silent)
            self._clipped += self._files.append(captured, played)
            self._frames += silent + len(captured)
            self._ring.got(len(captured))
            self._taken.set()
        self._files.count()
        self.recorded_samples = self._frames - self._frames % 2
        self._write_lines()

    def _write_lines(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            self._files.journal.add(b"".join(lines))

    def _stop(self, fault: Exception) -> None:
        seconds = self._frames / self._rate_hz
        why = cannot(self.folder, fault) if isinstance(fault, OSError) else f"{type(fault).__name__}: {fault}"
        self.fault = (
            f"the recording stopped after {int(seconds // 60)}:{seconds % 60:04.1f} ({why}). "
            "The music goes on; what was recorded until then is kept"
        )
        self._taken.set()
        self.note("stopped", self._first + self._frames, 0.0, text=self.fault)

    def _finish(self) -> None:
        """Equal lengths, the last lines, closed files; whatever of it the disk allows."""
        if not self.fault:
            values = {"samples": self._frames, "lost_samples": self.lost_samples, "clipped_samples": self._clipped}
            self.note("closed", self._first + self._frames, 0.0, **values)
        self._files.keep(self._frames)
        with suppress(OSError):
            self._write_lines()
        self._files.close()


def recorded_in(folder: Path) -> str:
    """The first file of a recording that stands in a folder; "" for none.  [any]"""
    return next((name for name in (*WAVES, JOURNAL) if (folder / name).exists()), "")


class _Files:
    """The three WAV files and the journal."""

    def __init__(self, folder: Path, form: WaveForm, first_sample: int, disk: Disk) -> None:
        if there := recorded_in(folder):
            raise OutputError(f"{folder} already holds a recording ({there}): name another folder")
        made: list[Path] = []
        self._waves: list[WaveFile] = []
        try:
            for name in WAVES:
                made.append(folder / name)
                self._waves.append(WaveFile.create(folder / name, form, disk))
            made.append(folder / JOURNAL)
            disk.create(folder / JOURNAL, journal_line("recording", first_sample, 0.0, form.values()))
            self.journal = Journal(folder / JOURNAL, disk)
        except OSError as fault:
            self._close(self._waves)
            for path in made:
                with suppress(OSError):
                    path.unlink()
            raise cannot(made[-1], fault) from None

    def append(self, captured: Audio, played: Audio) -> int:
        mixed, clipped = to_pcm(captured + played)
        parts = (to_pcm(captured)[0], to_pcm(played)[0], mixed)
        for wave, pcm in zip(self._waves, parts, strict=True):
            wave.append(pcm)
        return clipped

    def append_silence(self, frames: int) -> None:
        for wave in self._waves:
            wave.append_silence(frames)

    def count(self) -> None:
        for wave in self._waves:
            wave.count()

    def sync(self) -> None:
        for wave in self._waves:
            wave.sync()
        self.journal.sync()

    def keep(self, frames: int) -> None:
        for wave in self._waves:
            with suppress(OSError):
                wave.keep(frames)

    def close(self) -> None:
        with suppress(OSError):
            self.sync()
        self._close([*self._waves, self.journal])

    @staticmethod
    def _close(files: list[Any]) -> None:
        for file in files:
            with suppress(OSError):
                file.close()
