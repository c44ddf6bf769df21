"""`segue farm`. The docstrings are their help; all of them are [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin_host.cli.guard import guarded

Door = Annotated[str, typer.Argument(help="The farm's door: HOST or HOST:PORT.")]
Secret = Annotated[Path, typer.Option("--secret-file", help="File with the secret of the farm and its relays.")]
Place = Annotated[str, typer.Argument(help="Name of an engine, as `segue farm status` shows it.")]
Now = Annotated[bool, typer.Option("--now", help="End it at once; its players go on elsewhere, at a bar line.")]

farm = typer.Typer(help="Many engines behind one address: up, status, drain, down.",
                   no_args_is_help=True)  # fmt: skip


def _secret(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--secret-file: {error}") from None


@guarded
def up(
    secret_file: Secret,
    listen: Annotated[str, typer.Option(help="Address of the door.")] = "0.0.0.0",  # noqa: S104 - behind the secret
    engines: Annotated[int, typer.Option(min=1, max=1024, help="How many engines.")] = 1,
    cpus: Annotated[float, typer.Option(min=0, help="Processors of each.")] = 1.0,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of each.")] = 0.0,
    lanes: Annotated[int, typer.Option(min=1, max=64, help="Lanes of each.")] = 8,
    model: Annotated[str, typer.Option(help="embedded, melody, style, small, ... or a folder.")] = "embedded",
    cluster: Annotated[str, typer.Option(help="Address of a Ray cluster, like auto; empty: this machine.")] = "",
) -> None:
    """Start engines and their door, until Ctrl-C or `segue farm down`.

    \b
    segue farm up --engines 4 --gpus 1 --model melody --secret-file secret.txt
    segue relay farm.local --secret-file secret.txt       # a musician, as with one engine
    """
    from plugin_host.console.screen import print_line
    from plugin_host.farm.farm import FarmOptions
    from plugin_host.farm.run import address, run_farm

    arguments = ("--model", model, "--lanes", str(lanes), "--device", "cuda" if gpus else "cpu")
    said = address(listen), _secret(secret_file), engines, cpus, gpus, cluster, arguments
    run_farm(FarmOptions(*said), print_line)


def _ask(door: str, secret_file: Path, act: str = "", place: str = "", now: bool = False) -> None:
    from plugin_host.console.screen import print_line
    from plugin_host.farm.run import ask_farm

    ask_farm(door, _secret(secret_file), print_line, act=act, place=place, now=now)


@guarded
def status(door: Door, secret_file: Secret) -> None:
    """Show the farm's engines, their lanes and players, and the queue."""
    _ask(door, secret_file)


@guarded
def drain(door: Door, place: Place, secret_file: Secret, now: Now = False) -> None:
    """Send no new players to an engine; those who are there stay until they leave, or go on elsewhere with --now."""
    _ask(door, secret_file, "drain", place, now)


@guarded
def undrain(door: Door, place: Place, secret_file: Secret) -> None:
    """Send players to an engine again."""
    _ask(door, secret_file, "undrain", place)


@guarded
def down(door: Door, secret_file: Secret) -> None:
    """End the farm."""
    _ask(door, secret_file, "down")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line.  [main]"""
    for command in (up, status, drain, undrain, down):
        farm.command()(command)
    app.add_typer(farm, name="farm")
