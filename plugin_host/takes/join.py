"""The music of a path of the history as one file: whole bars end to end, each seam on its sample.

continued    |--- parent ---|--- child ---     the child's first sample follows the last before its bar line
changed over |--- take A ---/--- take C ---    both have music there: C fades in over the last 10 ms before the bar
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import Signature, nearest, seconds_to_samples
from plugin_host.console.output import put, ready_file
from plugin_host.doctor.doctor import version
from plugin_host.history.errors import HistoryError
from plugin_host.history.files import checksum, inside
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import Piece
from plugin_host.takes import chunks
from plugin_host.takes.finish import encoded
from plugin_host.takes.loudness import measure
from plugin_host.takes.take import read_take
from plugin_host.takes.wave import format_chunk, wave_bytes

FADE_SECONDS = 0.01


def grid_of(node: Node) -> Grid:
    """The timeline of a node: beat 0 on sample 0.  [any]"""
    return Grid(node.rate_hz, node.bpm, Signature(node.numerator, node.denominator))


def joined(history: History, pieces: Sequence[Piece]) -> Audio:
    """The audio of pieces, float32 [n, channels], exactly their bars long. HistoryError.  [main]"""
    if not pieces:
        raise HistoryError("there is no music before this place")
    parts: list[Audio] = []
    for piece in pieces:
        grid = grid_of(piece.node)
        audio, begin = _audio(history, piece.node), grid.bar_start(piece.node.file_start_bar)
        start, stop = grid.bar_start(piece.start_bar) - begin, grid.bar_start(piece.stop_bar) - begin
        if stop > len(audio):
            raise HistoryError(f"take {piece.node.number}: {piece.node.file} ends before bar {piece.stop_bar + 1}")
        if parts and piece.joined:
            parts[-1] = _faded(parts[-1], audio[:start], grid.sample_rate_hz)
        parts.append(audio[start:stop])
    if len({part.shape[1] for part in parts}) > 1:
        raise HistoryError("the takes of this path have different numbers of channels")
    return np.concatenate(parts)


def _audio(history: History, node: Node) -> Audio:
    """The audio of a node's file, which must be the one that was made."""
    if not history.has_file(node):
        raise HistoryError(f"take {node.number} has no file any more: `segue takes again {node.number}` makes it again")
    path = inside(history.folder, node.file)
    if checksum(path) != node.file_sha256:
        raise HistoryError(f"take {node.number}: {node.file} has changed since it was made")
    return read_take(path).audio


def _faded(before: Audio, after: Audio, rate_hz: int) -> Audio:
    """`before`, whose last 10 ms fade into `after`, which ends on the same sample. Constant power."""
    n_fade = min(len(before), len(after), nearest(seconds_to_samples(FADE_SECONDS, rate_hz)))
    if not n_fade:
        return before
    turn = np.linspace(0, np.pi / 2, n_fade, endpoint=False, dtype=np.float32)[:, None]
    whole = before.copy()
    whole[-n_fade:] = before[-n_fade:] * np.cos(turn) + after[-n_fade:] * np.sin(turn)
    return whole


def export(history: History, pieces: Sequence[Piece], out: Path, bits: int = 24) -> int:
    """Write the music of a path as WAV with its position; returns its samples. HistoryError, OutputError.  [main]"""
    audio, first = joined(history, pieces), pieces[0].node
    grid, start = grid_of(first), grid_of(first).bar_start(pieces[0].start_bar)
    form = f"A=PCM,F={first.rate_hz},W={bits},M=stereo"
    numbers = " ".join(str(piece.node.number) for piece in pieces)
    stamp = chunks.TakeStamp(first.prompt or "Segue", f"Segue {version()}", f"takes {numbers}", datetime.now(), start)
    stop_bar = pieces[-1].stop_bar
    bars = [grid.bar_start(bar) - start for bar in range(pieces[0].start_bar, stop_bar)]
    beats = (stop_bar - pieces[0].start_bar) * first.numerator
    data = wave_bytes([
        (b"fmt ", format_chunk(first.rate_hz, audio.shape[1], bits)),
        (b"bext", chunks.bext(stamp, measure(audio, first.rate_hz), form)),
        (b"data", encoded(audio, bits)),
        *chunks.cues(bars, pieces[0].start_bar + 1),
        (b"acid", chunks.acid(first.bpm, beats, grid.signature, "", False)),
    ])  # fmt: skip
    put(ready_file(out.absolute()), data)
    return len(audio)
