"""`segue midi`. The docstring is its help; [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.control.midi_rows import MIDI_PORT, RECORD_BARS_MAX
from bridge.control.rows import LANES_MAX
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import Bpm, EnginePort, MidiMapFile, SecretFile, Weights
from plugin_host.cli.take_commands import Meter, engine_of, meter_of

DevicePort = Annotated[
    str, typer.Argument(help="MIDI port of the controller, by part of its name; virtual:NAME creates one.")
]
Out = Annotated[str, typer.Option(help="MIDI port of its lights and motor faders; by default the one of its name.")]
Lane = Annotated[int | None, typer.Option(min=0, max=LANES_MAX - 1, help="The lane; by default the map's, 0.")]
OscPort = Annotated[int, typer.Option(min=0, max=65535, help="UDP port for learning by OSC; 0: a free one.")]
JamMap = Annotated[bool, typer.Option("--jam", help="Without a map: switches for a running `segue jam`.")]
MelodyFile = Annotated[Path | None, typer.Option(help="A .mid file: its notes become the lane's melody.")]
Wav = Annotated[Path | None, typer.Option(help="With --melody: also write it as a sound file.")]
Start = Annotated[float, typer.Option(min=0, help="With --melody: beat of the song on which it begins.")]
Record = Annotated[int, typer.Option(min=0, max=RECORD_BARS_MAX, help="Record so many bars of notes as the melody.")]


@guarded
@reaches_engine
def midi(
    device: DevicePort = "",
    map: MidiMapFile = None,
    out: Out = "",
    lane: Lane = None,
    melody: MelodyFile = None,
    wav: Wav = None,
    start_beats: Start = 0.0,
    record: Record = 0,
    bpm: Bpm = None,
    signature: Meter = "4/4",
    jam: JamMap = False,
    osc_port: OscPort = MIDI_PORT,
    port: EnginePort = 9600,
    secret_file: SecretFile = None,
) -> None:
    """Play a running engine with a MIDI controller, or give it a melody of notes. Without arguments: list MIDI ports.

    Type a parameter and Enter, then move a knob: it is learned. Escape leaves. `forget cc 21`, `list`, `record 4` and
    `quit` work too. What is learned is kept in the map's file.

    \b
    segue midi                                  # which MIDI ports there are
    segue midi Launchkey                        # with the built-in map, or what was learned
    segue midi virtual:Segue --map live.toml
    segue midi --melody tune.mid
    segue midi Launchkey --record 4 --bpm 96    # play the melody
    """
    from plugin_host.midi.run import MidiRun, run_midi

    if wav is not None and melody is None:
        raise typer.BadParameter("--wav needs --melody")
    if record and not device:
        raise typer.BadParameter("--record needs a MIDI port: segue midi PORT --record 4")
    if record and bpm is None:
        raise typer.BadParameter("--record needs --bpm, the tempo that you play at")
    run_midi(
        MidiRun(
            device=device, out=out, map=map, lane=lane, melody=melody, wav=wav, start_beats=start_beats, record=record,
            bpm=bpm or 0.0, signature=meter_of(signature), jam=jam, osc_port=osc_port, port=port,
            secret=engine_of(port, secret_file, "", "", Weights.AUTO).secret,
        )
    )  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Give this command to the command line.  [main]"""
    app.command(short_help="Play a running engine with a MIDI controller.")(midi)
