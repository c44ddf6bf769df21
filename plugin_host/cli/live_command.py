"""`segue takes live`: what was played live becomes takes. Its docstring is its help. All of it [main]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from plugin_host.cli import take_commands as shared
from plugin_host.cli.guard import guarded
from plugin_host.console.screen import Screen, print_line

Journal = Annotated[Path, typer.Argument(help="Folder of a lane's journal, or of several.")]
Last = Annotated[int, typer.Option(min=1, max=1000, help="The last so many bars that have music.")]
Bars = Annotated[str, typer.Option(help="These bars of the host instead, like 9-16.")]
Repair = Annotated[bool, typer.Option("--repair", help="Where the engine was late, the music as it should have been.")]
Lane = Annotated[str, typer.Option(help="Their lane, like drums; by default lane-0, lane-1, ...")]
Session = Annotated[Path, typer.Option("--session", "-s", help="The session's folder; a new one if there is none.")]


def add_to(takes: typer.Typer) -> None:
    """Add the command to `segue takes`.  [main]"""
    takes.command(short_help="Make bars that were played live a take.")(guarded(live))


def live(
    journal: Journal,
    last: Last = 8,
    bars: Bars = "",
    repair: Repair = False,
    lane: Lane = "",
    bits: shared.BitsOption = shared.Bits.B24,
    session: Session = shared.OUT,
) -> None:
    """Make bars that were played live takes of the session, from the journal of `segue engine --journal FOLDER`.

    The engine may still be playing. Each lane's bars are a take, and the head moves to the first.

    \b
    segue takes live gig --last 8
    segue takes live gig/lane-1 --bars 33-40 --session song
    """
    from plugin_host.takes.live import LiveOrder, add_live
    from plugin_host.takes.tell import line_of

    start, stop = _span(bars)
    order = LiveOrder(start, stop, last, int(bits.value), repair, lane)
    for node in add_live(session, journal, order, Screen().show):
        print_line(line_of(node))


def _span(text: str) -> tuple[int, int]:
    """Bars 9-16, counted from 1, as the first (from 0) and the one behind the last; (0, 0) for an empty text."""
    if not text:
        return 0, 0
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise typer.BadParameter(f"--bars {text}: bars are given like 9-16, or 9 for one; the first bar is 1")
    return first - 1, last
