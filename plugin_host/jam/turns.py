"""Segue's turns as files of their own, from bar line to bar line, written beside the music."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from bridge.ring.form import Audio
from plugin_host.console.output import OutputError, save_wav
from plugin_host.host.full_scale import within_full_scale


class TurnFiles:
    """Writes `turn-001-bar-5.wav` and so on into a folder, on a thread of its own; a fault is said, once."""

    def __init__(self, folder: Path, rate_hz: int, say: Callable[[str], None]) -> None:
        self._folder, self._rate_hz, self._say = folder, rate_hz, say
        self._count = 0
        self._waiting: queue.SimpleQueue[tuple[Path, Audio] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="segue-jam-turns", daemon=True)
        self._thread.start()

    def keep(self, audio: Audio, bar: int) -> None:
        """Write a turn that began on a bar, from 0.  [main]"""
        self._count += 1
        self._waiting.put((self._folder / f"turn-{self._count:03}-bar-{bar + 1}.wav", audio))

    def close(self) -> None:
        """Wait until all are written.  [main]"""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        well = True
        while (turn := self._waiting.get()) is not None:
            path, audio = turn
            try:
                save_wav(path, within_full_scale(audio)[0], self._rate_hz)
            except OutputError as fault:
                if well:
                    self._say(f"{fault}; the music goes on")
                well = False
