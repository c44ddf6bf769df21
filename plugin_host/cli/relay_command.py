"""`segue relay`. The docstring is its help; [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin_host.cli.guard import guarded
from plugin_host.cli.options import EnginePort

Where = Annotated[str, typer.Argument(help="The engine's machine: HOST or HOST:PORT; the port is 9600 if not given.")]
Secret = Annotated[Path, typer.Option("--secret-file", help="File with the secret of `segue engine --listen`.")]
Buffer = Annotated[str, typer.Option(help="Jitter buffer: auto, initial, or a length like 80ms or 0.25beats.")]


@guarded
def relay(where: Where, secret_file: Secret, port: EnginePort = 9600, buffer: Buffer = "auto") -> None:
    """Stand in for an engine on another machine: DAW, Max and plugin play it as if it were here.

    \b
    segue engine --listen 0.0.0.0 --secret-file secret.txt     # there
    segue relay studio.local --secret-file secret.txt          # here
    segue host --bpm 120                                       # here, as always
    """
    from plugin_host.console.screen import Screen
    from plugin_host.relay.run import RelayOptions, run_relay

    try:
        secret = secret_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--secret-file: {error}") from None
    run_relay(RelayOptions(where, secret, port, buffer), Screen())


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line.  [main]"""
    app.command(short_help="Play an engine on another machine as if it were here.")(relay)
