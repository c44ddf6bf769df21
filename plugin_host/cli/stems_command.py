"""`segue stems`. A command's docstring is its help; all of it is [main]."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from plugin_host.cli import take_commands as shared
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import (
    Bpm,
    Device,
    Precision,
    Prompt,
    RegionBpm,
    Role,
    SecretFile,
    Seed,
    Values,
    Weights,
    values_of,
)

OUT = Path("segue-stems")
STEMS_EXAMPLES = """\b
segue stems verse.wav --lanes drums,bass,keys --bars 8 --bpm 96 --variations 4 --seed 7 --out verse-stems
segue stems riff.wav --lanes "drums,bass,keys=electric piano" --prompt "warm lofi"
"""


class Levels(StrEnum):
    """Whether the levels of stems are guarded."""

    GUARDED = "guarded"
    FREE = "free"


@guarded
@reaches_engine
def stems(
    region: Annotated[
        Path, typer.Argument(help="Your music: a sound file, or a region of the package by name.", show_default=False)
    ],
    lanes: Annotated[
        str,
        typer.Option(help="Lanes, of drums, bass, keys, guitar, strings, winds, lead, pads; NAME=WORDS for own words."),
    ] = "drums,bass,keys",
    reference: Annotated[Role, typer.Option(help="Follow the region's melody, sound like it, or continue it.")] = (
        Role.MELODY
    ),
    prompt: Prompt = "",
    bpm: Bpm = None,
    region_bpm: RegionBpm = None,
    signature: shared.Meter = "4/4",
    bars: shared.TakeBars = 0,
    at: Annotated[int, typer.Option(min=0, help="The region's first bar in the song, from 1; 0: not given.")] = 0,
    variations: Annotated[int, typer.Option(min=1, max=32, help="How many variations, each with its own seed.")] = 4,
    seed: Seed = -1,
    preset: shared.Preset = "",
    values: Values = None,
    out: Annotated[Path, typer.Option(help="Folder for the stems.")] = OUT,
    format: shared.Kind = shared.Format.WAV,
    bits: shared.BitsOption = shared.Bits.B24,
    rate: shared.Rate = 48_000,
    loop: shared.Loop = False,
    levels: Annotated[
        Levels, typer.Option(help="guarded: no stem is 20 dB below another; free: as they are made.")
    ] = Levels.GUARDED,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="How many variations are made at once.")] = 4,
    port: shared.Port = 0,
    secret_file: SecretFile = None,
    model: shared.Model = "embedded",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
) -> None:
    """Make stems that belong together: drums, bass, keys and more on the bars of your region, in its key.

    Writes OUT/1/drums.wav ... OUT/1/mix.wav, stems.dawproject (a group for each variation), index.html (figures,
    pictures and players) and stems.json. Ctrl-C stops; what is made stays, and the same command goes on from there.
    """
    meter = shared.meter_of(signature)
    start_beats = float((at - 1) * meter.beats_per_bar) if at else None
    take = {
        "region": shared.region_of(region, reference, region_bpm, start_beats),
        "bpm": bpm, "signature": meter, "bars": bars, "prompt": prompt, "preset": preset, "seed": seed,
        "values": values_of(values), "rate_hz": rate, "bits": int(bits.value), "kind": format.value, "loop": loop,
    }  # fmt: skip
    engine = shared.engine_of(port, secret_file, model, device, precision)
    _make(take, lanes, variations, levels is Levels.GUARDED, at_once, out, engine)


def _make(
    take: dict[str, Any], lanes: str, variations: int, guarded: bool, at_once: int, out: Path, engine: Any
) -> None:
    from plugin_host.console.screen import Screen
    from plugin_host.takes.engines import hot_engine
    from plugin_host.takes.order import TakeOrder, looked_at
    from plugin_host.takes.stems.lanes import read_lanes
    from plugin_host.takes.stems.order import StemsOrder
    from plugin_host.takes.stems.run import make_stems

    screen = Screen()
    order = StemsOrder(TakeOrder(**take, session=out), read_lanes(lanes), variations, guarded, at_once)
    base = looked_at(order.take, screen.say, out)
    with hot_engine(engine, screen.say) as hot:
        folder = make_stems(order, hot, out, screen.say, screen.show, base=base)
    screen.say(f"  {folder / 'index.html'}")


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line.  [main]"""
    app.command(short_help="Make stems that belong together.", epilog=STEMS_EXAMPLES)(stems)
