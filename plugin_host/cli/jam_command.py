"""`segue jam`. The docstring is its help; [main]."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.control.jam_rows import JAM_PORT
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import (
    Device,
    Midi,
    MidiIn,
    MidiMapFile,
    Precision,
    SecretFile,
    Seed,
    SoundDevice,
    SyncMode,
    Weights,
    Who,
    controller_of,
)
from plugin_host.cli.take_commands import Meter, Model, Port, Preset, Rate, engine_of, meter_of
from plugin_host.console.screen import print_line


class Way(StrEnum):
    """The modes."""

    TRADE = "trade"
    ACCOMPANY = "accompany"
    CONTINUE = "continue"
    LOOP = "loop"


class Followed(StrEnum):
    """What the accompaniment takes from the player."""

    MELODY = "melody"
    STYLE = "style"


Source = Annotated[str, typer.Option("--in", help="Input device, by name or number, or jack:CLIENT; or a sound file.")]
TurnBars = Annotated[
    int | None, typer.Option(min=0, max=64, help="trade: of a turn; accompany: between listenings; loop: of the loop.")
]
Tempo = Annotated[
    float | None, typer.Option(min=20, max=400, help="The tempo; in loop mode your first loop can set it.")
]
CountIn = Annotated[int, typer.Option(min=0, max=64, help="Beats of clicks before bar 1.")]
Prompts = Annotated[list[str] | None, typer.Option(help="A description of the music; or one for each lane.")]
Follow = Annotated[Followed, typer.Option(help="accompany: follow your melody and chords, or sound like you.")]
Lanes = Annotated[int, typer.Option(min=1, max=4, help="How many players Segue is.")]
Out = Annotated[Path, typer.Option(help="Folder for the recording; if it has one, a new one beside it.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Also write each of Segue's turns as a file, and make it a take (segue takes).")
]
TotalBars = Annotated[int, typer.Option(min=0, help="End after so many bars; 0: with the file, or never.")]
Offline = Annotated[bool, typer.Option("--offline", help="With a file: as fast as possible, by the same rules.")]
Presses = Annotated[
    Path | None, typer.Option(help="session.jsonl of another jam, whose presses are repeated at their samples.")
]
GenerationMs = Annotated[
    float | None, typer.Option(min=0, max=60_000, help="Take this generation time instead of measuring it.")
]
RoundTripMs = Annotated[
    float | None, typer.Option(min=0, max=1000, help="Your sound card's round trip; see `segue doctor --audio`.")
]
FootSwitch = Annotated[str, typer.Option(help="MIDI port of a foot switch, by part of its name.")]
SwitchTable = Annotated[str, typer.Option(help="What it sends, as in 'take_over=cc80 hold=note60'.")]
Latching = Annotated[bool, typer.Option("--foot-switch-latching", help="It sends on at one press and off at the next.")]
ControlPort = Annotated[int, typer.Option(min=0, max=65535, help="UDP port for presses by OSC; 0: a free one.")]


@guarded
@reaches_engine
def jam(
    mode: Annotated[Way, typer.Option(help="How you play together.")] = Way.TRADE,
    source: Source = "",
    sound_device: SoundDevice = "",
    bars: TurnBars = None,
    bpm: Tempo = None,
    signature: Meter = "4/4",
    count_in: CountIn = 4,
    sync: SyncMode = Who.OWN,
    midi_in: MidiIn = "",
    prompt: Prompts = None,
    preset: Preset = "",
    reference: Follow = Followed.MELODY,
    lanes: Lanes = 1,
    seed: Seed = -1,
    out: Out = Path("segue-jam"),
    keep: Keep = False,
    total_bars: TotalBars = 0,
    offline: Offline = False,
    presses: Presses = None,
    generation_ms: GenerationMs = None,
    round_trip_ms: RoundTripMs = None,
    foot_switch: FootSwitch = "",
    foot_switch_latching: Latching = False,
    switches: SwitchTable = "",
    midi: Midi = "",
    midi_map: MidiMapFile = None,
    control_port: ControlPort = JAM_PORT,
    rate: Rate = 48_000,
    model: Model = "embedded",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
    port: Port = 0,
    secret_file: SecretFile = None,
) -> None:
    """Play with Segue, live: it answers, accompanies you, goes on when you stop, or varies your loop.

    Keys: space play/stop, t take over, a again, k keep, h hold, r record, u undo, c cancel, q quit. Writes input.wav,
    segue.wav, mix.wav and session.jsonl while you play.
    """
    _run(
        bars=bars, bpm=bpm, preset=preset, lanes=lanes, seed=seed, keep=keep, total_bars=total_bars, offline=offline,
        mode=mode.value, source=_source(source), out=out, signature=meter_of(signature), prompts=tuple(prompt or ()),
        clock=(sync.value, midi_in), count_in_beats=count_in, reference=reference.value, rate_hz=rate,
        sound_device=_device(sound_device), control_port=control_port, script=presses, midi_switch=foot_switch,
        generation_seconds=None if generation_ms is None else generation_ms / 1000, round_trip_ms=round_trip_ms,
        latching=foot_switch_latching, switches=switches, controller=controller_of(midi, midi_map),
        engine=engine_of(port, secret_file, model, device, precision),
    )  # fmt: skip


def _run(clock: tuple[str, str], out: Path, offline: bool, **values: Any) -> None:
    from plugin_host.jam.options import JamOptions
    from plugin_host.jam.run import run_jam
    from plugin_host.sync.sync import SyncRequest

    synced = SyncRequest(*clock)
    if offline and not synced.idle:
        raise typer.BadParameter("--offline is not in real time: no --sync with it")
    if offline and not isinstance(values["source"], Path):
        raise typer.BadParameter("--offline needs a sound file as the player: --in FILE")
    recorded = run_jam(JamOptions(sync=synced, out=out, offline=offline, **values))
    if values["keep"]:
        _keep_turns(recorded.folder, values["engine"].port)


def _keep_turns(folder: Path, port: int) -> None:
    """Make Segue's turns takes of the session that the recording's folder is."""
    from plugin_host.jam.jam import JOURNALS
    from plugin_host.jam.recording.journal import read_journal
    from plugin_host.takes.live import add_turns

    turns = [(int(line["bar"]), int(line["until"])) for line in read_journal(folder / "session.jsonl")
             if line.get("kind") == "turn" and line["until"] > line["bar"]]  # fmt: skip
    if port:
        print_line("the turns are no takes yet: `segue takes live` makes them of the running engine's --journal")
    elif turns:
        added = add_turns(folder, folder / JOURNALS, turns, print_line)
        print_line(f"{len(added)} turns are takes: segue takes list -s {folder}; segue takes export --take 1 ...")


def _source(text: str) -> str | int | Path | None:
    """A file if there is one of that name, else a device, by name or number."""
    path = Path(text).expanduser()
    if text and path.is_file():
        return path
    if "/" in text or path.suffix.lower() in (".wav", ".flac", ".aiff", ".ogg", ".mp3"):
        raise typer.BadParameter(f"--in {text}: there is no such file")
    return _device(text)


def _device(text: str) -> str | int | None:
    return int(text) if text.isdigit() else text or None


def add_to(app: typer.Typer) -> None:
    """Give this command to the command line.  [main]"""
    app.command(short_help="Play with Segue, live.")(jam)
