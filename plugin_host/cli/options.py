"""Options that commands of `segue` share, and their values."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bridge.control.morph_rows import WEIGHT_MAX
from bridge.control.rows import PROMPTS_MAX

EPILOG = (
    "Exit codes: 0 done; 1 fault, or doctor found the demo cannot run; 2 wrong option; 3 no engine, or it "
    "failed; 4 region unusable; 5 no sound card; 6 result not writable; 130 Ctrl-C; 143 SIGTERM."
)


class Role(StrEnum):
    """What a region is used for."""

    CONTINUE = "continue"
    MELODY = "melody"
    STYLE = "style"


class Weights(StrEnum):
    """The precision of a model's weights."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"
    INT4 = "int4"


class Who(StrEnum):
    """The leader that a host follows."""

    AUTO = "auto"
    OWN = "own"
    MIDI = "midi"
    JACK = "jack"
    LINK = "link"
    OSC = "osc"


Bpm = Annotated[float | None, typer.Option(min=20, max=999, help="The song's tempo; without it the region's own.")]
RegionBpm = Annotated[
    float | None,
    typer.Option(min=20, max=999, help="The region's own tempo, if its file, name, length or sound give another."),
]
Bars = Annotated[int, typer.Option(min=1, max=1000, help="How many bars Segue plays.")]
Prompt = Annotated[str, typer.Option(help="A description of the music: 'warm lofi piano'.")]
Mix = Annotated[
    list[str] | None,
    typer.Option(
        "--mix",
        metavar="TEXT=WEIGHT",
        help="A prompt and its weight, instead of --prompt; up to eight: --mix pads=0.3 --mix house=0.7",
    ),
]
MorphBeats = Annotated[
    float,
    typer.Option("--morph", min=0, max=100_000, help="With --mix: begin with the first, then glide; in beats."),
]
Seed = Annotated[int, typer.Option(min=-1, max=2**24 - 1, help="Same seed, same music; -1 draws one.")]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A lane's parameter, more than once: --set temperature=1.2 --set cfg=4",
    ),
]
Region = Annotated[
    Path | None,
    typer.Option(help="Your music: a WAV, FLAC, AIFF, OGG or MP3 file; or a region of the package by name."),
]
Reference = Annotated[Role, typer.Option(help="Continue the region, follow its melody, or sound like it.")]
Device = Annotated[str, typer.Option(help="The model's device: cpu, cuda, cuda:1, mps; auto: a GPU if there is one.")]
Precision = Annotated[Weights, typer.Option(help="Precision of the model's weights; auto: what suits the device.")]
SoundDevice = Annotated[str, typer.Option(help="Sound card, by name or number as `segue doctor` lists them.")]

EnginePort = Annotated[int, typer.Option(min=1, max=65535, help="UDP port of the engine.")]
SecretFile = Annotated[Path | None, typer.Option(help="File with the secret of an engine that requires one.")]

SyncMode = Annotated[
    Who,
    typer.Option(help="The leader to follow; auto: JACK, else MIDI clock, else OSC, else its own clock."),
]
MidiIn = Annotated[
    str, typer.Option(help="MIDI port for clock and taps, by part of its name; virtual:NAME creates one.")
]
MidiClockOut = Annotated[str, typer.Option(help="MIDI port for Segue's clock; virtual:NAME creates one.")]
TapNote = Annotated[int, typer.Option(min=-1, max=127, help="Number of the note on --midi-in that taps the tempo.")]
Lanes = Annotated[
    int, typer.Option(min=1, max=8, help="How many lanes play at once; with JACK each has its own ports.")
]
Midi = Annotated[
    str, typer.Option(help="MIDI port of a controller that plays Segue, by part of its name; virtual:NAME creates one.")
]
MidiMapFile = Annotated[
    Path | None, typer.Option("--midi-map", "--map", help="File that maps its controls; by default what was learned.")
]
Controller = tuple[str, Path | None]  # port and map
LinkOut = Annotated[bool, typer.Option("--link-out", help="Lead an Ableton Link session; sends to the local network.")]
SyncBench = Annotated[bool, typer.Option("--sync", help="Measure the distance from the beat instead.")]
SyncMinutes = Annotated[
    float,
    typer.Option(min=0.2, max=600, help="With --sync: minutes under load; with --jam: of a jam; with --stems: live."),
]
SyncTempi = Annotated[str, typer.Option(help="With --sync: tempos in bpm, like 93.7,128.")]
SyncSeconds = Annotated[float, typer.Option(min=10, max=3600, help="With --sync: seconds of music at each tempo.")]
SyncOnly = Annotated[
    str,
    typer.Option(
        help="With --sync: only these of tempi,loops,changes,loop,stall,kill,control,dial,steer,weights,holes; with "
        "--jam: of latency,trade,accompany,leak,room,offline,kill; with --stems: of batch,kill,live."
    ),
]
MidiBench = Annotated[
    bool, typer.Option("--midi", help="Measure the time from a control change to its parameter instead.")
]
JamBench = Annotated[bool, typer.Option("--jam", help="Measure jams instead; needs JACK.")]
FarBench = Annotated[
    bool, typer.Option("--far", help="Measure a relay over a bad network instead; needs Linux and root.")
]
TrustBench = Annotated[bool, typer.Option("--trust", help="Count what Segue withstands instead; Linux.")]
TrustRows = Annotated[str, typer.Option("--rows", help="With --trust: only these rows, like 4,12.")]
TrustLong = Annotated[bool, typer.Option("--long", help="With --trust: the full counts, about an hour.")]
TrustShort = Annotated[bool, typer.Option("--short", help="With --trust: rows without a clock, under a minute.")]
TrustTwins = Annotated[bool, typer.Option("--twins", help="With --trust: the broken twins, each must be found.")]
StemsBench = Annotated[bool, typer.Option("--stems", help="Measure stems and journals instead.")]


def controller_of(port: str, map_file: Path | None) -> Controller:
    """A MIDI controller's port, "" for none, and its map; BadParameter for a map without a port.  [main]"""
    if map_file is not None and not port:
        raise typer.BadParameter("--midi-map needs --midi, the controller's MIDI port")
    return port, map_file


def values_of(pairs: list[str] | None) -> dict[str, float]:
    """The values of `--set`, checked by the table of parameters; BadParameter says what is allowed.  [main]"""
    from bridge.control.parameters import check_parameter, parameter
    from bridge.errors import SegueError

    found = {}
    for pair in pairs or []:
        name, equals, text = (part.strip() for part in pair.partition("="))
        try:
            if not equals:
                raise ValueError("a name and a value are needed, as in temperature=1.2")
            row = parameter(name)
            try:
                value = float(text)
            except ValueError:
                raise ValueError(f"{name} is a number, got {text!r}: {row.meaning}") from None
            found[name] = check_parameter(name, value)
        except (ValueError, SegueError) as error:
            raise typer.BadParameter(f"--set {pair}: {error}") from None
    return found


def mix_of(pairs: list[str] | None, prompt: str, morph_beats: float) -> tuple[tuple[str, float], ...]:
    """The prompts and weights of `--mix`; BadParameter says what is allowed.  [main]"""
    found = []
    for pair in pairs or []:
        text, equals, weight = pair.rpartition("=")
        try:
            found.append((text.strip(), float(weight)))
        except ValueError:
            raise typer.BadParameter(f"--mix {pair}: a text and a weight are needed, as in 'soft pads=0.3'") from None
        if not equals or not text.strip() or not 0.0 <= found[-1][1] <= WEIGHT_MAX:
            raise typer.BadParameter(f"--mix {pair}: a text and a weight from 0 to {WEIGHT_MAX:g} are needed")
    if found and prompt:
        raise typer.BadParameter("--prompt and --mix are two ways to say it: choose one")
    if len(found) > PROMPTS_MAX or (found and not any(weight for _, weight in found)):
        raise typer.BadParameter(f"--mix takes up to {PROMPTS_MAX} prompts, one of them with a weight above 0")
    if morph_beats and len(found) < 2:
        raise typer.BadParameter("--morph needs two prompts or more, by --mix")
    return tuple(found)
