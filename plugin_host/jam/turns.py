"""What `--keep` writes beside the recording: Segue's turns, from bar line to bar line, and what it heard of the player.

turn-001-bar-5.wav ...   Segue's turns
heard.wav                the player alone: input.wav without what leaked into it, gated; its samples are input.wav's
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bridge.ring.form import Audio
from plugin_host.console.output import OutputError, cannot, save_wav
from plugin_host.host.full_scale import within_full_scale
from plugin_host.jam.recording.wave_file import Disk, WaveFile, WaveForm, to_pcm

HEARD = "heard.wav"


class TurnFiles:
    """Writes the turns and what was heard into a folder, on a thread of its own; a fault is said, once.

    `before` samples of what is heard come before the recording's first one. OutputError.
    """

    def __init__(self, folder: Path, rate_hz: int, channels: int, before: int, say: Callable[[str], None]) -> None:
        self._folder, self._rate_hz, self._say = folder, rate_hz, say
        self._count, self._before = 0, before
        try:
            self._heard = WaveFile.create(folder / HEARD, WaveForm(rate_hz, channels), Disk())
        except OSError as fault:
            raise cannot(folder / HEARD, fault) from None
        self._waiting: queue.SimpleQueue[tuple[Path | None, Audio] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="segue-jam-turns", daemon=True)
        self._thread.start()

    def keep(self, audio: Audio, bar: int) -> None:
        """Write a turn that began on a bar, from 0.  [main]"""
        self._count += 1
        self._waiting.put((self._folder / f"turn-{self._count:03}-bar-{bar + 1}.wav", audio))

    def hear(self, audio: Audio) -> None:
        """Append what is newly known of the player's music [n, channels].  [main]"""
        left = audio[self._before :]
        self._before -= len(audio) - len(left)
        if len(left):
            self._waiting.put((None, left))

    def close(self) -> None:
        """Wait until all are written.  [main]"""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        well = True
        while (turn := self._waiting.get()) is not None:
            path, audio = turn
            try:
                if path is None:
                    self._append(audio)
                else:
                    save_wav(path, within_full_scale(audio)[0], self._rate_hz)
            except OutputError as fault:
                if well:
                    self._say(f"{fault}; the music goes on")
                well = False
        with suppress(OSError):
            self._heard.keep(self._heard.written)
        with suppress(OSError):
            self._heard.close()

    def _append(self, audio: Audio) -> None:
        try:
            self._heard.append(to_pcm(audio)[0])
            self._heard.count()
        except OSError as fault:
            raise cannot(self._folder / HEARD, fault) from None
