"""`segue take`, `open` and `export`, and their shared options. Docstrings are help; commands are [main]."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import (
    Bpm,
    Device,
    Precision,
    Prompt,
    Reference,
    Region,
    RegionBpm,
    Role,
    SecretFile,
    Seed,
    Values,
    Weights,
    values_of,
)

OUT = Path("segue-takes")


class Format(StrEnum):
    """Kinds of files."""

    WAV = "wav"
    FLAC = "flac"


class Bits(StrEnum):
    """Sizes of samples."""

    B16 = "16"
    B24 = "24"
    B32 = "32"


Port = Annotated[int, typer.Option(min=0, max=65535, help="UDP port of a running engine; 0: start one.")]
Model = Annotated[str, typer.Option(help="Model of the started engine: embedded, melody, style, ... or a folder.")]
Out = Annotated[Path, typer.Option(help="Folder for the takes.")]
Takes = Annotated[int, typer.Option(min=1, max=100, help="How many takes, each with its own seed.")]
Meter = Annotated[str, typer.Option(help="Time signature, like 4/4 or 7/8.")]
TakeBars = Annotated[int, typer.Option(min=0, max=1000, help="How many bars; 0: as many as the region, or 8.")]
Rate = Annotated[int, typer.Option(min=8000, max=192_000, help="Sample rate in Hz.")]
Kind = Annotated[Format, typer.Option("--format", help="Kind of file: wav or flac.")]
BitsOption = Annotated[Bits, typer.Option(help="Bits of a sample: 16, 24 or 32 (float).")]
Loop = Annotated[bool, typer.Option("--loop", help="Make loops: the end leads back to the beginning.")]
Loud = Annotated[str, typer.Option(help="Level: off (unchanged), peak (-1 dB), or a loudness like -16 (LUFS).")]
Preset = Annotated[str, typer.Option(help="A named set of values, like night-bus; docs/osc.md lists all.")]
SessionFolder = Annotated[
    Path | None, typer.Option(help="The session whose history gets the takes; by default the folder --out.")
]


TAKE_EXAMPLES = """\b
segue take --region riff.wav --bpm 96 --bars 8 --takes 4 --out takes
segue take --region part.wav --reference melody --loop --loudness -16
"""


def meter_of(text: str) -> Any:
    """A signature like 7/8.  [main]"""
    from bridge.time.units import Signature

    try:
        return Signature(*(int(part) for part in text.split("/")))
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(f"--signature {text}: {error}") from None


def loudness_of(text: str) -> str:
    """A loudness option, checked.  [main]"""
    from plugin_host.takes.loudness import check_request

    try:
        return check_request(text)
    except ValueError:
        raise typer.BadParameter(f"--loudness {text}: off, peak, or -60 to 0 (LUFS)") from None


def engine_of(port: int, secret_file: Path | None, model: str, device: str, precision: Weights) -> Any:
    """The engine of these options.  [main]"""
    from plugin_host.takes.engines import EngineRequest

    try:
        secret = secret_file.read_text("utf-8").strip() if secret_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--secret-file: {error}") from None
    return EngineRequest(port, secret, model, device, precision.value)


def region_of(path: Path | None, reference: Role, own_bpm: float | None, start_beats: float | None) -> Any:
    """The region of these options; None if there is none.  [main]"""
    from plugin_host.takes.place import TakeRegionRequest

    return TakeRegionRequest(path, reference.value, own_bpm, start_beats) if path else None


@guarded
@reaches_engine
def take(
    region: Region = None,
    region_bpm: RegionBpm = None,
    reference: Reference = Role.CONTINUE,
    prompt: Prompt = "",
    bpm: Bpm = None,
    signature: Meter = "4/4",
    bars: TakeBars = 0,
    at: Annotated[int, typer.Option(min=0, help="The region's first bar in the song, from 1; 0: not given.")] = 0,
    takes: Takes = 1,
    seed: Seed = -1,
    preset: Preset = "",
    values: Values = None,
    out: Out = OUT,
    name: Annotated[str, typer.Option(help="File name; by default made of prompt, tempo, key and seed.")] = "",
    format: Kind = Format.WAV,
    bits: BitsOption = Bits.B24,
    rate: Rate = 48_000,
    loop: Loop = False,
    loudness: Loud = "off",
    key: Annotated[str, typer.Option(help="Key for the file's metadata, like Am.")] = "",
    session: SessionFolder = None,
    dawproject: Annotated[Path | None, typer.Option(help="Also write all takes as one DAWproject file.")] = None,
    port: Port = 0,
    secret_file: SecretFile = None,
    model: Model = "embedded",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
) -> None:
    """Make takes: files of an exact number of bars, with tempo, position and recipe inside, as fast as possible."""
    from plugin_host.console.screen import Screen
    from plugin_host.takes.dawproject import export as export_project
    from plugin_host.takes.engines import hot_engine
    from plugin_host.takes.names import words
    from plugin_host.takes.order import TakeOrder, fill, looked_at

    meter = meter_of(signature)
    order = TakeOrder(
        region=region_of(region, reference, region_bpm, float((at - 1) * meter.beats_per_bar) if at else None),
        bpm=bpm, signature=meter, bars=bars, start_bar=at - 1 if at and not region else None,
        takes=takes, prompt=prompt, preset=preset, seed=seed, values=values_of(values), rate_hz=rate,
        bits=int(bits.value), kind=format.value, loop=loop, loudness=loudness_of(loudness), key=key,
        name=words(name) if name else "", session=session or out,
    )  # fmt: skip
    screen = Screen()
    recipe = looked_at(order, screen.say, out)
    with hot_engine(engine_of(port, secret_file, model, device, precision), screen.say) as engine:
        made = fill(order, engine, out, screen.say, screen.show, recipe)
    if dawproject is not None:
        export_project(made, dawproject, screen.say)


@guarded
@reaches_engine
def reopen(
    file: Annotated[Path, typer.Argument(help="A take: WAV or FLAC.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results; by default beside the file.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the recipe and make nothing.")] = False,
    seed: Annotated[int | None, typer.Option(min=-1, max=2**24 - 1, help="A different seed.")] = None,
    bars: Annotated[int | None, typer.Option(min=1, max=1000, help="A different number of bars.")] = None,
    prompt: Annotated[str | None, typer.Option(help="A different prompt.")] = None,
    format: Annotated[Format | None, typer.Option("--format", help="A different kind of file.")] = None,
    port: Port = 0,
    secret_file: SecretFile = None,
    model: Annotated[str, typer.Option(help="A different model; required if the take's model was a folder.")] = "",
    device: Device = "auto",
    precision: Annotated[
        Weights | None, typer.Option(help="Precision of the model's weights; by default the take's.")
    ] = None,
) -> None:
    """Make a take again from the recipe inside it and compare the two; or vary it.

    \b
    segue open take.wav --show       # shows the recipe
    segue open take.wav              # makes it again beside the file
    segue open take.wav --seed 12    # the same with another seed
    """
    from plugin_host.console.screen import Screen
    from plugin_host.takes.errors import TakeError
    from plugin_host.takes.reopen import Variation, describe, make_again
    from plugin_host.takes.take import read_take

    found, screen = read_take(file), Screen()
    for line in describe(found.recipe):
        screen.say(line)
    if show:
        return
    varied = Variation(seed, bars, prompt)
    kind = format.value if format else file.suffix.lstrip(".").lower()
    weights = precision or Weights(found.recipe.model.precision)
    if not (model or port or found.recipe.model_is_named):
        raise TakeError(
            f"it was made with a model in a folder; say --model {found.recipe.model.name!r} if you trust it"
        )
    request = engine_of(port, secret_file, model or found.recipe.model.name, device, weights)
    make_again(found, varied, request, out or file.absolute().parent, kind, screen)


@guarded
def export(
    takes: Annotated[list[Path], typer.Argument(help="Takes: WAV or FLAC files that Segue made.")],
    out: Annotated[Path, typer.Option(help="The project to write.")] = Path("segue.dawproject"),
) -> None:
    """Write takes as one DAWproject: a track for each, clips on their bars, tempo and markers, audio inside.

    \b
    segue export takes/*.wav --out song.dawproject
    """
    from plugin_host.console.screen import Screen
    from plugin_host.takes.dawproject import export as write

    write(takes, out, Screen().say)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line.  [main]"""
    app.command(short_help="Make takes: files for your DAW, of an exact number of bars.", epilog=TAKE_EXAMPLES)(take)
    app.command("open", short_help="Make a take again from the recipe inside it.")(reopen)
    app.command(short_help="Write takes as one DAWproject.")(export)
