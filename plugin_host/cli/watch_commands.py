"""`segue watch` and `segue scripts`. A command's docstring is its help; all of them are [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.control.take_rows import WATCH_PORT
from plugin_host.cli import take_commands as shared
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import (
    Bpm,
    Device,
    Precision,
    Prompt,
    Reference,
    RegionBpm,
    Role,
    SecretFile,
    Seed,
    Values,
    Weights,
    values_of,
)
from plugin_host.console.screen import print_line


@guarded
def watch(
    folder: Annotated[Path | None, typer.Argument(help="The folder; by default ~/Segue.")] = None,
    reference: Reference = Role.CONTINUE,
    prompt: Prompt = "",
    bpm: Bpm = None,
    region_bpm: RegionBpm = None,
    signature: shared.Meter = "4/4",
    bars: shared.TakeBars = 0,
    takes: shared.Takes = 1,
    seed: Seed = -1,
    preset: shared.Preset = "",
    values: Values = None,
    format: shared.Kind = shared.Format.WAV,
    bits: shared.BitsOption = shared.Bits.B24,
    rate: shared.Rate = 48_000,
    loop: shared.Loop = False,
    loudness: shared.Loud = "off",
    osc_port: Annotated[
        int, typer.Option(min=-1, max=65535, help="UDP port for orders by DAW scripts; -1: none.")
    ] = WATCH_PORT,
    port: shared.Port = 0,
    secret_file: SecretFile = None,
    model: shared.Model = "embedded",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
    once: Annotated[bool, typer.Option("--once", help="End when takes of all present files are made.")] = False,
) -> None:
    """Watch a folder and make takes of the music in it, until Ctrl-C. DAW scripts order takes here, too.

    \b
    segue watch                                       # ~/Segue, for the DAW scripts
    segue watch ~/loops --bpm 128 --bars 8 --takes 2  # takes of every file put there
    """
    from plugin_host.console.screen import Screen
    from plugin_host.takes.order import TakeOrder
    from plugin_host.takes.place import TakeRegionRequest
    from plugin_host.takes.scripts import default_folder
    from plugin_host.takes.watch import WatchOptions, run_watch

    usual = TakeOrder(
        region=TakeRegionRequest(Path(), reference.value, region_bpm), bpm=bpm, signature=shared.meter_of(signature),
        bars=bars, takes=takes, prompt=prompt, preset=preset, seed=seed, values=values_of(values), rate_hz=rate,
        bits=int(bits.value), kind=format.value, loop=loop, loudness=shared.loudness_of(loudness),
        session=folder or default_folder(),
    )  # fmt: skip
    engine = shared.engine_of(port, secret_file, model, device, precision)
    run_watch(WatchOptions(folder or default_folder(), usual, engine, osc_port, once), Screen())


@guarded
def scripts(
    daw: Annotated[str, typer.Argument(help="ardour or reaper; none: show their folders.")] = "",
    folder: Annotated[Path | None, typer.Option(help="The DAW's script folder, if it is not found.")] = None,
    inbox: Annotated[
        Path | None, typer.Option(help="The folder that `segue watch` watches; by default ~/Segue.")
    ] = None,
) -> None:
    """Install Segue's scripts for Ardour or REAPER; see docs/daw.md.

    \b
    segue scripts ardour
    segue scripts reaper --folder ~/.config/REAPER/Scripts
    """
    from plugin_host.takes.scripts import default_folder, install, where

    if not daw:
        for line in where():
            print_line(line)
        return
    for path in install(daw, folder, inbox or default_folder()):
        print_line(f"  {path}")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line.  [main]"""
    app.command(short_help="Make takes of the files in a folder.")(watch)
    app.command(short_help="Install the scripts for Ardour or REAPER.")(scripts)
