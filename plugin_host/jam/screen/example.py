"""The picture of the screen for the documentation: `python -m plugin_host.jam.screen.example docs/jam.svg`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from plugin_host.console.output import put
from plugin_host.jam.screen.picture import Shape, picture
from plugin_host.jam.state import JamState, PendingPress

STATE = JamState(
    mode="trade", state="listening", next_state="playing", beats_to_change=6.5, bar=12, beat=49.5, bpm=96,
    beats_per_bar=4.0, level_in_db=-14.0, level_out_db=-42.0, ring_fill_ms=640.0, committed_until_beat=56.0,
    pending=(PendingPress("hold", 64.0),), listen_every_bars=2, generation_ms_p95=410.0,
)  # fmt: skip
LOG = (
    "recording into jam-3",
    "take over, at bar 9",
    "no: too late to cancel: take over is committed",
    "hold, at bar 17",
)
_FONTS = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def example_svg() -> str:
    """An SVG picture of the screen at 80 by 24; it loads nothing from elsewhere.  [any]"""
    shape = Shape()
    console = Console(record=True, width=shape.columns, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for row in picture(STATE, LOG, shape):
        console.print(row, no_wrap=True)
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="segue jam", code_format=form, unique_id="jam")
    return re.sub(r"[ \t]+\n", "\n", svg.replace("Fira Code", _FONTS))


if __name__ == "__main__":
    put(Path(sys.argv[1]), example_svg())
