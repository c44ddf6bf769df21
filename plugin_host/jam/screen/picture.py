"""The rows of a jam's screen, from its state: who plays, what comes next and when, what is sure, the levels.

Small screens have fewer rows, the most important ones. Bars and beats are counted from 1, as musicians do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby

from rich.text import Text

from bridge.system.plain_text import plain
from plugin_host.jam.hands.keys import HELP
from plugin_host.jam.state import SILENT_DB, JamState, Phase

WORDS: dict[Phase, tuple[str, str, str]] = {  # the word, what it means, its colour
    "count in": ("COUNT IN", "get ready", "yellow"),
    "listening": ("LISTENING", "you play", "green"),
    "playing": ("PLAYING", "Segue plays", "magenta"),
    "both": ("BOTH", "you and Segue play", "cyan"),
    "held": ("HELD", "Segue repeats", "blue"),
    "stopped": ("STOPPED", "space starts", "white"),
}
LOWEST_DB, LOUD_DB = -60.0, -6.0  # of the level bars
RING_MS = 2000.0  # of a full bar
BARS_SHOWN = 8
LABEL = 8  # columns before a bar


@dataclass(frozen=True)
class Glyphs:
    """What bars and dots are drawn with."""

    full: str = "█"
    open: str = "░"
    gone: str = "━"
    beat: str = "●"
    rest: str = "○"


UNICODE, ASCII = Glyphs(), Glyphs("#", ".", "-", "*", "o")


@dataclass(frozen=True)
class Shape:
    """The screen: columns and rows, what it can draw, and whether keys are read."""

    columns: int = 80
    rows: int = 24
    glyphs: Glyphs = field(default_factory=Glyphs)
    keys: bool = True


def picture(state: JamState, log: Sequence[str], shape: Shape) -> list[Text]:
    """Rows of at most `columns - 1` characters, at most `rows`; the log's last lines fill what is left.  [any]"""
    wide = shape.columns >= 44
    said = bool(log) and log[-1].endswith(state.message)  # an answer to a press is also the message
    rows = [  # how important, the row
        (1, _head(state, shape)),
        (7, Text()),
        (0, _now(state, shape)),
        (2, _next(state, shape)),
        (8, Text()),
        *((4, row) for row in (_plan(state, shape) if wide else [])),
        (9, Text()),
        (5, _level("you", state.level_in_db, shape)),
        (5, _level("Segue", state.level_out_db, shape)),
        (6, _ring(state, shape)),
        (7, _model(state)),
        (3, _waits(state)),
        (3, Text("" if said else f" {plain(state.message)}", "yellow")),
        (10, Text()),
    ]
    keys = _keys(shape) if shape.keys and shape.rows > 8 else []
    last = 1 if log else 0  # what was said last always has a row
    room = max(shape.rows - len(keys) - last, 1)
    kept = sorted(range(len(rows)), key=lambda at: rows[at][0])[:room]
    shown = [rows[at][1] for at in sorted(kept)]
    left = max(shape.rows - len(keys) - len(shown), 0)
    lines = [_line(line) for line in log[-left:]] if left > 0 else []
    shown += [*lines, *[Text()] * (left - len(lines)), *keys]
    for row in shown:
        row.truncate(max(shape.columns - 1, 1), overflow="crop")
    return shown


def beats_per_bar_text(beats_per_bar: float) -> str:
    """A bar's length as a signature: 4/4, 7/8.  [any]"""
    quarters = Fraction(beats_per_bar).limit_denominator(16)
    return f"{quarters.numerator}/{4 * quarters.denominator}"


def bar_and_beat(state: JamState) -> tuple[int, int]:
    """The bar and the beat of it that sounds, counted from 1; the count-in's bars are 0, -1, ...  [any]"""
    return state.bar + 1, 1 + math.floor(state.beat - state.bar * state.beats_per_bar + 1e-6)


def time_to_change(state: JamState) -> str:
    """ "2 bars 1 beat" until the plan's next change; "" if none is planned.  [any]"""
    if state.beats_to_change <= 0:
        return ""
    bars, beats = divmod(state.beats_to_change, state.beats_per_bar)
    whole = math.ceil(beats - 1e-6)
    if whole >= state.beats_per_bar:
        bars, whole = bars + 1, 0
    words = [f"{n:.0f} {word}{'s' if n != 1 else ''}" for n, word in ((bars, "bar"), (whole, "beat")) if n]
    return " ".join(words)


def change_bar(state: JamState) -> int:
    """The bar of the plan's next change, counted from 1.  [any]"""
    return 1 + round((state.beat + state.beats_to_change) / state.beats_per_bar)


def _head(state: JamState, shape: Shape) -> Text:
    bar, beat = bar_and_beat(state)
    place = f"bar {bar}.{beat}" if state.state != "count in" else "count in"
    left = Text.assemble((" segue jam  ", "dim"), (state.mode, "bold"))
    right = f"{state.bpm:g} bpm  {beats_per_bar_text(state.beats_per_bar)}  {place}"
    if left.cell_len + len(right) + 2 > shape.columns:
        right = place
    space = max(shape.columns - 2 - left.cell_len - len(right), 1)
    return Text.assemble(left, " " * space, (right, "bold"))


def _now(state: JamState, shape: Shape) -> Text:
    """The beats of the bar as dots, and who plays."""
    word, meaning, colour = WORDS[state.state]
    beat, beats = bar_and_beat(state)[1], math.ceil(state.beats_per_bar)
    dots = shape.glyphs.beat * min(beat, beats) + shape.glyphs.rest * max(beats - beat, 0)
    return Text.assemble(" ", (f"{dots:<{LABEL - 2}} ", f"bold {colour}"), (f" {word} ", f"bold reverse {colour}"),
                         (f"  {meaning}", colour))  # fmt: skip


def _next(state: JamState, shape: Shape) -> Text:
    if not (time := time_to_change(state)):
        return Text()
    word, _, colour = WORDS[state.next_state]
    place = f", at bar {change_bar(state)}" if shape.columns >= 48 else ""
    return Text.assemble(" " * LABEL, (f" {word.lower()} ", f"bold {colour}"), f"in {time}{place}")


def _plan(state: JamState, shape: Shape) -> list[Text]:
    """The bars to come: gone, sure and open parts, in the colour of who plays."""
    count = min(BARS_SHOWN, (shape.columns - 1 - LABEL) // 6)
    width = (shape.columns - 1 - LABEL) // count
    change = state.beat + state.beats_to_change if state.beats_to_change > 0 else math.inf
    numbers, cells, names = Text(" bar".ljust(LABEL), "dim"), Text.assemble(_label("plan")), Text(" " * LABEL)
    shown: Phase | None = None
    for bar in range(state.bar, state.bar + count):
        numbers.append(f"{bar + 1}".ljust(width))
        beats = [(bar + (column + 0.5) / (width - 1)) * state.beats_per_bar for column in range(width - 1)]
        for phase, run in groupby(beats, lambda beat: state.next_state if beat >= change else state.state):
            word, _, colour = WORDS[phase]
            if phase != shown and names.cell_len <= cells.cell_len:
                names.append(" " * (cells.cell_len - names.cell_len))
                names.append(f"{word.lower()} ", colour)
                shown = phase
            cells.append("".join(_cell(beat, state, shape.glyphs) for beat in run), colour)
        cells.append(" ")
    sure = f"  {shape.glyphs.full} sure  {shape.glyphs.open} may change"
    if names.cell_len + len(sure) < shape.columns - 1:
        names.append(" " * (shape.columns - 1 - len(sure) - names.cell_len))
        names.append(sure, "dim")
    return [numbers, cells, names]


def _cell(beat: float, state: JamState, glyphs: Glyphs) -> str:
    if beat < state.beat:
        return glyphs.gone
    return glyphs.full if beat < state.committed_until_beat else glyphs.open


def _label(name: str) -> tuple[str, str]:
    return f" {name}".ljust(LABEL), "dim"


def _bar(part: float, shape: Shape, colour: str) -> Text:
    width = max(min(shape.columns - LABEL - 24, 24), 6)
    full = round(max(0.0, min(part, 1.0)) * width)
    return Text.assemble((shape.glyphs.full * full, colour), (shape.glyphs.open * (width - full), "dim"))


def _level(name: str, level_db: float, shape: Shape) -> Text:
    told = "silent" if level_db <= SILENT_DB else f"{level_db:.0f} dB"
    colour = "red" if level_db > LOUD_DB else "green"
    return Text.assemble(_label(name), _bar(1 - level_db / LOWEST_DB, shape, colour), f"  {told}")


def _ring(state: JamState, shape: Shape) -> Text:
    beats = state.ring_fill_ms / 60_000 * state.bpm
    told = f"  {state.ring_fill_ms:.0f} ms, {beats:.1f} beats"
    return Text.assemble(_label("ahead"), _bar(state.ring_fill_ms / RING_MS, shape, "cyan"), told)


def _model(state: JamState) -> Text:
    if state.generation_ms_p95 <= 0:
        return Text()
    every = f"{state.listen_every_bars} bars" if state.listen_every_bars != 1 else "bar"
    told = f"an answer takes {state.generation_ms_p95:.0f} ms; listens every {every}"
    return Text.assemble(_label("model"), told)


def _waits(state: JamState) -> Text:
    waits = [f"{press.verb.replace('_', ' ')} at bar {1 + round(press.at_beat / state.beats_per_bar)}"
             for press in state.pending]  # fmt: skip
    label = _label("waits") if waits else ""
    return Text.assemble(label, (", ".join(waits), "bold yellow"))


def _line(text: str) -> Text:
    return Text(f" {plain(text)}")


def _keys(shape: Shape) -> list[Text]:
    """What the keys do; in short words where two rows do not hold it."""
    short = [(key.split()[-1], words.split()[0].split("/")[0]) for key, words in HELP]
    rows = _wrapped(HELP, "  ", shape)
    if len(rows) > (2 if shape.rows >= 20 else 1):
        rows = _wrapped(short, " ", shape)
    return rows[: 2 if shape.rows >= 14 else 1]


def _wrapped(words: Sequence[tuple[str, str]], space: str, shape: Shape) -> list[Text]:
    rows = [Text()]
    for key, meaning in words:
        if rows[-1].cell_len + len(key) + len(meaning) + 3 > shape.columns:
            rows.append(Text())
        rows[-1].append(f" {key}", "bold")
        rows[-1].append(f" {meaning}{space[1:]}", "dim")
    return rows
