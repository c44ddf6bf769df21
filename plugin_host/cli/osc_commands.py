"""`segue oscquery` and `segue osc-layouts`. A command's docstring is its help; all of them are [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import EnginePort, SecretFile
from plugin_host.console.screen import print_line


@guarded
@reaches_engine
def oscquery(
    port: EnginePort = 9600,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port for HTTP; 0: a free one.")] = 9605,
    host: Annotated[str, typer.Option(help="Address to listen on; by default only this machine.")] = "127.0.0.1",
    secret_file: SecretFile = None,
    announce: Annotated[bool, typer.Option(help="Announce it by zeroconf, if that is installed.")] = True,
) -> None:
    """Describe a running engine to programs that speak OSCQuery: they list Segue's controls by themselves.

    \b
    segue oscquery
    curl 'http://127.0.0.1:9605/?HOST_INFO'
    """
    from plugin_host.oscquery.run import run_oscquery

    secret = secret_file.read_text("utf-8").strip() if secret_file else ""
    run_oscquery(port, http_port, host, secret, announce, print_line)


@guarded
def osc_layouts(
    folder: Annotated[Path, typer.Argument(help="Folder to write them to; it is made.")] = Path(),
    port: EnginePort = 9600,
) -> None:
    """Write layouts for Open Stage Control (segue.json) and TouchOSC (segue.tosc), with lane 0's controls."""
    from plugin_host.oscquery.layouts import write

    for path in write(folder, port):
        print_line(f"wrote {path}")


def add_to(app: typer.Typer) -> None:
    """Add these commands.  [main]"""
    app.command("oscquery", short_help="Describe the engine to programs that speak OSCQuery.")(oscquery)
    app.command("osc-layouts", short_help="Write layouts for Open Stage Control and TouchOSC.")(osc_layouts)
