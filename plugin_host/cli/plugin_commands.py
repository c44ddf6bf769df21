"""The commands of `segue plugin`: build and install the plugin, and control a running one.

Docstrings are help; commands are [main].
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bridge.control.arguments import Message
from bridge.control.plugin_rows import (
    PLUGIN_CLEAR,
    PLUGIN_PORT,
    PLUGIN_PRESS,
    PLUGIN_PROMPT,
    PLUGIN_SET,
    PLUGIN_START,
    PLUGIN_STATUS,
)
from plugin_host.cli.guard import EXIT_FAULT, guarded
from plugin_host.console.screen import complain, print_line

Port = Annotated[int, typer.Option(min=1, max=65535, help="The plugin's control port, which it shows.")]
plugin = typer.Typer(no_args_is_help=True, help="Segue inside a DAW: build and install the plugin.")


def add_to(app: typer.Typer) -> None:
    """Add the `plugin` group to the command line.  [main]"""
    app.add_typer(plugin, name="plugin", short_help="Segue inside a DAW: build and install the plugin.")


@plugin.command(short_help="Compile the plugin: LV2, VST3 and CLAP.")
@guarded
def build(out: Annotated[Path, typer.Option(help="Folder for the bundles.")] = Path("segue-plugin")) -> None:
    """Compile the plugin for this machine: LV2, VST3 and CLAP, each in stereo and mono.

    Needs a C++ compiler and the DISTRHO Plugin Framework (Debian, Ubuntu: apt install g++ dpf-source).
    """
    for bundle in _built(out):
        print_line(f"  {bundle}")


@plugin.command(short_help="Install the plugin where DAWs look for it.")
@guarded
def install(
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of built bundles; by default they are built.")
    ] = None,
) -> None:
    """Install the plugin into your own plugin folders. Then let your DAW scan for plugins.

    The plugin comes from Segue's package if that contains it; otherwise it is built first. The plugin starts the engine
    by itself when none runs: `segue plugin engine` says how.
    """
    from plugin_host.plugin.build import PluginBuildError
    from plugin_host.plugin.engine_order import EngineOrder, read_order, write_order
    from plugin_host.plugin.install import install as place
    from plugin_host.plugin.install import shipped

    with tempfile.TemporaryDirectory(prefix="segue-plugin-") as work:
        known = source or shipped()
        folder = known or Path(work)
        if known is None:
            _built(folder)
        try:
            for bundle in place(folder):
                print_line(f"  {bundle}")
            print_line(f"  {write_order(read_order() or EngineOrder())}")
        except PluginBuildError as fault:
            _fail(fault)


@plugin.command(short_help="How the plugin starts the engine.")
@guarded
def engine(
    start: Annotated[bool | None, typer.Option("--start/--no-start", help="Whether the plugin starts it.")] = None,
    idle_exit: Annotated[
        float | None, typer.Option(min=0, max=10080, help="Minutes after which an unused engine ends; 0: never.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="embedded, melody, style, small, ... or a folder.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, ...")] = None,
) -> None:
    """Show or change how the plugin starts the engine when none runs. It counts from the engine's next start on.

    \b
    segue plugin engine
    segue plugin engine --model melody --device cuda --idle-exit 60
    segue plugin engine --no-start
    """
    from plugin_host.plugin.build import PluginBuildError
    from plugin_host.plugin.engine_order import EngineOrder, order_file, read_order, write_order

    known, changes = read_order(), (start, idle_exit, model, device)
    order = known or EngineOrder()
    if any(change is not None for change in changes):
        order = EngineOrder(
            order.idle_minutes if idle_exit is None else idle_exit,
            order.model if model is None else model,
            order.device if device is None else device,
            order.start if start is None else start,
        )
        try:
            write_order(order)
        except PluginBuildError as fault:
            _fail(fault)
    elif known is None:
        print_line(f"there is no {order_file()}: the plugin starts no engine. `segue plugin install` writes it")
        return
    minutes = f"after {order.idle_minutes:g} minutes unused" if order.idle_minutes else "never"
    print_line(f"started    {'by the plugin when none runs' if order.start else 'not by the plugin'}")
    print_line(f"model      {order.model}\ndevice     {order.device}\nends       {minutes}\nwritten in {order_file()}")


@plugin.command(short_help="Let a plugin start the engine.")
@guarded
def start(
    model: Annotated[str, typer.Option(help="Another model than that of `segue plugin engine`.")] = "",
    port: Port = PLUGIN_PORT,
) -> None:
    """Let a running plugin start the engine again after it has failed or was ended; `segue plugin status` shows how it
    goes. After a failure of its model it starts with the embedded one."""
    _ask(port, PLUGIN_START, model)
    print_line(f"the plugin at port {port} starts the engine if none answers")


@plugin.command(short_help="Set a plugin's prompt.")
@guarded
def prompt(
    text: Annotated[str, typer.Argument(help='A description of the music; "" for none.')],
    port: Port = PLUGIN_PORT,
) -> None:
    """Set the prompt of a running plugin. The DAW's project saves it.

    Each instance shows its own control port: 9620 for the first, 9621 for the next.

    \b
    segue plugin prompt "dusty piano, brushes"
    segue plugin prompt "dub, sparse" --port 9621
    """
    _ask(port, PLUGIN_PROMPT, text)
    print_line(f"the plugin at port {port} has it")


@plugin.command("set", short_help="Set a parameter of a plugin.", context_settings={"ignore_unknown_options": True})
@guarded
def set_(
    name: Annotated[str, typer.Argument(help="A parameter, like level, capture_bars or own_tempo.")],
    value: Annotated[float, typer.Argument(help="Its value; entries of a list count from 0.")],
    port: Port = PLUGIN_PORT,
) -> None:
    """Set a parameter of a running plugin, as in the DAW.

    The DAW is notified if the plugin format supports it (CLAP, VST3; LV2 in few hosts).

    \b
    segue plugin set level -6
    segue plugin set mode 2     # Continue: the third entry of Melody, Style, Continue
    """
    _, now, notified = _ask(port, PLUGIN_SET, name, value)
    unknown = "" if notified else "; this DAW cannot be notified, its window and its song keep the value from before"
    print_line(f"{name} is {now:g}{unknown}")


@plugin.command(short_help="Remove captured music.")
@guarded
def clear(
    role: Annotated[str, typer.Argument(help="melody, style, continue or all.")] = "all",
    port: Port = PLUGIN_PORT,
) -> None:
    """Remove what a running plugin has captured: the melody, the style, the audio prompt, or all."""
    _ask(port, PLUGIN_CLEAR, role)
    print_line(f"{role}: taken off")


@plugin.command(short_help="Press in a plugin's jam.")
@guarded
def press(
    verb: Annotated[str, typer.Argument(help="play_stop, take_over, again, keep, hold, record, undo or cancel.")],
    bars: Annotated[int, typer.Argument(min=0, max=64, help="Of a record; 0: the mode's own number.")] = 0,
    port: Port = PLUGIN_PORT,
) -> None:
    """Press in the jam of a running plugin, as its foot switch does; says from which bar it is heard."""
    _, accepted, _, _, text = _ask(port, PLUGIN_PRESS, verb, bars)
    print_line(f"{text}" if accepted else f"refused: {text}")


@plugin.command(short_help="Show the state of a plugin.")
@guarded
def status(port: Port = PLUGIN_PORT) -> None:
    """Show the state of a running plugin, and the reason if the engine refused something."""
    state, why, lane, take, references, text = _ask(port, PLUGIN_STATUS)
    print_line(f"engine     {state}{', ' if why else ''}{why}")
    print_line(f"lane       {lane:g}\ntake       {take:g}\nin force   {references}\nprompt     {text or 'none'}")


@plugin.command(short_help="Measure the plugin's audio thread.")
@guarded
def measure(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of the music.")] = 60.0,
    block: Annotated[int, typer.Option(min=1, max=8192, help="Samples in a block.")] = 64,
) -> None:
    """Measure the plugin's time for a block (p50, p99, max), its page faults, and the memory of an instance."""
    from plugin_host.plugin.build import PluginBuildError
    from plugin_host.plugin.measure import measure as run

    try:
        print_line(run(seconds, block))
    except PluginBuildError as fault:
        _fail(fault)


def _ask(port: int, row: Message, *values: float | str) -> list[float | str]:
    from bridge.errors import SegueError
    from plugin_host.plugin.control import ask_plugin

    try:
        return ask_plugin(port, row, *values)
    except SegueError as fault:
        _fail(fault)


def _built(out: Path) -> list[Path]:
    from plugin_host.plugin.build import PluginBuildError
    from plugin_host.plugin.bundles import build_bundles
    from plugin_host.plugin.window import why_no_window

    try:
        missing = why_no_window()
        if missing:
            complain(f"segue: the plugin is built without its window: {missing}")
        with tempfile.TemporaryDirectory(prefix="segue-objects-") as work:
            return build_bundles(out, Path(work), window=not missing)
    except (PluginBuildError, OSError) as fault:
        _fail(fault)


def _fail(fault: Exception) -> NoReturn:
    complain(f"segue: {fault}")
    raise typer.Exit(EXIT_FAULT)
