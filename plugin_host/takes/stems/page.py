"""`index.html`: the contact sheet of stems; it works from the disk, without a server and without a network. [main]

variation, best first:  score | mix: outline, player
    lane: outline, player | purity | beat | key | level | silence | repeats | how it was made
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from bridge.system.plain_text import plain
from plugin_host.console.output import put
from plugin_host.takes.stems.figures import SILENT_DB, Figures
from plugin_host.takes.stems.lanes import MIX
from plugin_host.takes.stems.page_text import CANNOT, HEAD, LEGEND, SCRIPT
from plugin_host.takes.stems.state import State, StemRow

NAME = "index.html"
WIDE, HIGH = 480, 48
PURE, MIXED = 0.8, 0.5  # from here on a stem is marked as pure, below as a mix of instruments


def write(folder: Path, state: State, kind: str) -> None:
    """Write the page beside the stems; OutputError."""
    put(folder / NAME, page(state, kind))


def page(state: State, kind: str) -> str:
    """The page of a state; `kind` is the files' ending."""
    numbers = sorted({row.variation for row in state.rows})
    order = [*state.ranks, *(number for number in numbers if number not in state.ranks)]
    body = "\n".join(_variation(state, number, kind) for number in order)
    about = state.about
    title = f"Stems: {_text(about['region'] or about['prompt'] or 'Segue')}"
    by_name = all(row.how == "by name" for row in state.rows)
    limits = "" if by_name else f'<p class="limits">{CANNOT}</p>'
    facts = (
        f"{about['bpm']:g} bpm, {about['numerator']}/{about['denominator']}, {about['bars']} bars from bar "
        f"{int(str(about['start_bar'])) + 1}; seed {state.seed}; model {_text(about['model'])}; "
        f"{about['done']} of {about['total']} stems, {state.state}"
    )
    words = f"<p>Prompt: {_text(about['prompt'])}</p>" if about["prompt"] else ""
    head = HEAD.replace("TITLE", title)
    return (f"{head}<h1>{title}</h1>\n<p>{facts}</p>\n{words}<p>How: {_text(about['way'])}.</p>\n"
            f"{limits}\n{body}\n{LEGEND}\n{SCRIPT}</body></html>\n")  # fmt: skip


def _variation(state: State, number: int, kind: str) -> str:
    rows = [row for row in state.rows if row.variation == number]
    place = f"rank {state.ranks.index(number) + 1}, score {state.scores[number]:.2f}" if number in state.ranks else (
        "not complete")  # fmt: skip
    mix = ""
    if number in state.mixes:
        sound = _sound(f"{number}/{MIX}.{kind}", state.mixes[number])
        mix = f"<tr class=mix><th>mix</th><td>{sound}</td><td colspan=8></td></tr>"
    heads = "".join(f"<th>{name}</th>" for name in ("lane", "", "purity", "beat", "key", "level", "silence", "repeats",
                                                     "score", "made"))  # fmt: skip
    return (f'<section><h2>Variation {number} <small>{place}</small></h2>\n<table><tr>{heads}</tr>{mix}'
            f'{"".join(map(_row, rows))}</table></section>')  # fmt: skip


def _row(row: StemRow) -> str:
    cells = "".join(f"<td>{cell}</td>" for cell in _cells(row.figures))
    note = f"<br><small>{_text(row.note)}</small>" if row.note else ""
    return (f"<tr><th>{_text(row.lane)}</th><td>{_sound(row.file, row.outline)}</td>{cells}"
            f"<td>{_figure(row.score)}</td><td>{_text(row.how)}{note}</td></tr>\n")  # fmt: skip


def _cells(figures: Figures) -> list[str]:
    if figures.level_db <= SILENT_DB:
        return ["silent", "", "", f"{figures.level_db:.0f} dB", "100 %", ""]
    mark = "pure" if figures.purity >= PURE else "mixed" if figures.purity < MIXED else "half"
    share = f'<meter min=0 max=1 value="{figures.purity:.3f}"></meter>' if math.isfinite(figures.purity) else ""
    beat = f"{figures.late_ms:+.0f} ms<br><small>clarity {figures.clarity:.2f}</small>"
    return [f'<span class={mark}>{_share(figures.purity)}</span><br>{share}',
            beat if math.isfinite(figures.late_ms) else "", _share(figures.key), f"{figures.level_db:.1f} dB",
            _share(figures.silence), _share(figures.repeats)]  # fmt: skip


def figures_words(figures: Figures) -> str:
    """A stem's figures in one line."""
    if figures.level_db <= SILENT_DB:
        return f"silent ({figures.level_db:.0f} dB)"
    named = (("purity", _share(figures.purity)), ("key", _share(figures.key)), ("silent bars", _share(figures.silence)),
             ("repeated bars", _share(figures.repeats)))  # fmt: skip
    beat = f"beat {figures.late_ms:+.0f} ms, clarity {figures.clarity:.2f}" if math.isfinite(figures.late_ms) else ""
    shown = [f"{name} {value}" for name, value in named if value]
    return ", ".join(filter(None, (*shown, beat, f"{figures.level_db:.1f} dB")))


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if math.isfinite(value) else ""


def _figure(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else ""


def _text(value: object) -> str:
    return escape(plain(str(value)))


def _sound(file: str, outline: Sequence[float]) -> str:
    """An outline, and a player of a file beside the page."""
    step, middle = WIDE / max(len(outline), 1), HIGH / 2
    upper = [f"{at * step:.1f},{middle - height * middle:.1f}" for at, height in enumerate(outline)]
    lower = [f"{at * step:.1f},{middle + height * middle:.1f}" for at, height in enumerate(outline)]
    shape = " ".join([*upper, *reversed(lower)])
    picture = f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none"><polygon points="{shape}"/></svg>'
    return f'{picture}<audio controls preload="none" src="{quote(file)}"></audio>'
