"""`segue watch` and `segue scripts`. A command's docstring is its help; all of them are [main]."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bridge.control.take_rows import WATCH_PORT
from plugin_host.cli import take_commands as shared
from plugin_host.cli.far_engine import reaches_engine
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
@reaches_engine
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
    program: Annotated[
        str, typer.Argument(help="ardour, reaper, pd, max, supercollider or sonic-pi; none: show their folders.")
    ] = "",
    folder: Annotated[Path | None, typer.Option(help="The program's folder, if it is not found.")] = None,
    inbox: Annotated[
        Path | None, typer.Option(help="The folder that `segue watch` watches; by default ~/Segue.")
    ] = None,
) -> None:
    """Install what Segue has for a program where the program looks for it: scripts for Ardour and REAPER, objects for
    Pd and Max, classes for SuperCollider, functions for Sonic Pi.

    \b
    segue scripts ardour
    segue scripts pd
    segue scripts reaper --folder ~/.config/REAPER/Scripts
    """
    from plugin_host.patches import packages
    from plugin_host.takes import scripts as daw_scripts

    if not program:
        for line in (*daw_scripts.where(), *packages.where()):
            print_line(line)
    elif program in packages.PACKAGES:
        written, following = packages.install(program, folder)
        print_line(f"{len(written)} files in {os.path.commonpath([path.parent for path in written])}")
        for line in following:
            print_line(line)
    else:
        for path in daw_scripts.install(program, folder, inbox or daw_scripts.default_folder()):
            print_line(f"  {path}")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line.  [main]"""
    app.command(short_help="Make takes of the files in a folder.")(watch)
    app.command(short_help="Install what Segue has for Ardour, REAPER, Pd, Max, SuperCollider, Sonic Pi.")(scripts)
