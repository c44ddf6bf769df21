"""`python -m engine.serve.replay FOLDER [--repair]`: makes a lane again into a ring, in step with its listener.

    this process ---> {"ring": name, ...}, {"host": transport, "sample": n}, ..., {"end": text}     a line each
                 <--- a line for each: the host has played up to sample n

`segue render` starts it, and plays the ring as a host does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from bridge.errors import SegueError
from bridge.time.transport import Transport
from engine.errors import EngineError
from engine.model import LoadedModel
from engine.serve.journal.values import JournalError, plain
from engine.serve.journal.writer import read_journal
from engine.serve.replay.lane import PlayedLane


class Steps:
    """Two processes in step, over lines of JSON.  [main]"""

    def __init__(self, out: TextIO, back: TextIO) -> None:
        self._out, self._back = out, back
        self._said: tuple[object, ...] = ()

    def say(self, **values: Any) -> None:
        """Send a line, and wait until it is done. JournalError if the other process has gone."""
        try:
            print(json.dumps(values), file=self._out, flush=True)
        except OSError:
            raise JournalError("nobody listens any more") from None
        if not self._back.readline():
            raise JournalError("nobody listens any more")

    def play(self, host: Transport, sample: int) -> None:
        """Have the host play up to a sample."""
        said = (host.playing, host.grid, host.loop_beats, host.seek_id, sample)
        if said != self._said:
            self._said = said
            self.say(host=plain(host, _no_audio), sample=sample)


def _no_audio(audio: object) -> str:
    raise TypeError("a transport holds no audio")


class Models:
    """The models that a journal names, loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[str, LoadedModel] = {}

    def __call__(self, name: str, about: dict[str, Any]) -> LoadedModel:
        """The model; JournalError if it is not here.  [main]"""
        import torch

        from engine.models.load import EMBEDDED, load_model

        if name not in self._loaded:
            torch.set_num_threads(max(1, int(about.get("threads", 1))))
            torch.set_flush_denormal(True)
            runtime = "auto" if name == EMBEDDED else str(about.get("codec", "auto"))
            try:
                self._loaded[name] = load_model(name, codec_runtime=runtime)
            except (EngineError, OSError) as error:
                raise JournalError(f"the lane played {name}: {error}") from None
        return self._loaded[name]


def main(arguments: list[str] | None = None) -> int:
    """Make a lane again; 1 if that is not possible, with the reason as the last line.  [main]"""
    folder, *options = sys.argv[1:] if arguments is None else arguments
    steps = Steps(sys.stdout, sys.stdin)
    lane = PlayedLane(Path(folder), Models(), steps.play, repair="--repair" in options)
    try:
        rows = read_journal(Path(folder))
        ring = lane.open(rows[0])
        steps.say(ring=ring.name, rate_hz=ring.form.sample_rate_hz, channels=ring.form.channels)
        lane.run(rows[1:])
        steps.say(end=lane.ended or "the journal breaks off here: the engine was ended")
    except SegueError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    finally:
        lane.close()
    return 0
