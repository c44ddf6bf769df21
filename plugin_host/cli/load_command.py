"""`segue load` and `segue unload`: the model of a running engine."""

from __future__ import annotations

from pathlib import Path

from plugin_host.client.client import EngineClient
from plugin_host.client.engine_request import described
from plugin_host.console.screen import Screen


def run_load(port: int, secret: str, name: str, device: str, precision: str) -> None:
    """Load `name` and show the progress; without a name list the present model and those that can be loaded.  [main]"""
    screen, path = Screen(), Path(name).expanduser()
    wanted = str(path.absolute()) if name and path.is_dir() else name  # the engine runs in another folder
    with EngineClient(port, name="segue load", secret=secret) as client:
        if not name:
            _describe(client, screen)
            return
        loaded = client.load_model(wanted, device, precision, on_progress=lambda done, total, text: screen.show(text))
        screen.show("")
        screen.say(f"{loaded.model} plays, after {loaded.seconds:.1f} s")
        if loaded.notes:
            screen.say(f"note: {loaded.notes}")


def run_unload(port: int, secret: str) -> None:
    """End all streams and free the model.  [main]"""
    with EngineClient(port, name="segue unload", secret=secret) as client:
        Screen().say(f"no model is loaded; the engine keeps {client.unload_model():.0f} MB of memory")


def _describe(client: EngineClient, screen: Screen) -> None:
    status, names = client.status(), client.models()
    if status.model and status.state == "ready":
        for line in described(client):
            screen.say(line)
    else:
        screen.say(f"engine: {status.state}{', ' if status.text else ''}{status.text}")
    screen.say(f"on this machine: {names.here}")
    others = [name for name in names.known.split() if name not in names.here.split()]
    screen.say(f"to be downloaded: {' '.join(others)}")
