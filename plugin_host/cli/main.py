"""The command line, `segue`. Only typer is imported here; each command imports what it needs when it runs.
A command's docstring is its help; all of them are [main].

Exit codes: 0 done, 1 a fault of Segue or (doctor) something the demo needs is missing, 2 wrong option,
3 no engine or it failed, 4 the region cannot be used, 5 no sound card, 6 the result cannot be written,
130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from plugin_host.cli.bench_command import add_to as add_bench
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.farm_commands import add_to as add_farm
from plugin_host.cli.guard import EXIT_FAULT, EXIT_SOUND_CARD, guarded
from plugin_host.cli.history_commands import add_to as add_history
from plugin_host.cli.jam_command import add_to as add_jam
from plugin_host.cli.midi_command import add_to as add_midi
from plugin_host.cli.options import (
    EPILOG,
    Bars,
    Bpm,
    Device,
    EnginePort,
    Lanes,
    LinkOut,
    Midi,
    MidiClockOut,
    MidiIn,
    MidiMapFile,
    Mix,
    MorphBeats,
    Precision,
    Prompt,
    Reference,
    Region,
    RegionBpm,
    Role,
    SecretFile,
    Seed,
    SoundDevice,
    SyncMode,
    TapNote,
    Values,
    Weights,
    Who,
    controller_of,
    mix_of,
    values_of,
)  # fmt: skip
from plugin_host.cli.osc_commands import add_to as add_osc
from plugin_host.cli.panel_command import add_to as add_panel
from plugin_host.cli.plugin_commands import add_to as add_plugin
from plugin_host.cli.relay_command import add_to as add_relay
from plugin_host.cli.render_command import add_to as add_render
from plugin_host.cli.stems_command import add_to as add_stems
from plugin_host.cli.take_commands import add_to as add_takes
from plugin_host.cli.take_commands import meter_of
from plugin_host.cli.watch_commands import add_to as add_watch
from plugin_host.console.screen import print_line

FIRST = (  # lines for 80 columns
    "segue demo --play     hear it: a loop, and what Segue makes of it",
    "segue panel           play with it in your browser: lanes, takes, stems, a jam",
    "segue plugin install  use it in your DAW; the panel shows that, too",
    "segue doctor          if something does not work: what is missing here",
    "segue --help          all commands",
)
app = typer.Typer(
    name="segue",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Segue continues your music: give it some bars, and it streams what follows, in time, from your next bar "
    "line. Start with `segue demo`; `segue COMMAND --help` shows a command's options.",
    epilog=EPILOG,
)


@app.callback(invoke_without_command=True)
def begin(context: typer.Context) -> None:
    """Without a command: what to do first."""
    if context.invoked_subcommand is None:
        for line in FIRST:
            print_line(line)


def _secret(file: Path | None) -> str:
    try:
        return file.read_text("utf-8").strip() if file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--secret-file: {error}") from None


def _sound_device(text: str) -> str | int | None:
    return int(text) if text.isdigit() else text or None


def _check_file(out: Path | None, bars: int, lanes: int) -> None:
    if out is not None and bars == 0:
        raise typer.BadParameter("--out needs --bars: a file must end")
    if out is not None and lanes > 1:
        raise typer.BadParameter("--out writes one lane: no --lanes with it")


HOST_EXAMPLES = """\b
segue host --bpm 96                                    # on the sound card
segue host --region riff.wav --bars 16 --out riff16.wav
segue host --sync midi --midi-in Digitakt              # with a drum machine
segue host --sync jack --lanes 2                       # two lanes, each with JACK ports of its own
segue host --mix "soft pads=0" --mix "house=1" --morph 32   # pads that become house in 32 beats
"""


@app.command(short_help="Play a region of music and continue it.")
@guarded
def demo(
    bpm: Bpm = None,
    bars: Bars = 16,
    prompt: Prompt = "",
    seed: Seed = -1,
    region: Region = None,
    region_bpm: RegionBpm = None,
    reference: Reference = Role.CONTINUE,
    out: Annotated[Path, typer.Option(help="Folder for demo.wav, demo.png and the engine's log.")] = Path("segue-demo"),
    play: Annotated[bool, typer.Option("--play", help="Play it on the sound card while it is made.")] = False,
    sound_device: SoundDevice = "",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
    model: Annotated[str, typer.Option(help="embedded, melody, style, small, ... or a folder.")] = "embedded",
    port: Annotated[int, typer.Option(min=0, max=65535, help="UDP port for the engine; 0: a free one.")] = 0,
    offline: Annotated[bool, typer.Option("--offline", help="Play as fast as possible, not in real time.")] = False,
) -> None:
    """Play a region, and continue it with Segue from the next bar line.

    Starts its own engine, plays in real time, and writes demo.wav (your region, then an exact number of bars of
    Segue), demo.png (the music, bar by bar, and the ring's fill) and a report.

    \b
    segue demo
    segue demo --region my-loop.wav --bpm 96 --prompt "warm lofi piano" --bars 32
    segue demo --region my-melody.wav --reference melody --play
    """
    from plugin_host.console.screen import Screen
    from plugin_host.demo.demo import DemoOptions, run_demo
    from plugin_host.run.performance import PlaybackOptions
    from plugin_host.run.region_layout import RegionRequest

    if play and offline:
        raise typer.BadParameter("--play is in real time, --offline is not: choose one")
    request = RegionRequest(role=reference.value, region=region, bpm=bpm, bars=bars, region_bpm=region_bpm)
    playback = PlaybackOptions(play=play, sound_device=_sound_device(sound_device), offline=offline)
    run_demo(DemoOptions(request, playback, prompt, seed, model, device, port, out, precision.value), Screen())


@app.command(
    short_help="Run the engine for your DAW, until Ctrl-C.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def engine(context: typer.Context) -> None:
    """Run the engine until Ctrl-C with a hot model; it is restarted after a crash.

    `segue engine --help` lists its options; with --panel the panel opens beside it.
    """
    if {"-h", "--help"} & set(context.args):
        _become("engine", context.args)
    from plugin_host.client.supervisor import run_engine

    sys.stdout.flush()
    arguments = [each for each in context.args if each != "--panel"]
    if len(arguments) == len(context.args):
        raise typer.Exit(run_engine(arguments))
    from plugin_host.panel.beside import panel_beside

    with panel_beside(arguments):
        raise typer.Exit(run_engine(arguments))


@app.command(
    short_help="Models of the MusicGen family: list, get NAME, remove NAME.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def models(context: typer.Context) -> None:
    """List the models and which of them are installed; `get NAME` downloads one, `remove NAME` deletes it."""
    _become("engine.checkpoints", context.args)


def _become(module: str, arguments: list[str]) -> NoReturn:
    """Replace this process by a module of the engine, with its signals and exit code."""
    command = [sys.executable, "-m", module, *arguments]
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(sys.executable, command)  # noqa: S606 - our own module
    import subprocess

    raise typer.Exit(subprocess.call(command))  # noqa: S603


@app.command(short_help="Play with a running engine, to sound card or file.", epilog=HOST_EXAMPLES)
@guarded
@reaches_engine
def host(
    bpm: Bpm = None,
    signature: Annotated[str, typer.Option(help="Time signature, like 4/4 or 7/8.")] = "4/4",
    bars: Annotated[int, typer.Option(min=0, help="How many bars Segue plays; 0: until Ctrl-C.")] = 0,
    prompt: Prompt = "",
    mix: Mix = None,
    morph: MorphBeats = 0.0,
    preset: Annotated[str, typer.Option(help="A named set of values, like night-bus; docs/osc.md lists all.")] = "",
    seed: Seed = -1,
    values: Values = None,
    region: Region = None,
    region_bpm: RegionBpm = None,
    reference: Reference = Role.CONTINUE,
    out: Annotated[
        Path | None, typer.Option(help="WAV file to write instead of using the sound card; needs --bars.")
    ] = None,
    sound_device: SoundDevice = "",
    rate: Annotated[int, typer.Option(min=8000, max=192_000, help="Sample rate in Hz.")] = 48_000,
    port: EnginePort = 9600,
    secret_file: SecretFile = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="With --out: play as fast as possible, not in real time.")
    ] = False,
    sync: SyncMode = Who.OWN,
    midi_in: MidiIn = "",
    midi_clock_out: MidiClockOut = "",
    tap_note: TapNote = -1,
    link_out: LinkOut = False,
    lanes: Lanes = 1,
    midi: Midi = "",
    midi_map: MidiMapFile = None,
) -> None:
    """Play with a running engine (`segue engine`), on a sound card or into a file."""
    from plugin_host.cli.host_command import HostOptions, run_host
    from plugin_host.console.screen import Screen
    from plugin_host.run.performance import PlaybackOptions
    from plugin_host.run.region_layout import RegionRequest
    from plugin_host.sync.sync import SyncRequest

    synced = SyncRequest(sync.value, midi_in, midi_clock_out, tap_note, link_out)
    if offline and not synced.idle:
        raise typer.BadParameter("--offline is not in real time: no --sync, --midi-clock-out or --link-out with it")
    _check_file(out, bars, lanes)
    request = RegionRequest(reference.value, region, bpm, bars, rate, meter_of(signature), region_bpm=region_bpm)
    playback = PlaybackOptions(out is None, _sound_device(sound_device), offline, synced, lanes)
    said = request, playback, prompt, preset, seed, values_of(values), port, _secret(secret_file), out
    run_host(HostOptions(*said, mix_of(mix, prompt, morph), morph, controller_of(midi, midi_map)), Screen())


@app.command(short_help="Load another model into a running engine.")
@guarded
@reaches_engine
def load(
    name: Annotated[str, typer.Argument(help="embedded, melody, style, small, ... or a folder; none: list them.")] = "",
    device: Annotated[str, typer.Option(help="The model's device: cpu, cuda, ...; by default the engine's.")] = "",
    precision: Precision = Weights.AUTO,
    port: EnginePort = 9600,
    secret_file: SecretFile = None,
) -> None:
    """Load a model into the running engine; the old model plays until the new one is hot.

    Playing lanes change over on a bar line. Without NAME: list the present model and those that can be loaded.

    \b
    segue load
    segue load style
    segue load ~/models/my-finetune --device cpu --precision float32
    """
    from plugin_host.cli.load_command import run_load

    run_load(port, _secret(secret_file), name, device, precision.value)


@app.command(short_help="Free the model of a running engine.")
@guarded
@reaches_engine
def unload(port: EnginePort = 9600, secret_file: SecretFile = None) -> None:
    """Fade out all streams and free the model's memory; the engine runs on without a model."""
    from plugin_host.cli.load_command import run_unload

    run_unload(port, _secret(secret_file))


@app.command(short_help="List what this computer has, and what is missing.")
@guarded
def doctor(
    port: Annotated[int, typer.Option(min=1, max=65535, help="UDP port to check.")] = 9600,
    audio: Annotated[bool, typer.Option("--audio", help="Measure the sound card's round trip instead.")] = False,
    source: Annotated[
        str, typer.Option("--in", help="With --audio: the input, by name or number; jack:CLIENT for JACK.")
    ] = "",
    sound_device: SoundDevice = "",
    rate: Annotated[int, typer.Option(min=8000, max=192_000, help="With --audio: sample rate in Hz.")] = 48_000,
) -> None:
    """List what this computer has, and what to install if something is missing. Exit code 0 if `segue demo` can run.

    --audio plays a test signal and finds it in the input: the round trip is stored, and `segue jam` makes up for it.
    Exit code 5 if nothing came back.
    """
    from plugin_host.doctor.doctor import BAD, GOOD, Finding, examine

    def show(findings: list[Finding]) -> None:
        for finding in findings:
            print_line(f"  {finding.mark}  {finding.what:<14} {finding.text}")
            if finding.advice:
                print_line(f"      {'':<14} -> {finding.advice}")

    if audio:
        from plugin_host.doctor.audio import examine_audio

        found = examine_audio(_sound_device(source), _sound_device(sound_device), rate, print_line)
        show(found)
        raise typer.Exit(0 if found[-1].mark == GOOD else EXIT_SOUND_CARD)
    findings = examine(port)
    show(findings)
    bad = sum(finding.mark == BAD for finding in findings)
    print_line("")
    print_line("segue demo cannot run yet: see the lines marked !!" if bad else "segue demo can run.")
    raise typer.Exit(EXIT_FAULT if bad else 0)


add_bench(app)


@app.command()
def version() -> None:
    """Print Segue's version."""
    from plugin_host.doctor.doctor import version as installed

    print_line(f"segue {installed()}")


add_panel(app)
add_relay(app)
add_farm(app)
add_jam(app)
add_midi(app)
add_takes(app)
add_history(app)
add_render(app)
add_stems(app)
add_watch(app)
add_plugin(app)
add_osc(app)


def main() -> None:
    """Entry point of the `segue` command.  [main]"""
    app()


if __name__ == "__main__":
    main()
