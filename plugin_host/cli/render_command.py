"""`segue render`. Its docstring is its help; see `docs/render.md`. All of it [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin_host.cli.guard import guarded

Session = Annotated[Path, typer.Argument(help="Folder of a lane's journal, or of several.")]
Out = Annotated[Path | None, typer.Option(help="WAV file; by default heard.wav in each lane's folder.")]
Repair = Annotated[
    bool, typer.Option("--repair", help="Where the engine was late, the music as it should have been, no held bars.")
]
Floats = Annotated[bool, typer.Option("--float", help="32-bit floats instead of 24 bits.")]


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line.  [main]"""
    app.command(short_help="Make again what was heard live.")(guarded(render))


def render(session: Session, out: Out = None, repair: Repair = False, as_floats: Floats = False) -> None:
    """Make again, from its journal, what was heard of a live session: the same samples, faster than real time.

    An engine started with --journal FOLDER writes a journal for each lane, whatever plays it: `segue host`, a DAW, Max.

    \b
    segue engine --journal gig
    segue render gig                              # gig/lane-0/heard.wav
    segue render gig --repair                     # gig/lane-0/repaired.wav
    """
    from plugin_host.console.output import ready_file, save_wav
    from plugin_host.console.screen import Screen
    from plugin_host.render.again import lanes_of
    from plugin_host.render.again import render as render_lane

    screen, folders = Screen(), lanes_of(session)
    if out is not None and len(folders) > 1:
        raise typer.BadParameter(
            f"--out names one file, {session} holds {len(folders)} lanes: render one by its folder"
        )
    for folder in folders:
        path = ready_file(out or folder / ("repaired.wav" if repair else "heard.wav"))
        found = render_lane(folder, screen.show, repair)
        screen.show("")
        save_wav(path, found.audio, found.rate_hz, as_floats)
        length = len(found.audio) / found.rate_hz
        held = (found.counters.held_samples + found.counters.muted_samples) / found.rate_hz
        screen.say(f"  {path}")
        screen.say(
            f"      {length:.1f} s in {found.seconds:.1f} s ({length / found.seconds:.1f} times real time)"
            + (f"; {held:.1f} s of it the engine was late, and the bar was held" if held else "")
        )
        if found.ended != "closed":
            screen.say(f"      {found.ended}")
