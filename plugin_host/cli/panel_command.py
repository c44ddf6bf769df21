"""`segue panel`. The docstring is its help; [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.control.jam_rows import JAM_PORT
from bridge.control.midi_rows import MIDI_PORT
from bridge.control.take_rows import WATCH_PORT
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import Device, EnginePort, Precision, SecretFile, Weights
from plugin_host.cli.take_commands import Model, engine_of

PanelPort = Annotated[int, typer.Option(min=0, max=65535, help="TCP port of the page; 0: a free one.")]
Session = Annotated[Path | None, typer.Option(help="Folder of the takes; by default ~/Segue.")]
WatchPort = Annotated[int, typer.Option(min=1, max=65535, help="UDP port of `segue watch`, started if none answers.")]
JamPort = Annotated[int, typer.Option(min=1, max=65535, help="UDP port of the jam.")]
MidiOscPort = Annotated[int, typer.Option(min=1, max=65535, help="UDP port of the MIDI map.")]
Start = Annotated[bool, typer.Option("--start/--no-engine", help="Start an engine if none answers at --port.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")]
Lan = Annotated[bool, typer.Option("--lan", help="Also for devices in this network; shows addresses and codes.")]


@guarded
@reaches_engine
def panel(
    panel_port: PanelPort = 9650,
    session: Session = None,
    port: EnginePort = 9600,
    start: Start = True,
    browser: Browser = True,
    lan: Lan = False,
    watch_port: WatchPort = WATCH_PORT,
    jam_port: JamPort = JAM_PORT,
    midi_port: MidiOscPort = MIDI_PORT,
    secret_file: SecretFile = None,
    model: Model = "embedded",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
) -> None:
    """Show and play a running engine in the browser, or start one. The page is for this machine only, unless --lan.

    \b
    segue panel
    segue panel --lan              # a tablet on the stand: scan the code under Share
    segue panel --model melody     # if it starts the engine
    """
    from plugin_host.console.screen import print_line
    from plugin_host.panel.run import PanelOptions, run_panel
    from plugin_host.takes.scripts import default_folder

    engine = engine_of(port, secret_file, model, device, precision)
    options = PanelOptions(
        engine=engine, secret_file=secret_file, port=panel_port, session=session or default_folder(),
        watch_port=watch_port, jam_port=jam_port, midi_port=midi_port, start=start, browser=browser, lan=lan,
    )  # fmt: skip
    run_panel(options, print_line)


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line.  [main]"""
    app.command(short_help="Show and play the engine in your browser.")(panel)
