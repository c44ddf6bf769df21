"""Makes a lane again: the engine's child process makes its music, a host in this process plays it in step."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.ring.form import Audio
from bridge.ring.reader import RingReader
from plugin_host.playback.counters import Counters
from plugin_host.render.heard import HeardHost, transport_of
from plugin_host.render.places import RenderError

JOURNAL = "journal.jsonl"
END_SECONDS = 10.0


@dataclass(frozen=True)
class Rendered:
    """What was heard, float32 [n, channels]; how it ended, what was held meanwhile, how long it took."""

    audio: Audio
    rate_hz: int
    ended: str
    counters: Counters
    seconds: float


def lanes_of(folder: Path) -> list[Path]:
    """The journals in a folder: its own, or those of the lanes in it; RenderError without any.  [main]"""
    if (folder / JOURNAL).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{JOURNAL}"))
    if not found:
        raise RenderError(
            f"{folder} holds no journal ({JOURNAL}): an engine started with --journal FOLDER writes one for each lane"
        )
    return found


def render(folder: Path, show: Callable[[str], None], repair: bool = False, n_samples: int | None = None) -> Rendered:
    """Make again what was heard of a lane; with `repair` what was late or held is as it should have been.

    With `n_samples` no more than that. RenderError if that is not possible.  [main]
    """
    began = time.monotonic()
    with _engine(folder, repair) as engine:
        lines = _lines(engine)
        first = next(lines)
        reader = RingReader.attach(str(first["ring"]))
        try:
            host, ended = HeardHost(reader, waits=repair), ""
            for said in lines:
                if "end" in said:
                    ended = str(said["end"])
                    break
                host.play(transport_of(said["host"]), int(said["sample"]))
                show(f"{folder.name}: {said['sample'] / first['rate_hz']:.0f} s")
                if n_samples is not None and host.made_samples >= n_samples:
                    break
            host.end()
            audio = host.audio[:n_samples]
        finally:
            host.processor.offer(None)
            reader.close()
    return Rendered(audio, int(first["rate_hz"]), ended, host.processor.counters, time.monotonic() - began)


def _lines(engine: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """The child's lines; each is answered when the next one is asked for. RenderError if it fails."""
    assert engine.stdin is not None
    assert engine.stdout is not None
    for line in engine.stdout:
        try:
            said = json.loads(line)
        except ValueError:
            continue  # a library's own words
        if "error" in said:
            raise RenderError(said["error"])
        yield said
        with suppress(BrokenPipeError):
            engine.stdin.write("\n")
            engine.stdin.flush()
    raise RenderError(f"the engine ended while it made the lane again (exit code {engine.wait(END_SECONDS)})")


@contextmanager
def _engine(folder: Path, repair: bool) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "engine.serve.replay", str(folder), *(["--repair"] if repair else [])]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    ) as engine:
        try:
            yield engine
        finally:
            if engine.stdin is not None:
                with suppress(BrokenPipeError):
                    engine.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                engine.wait(END_SECONDS)
            if engine.poll() is None:
                engine.kill()
