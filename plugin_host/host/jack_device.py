"""Devices that are JACK clients: `jack:CLIENT`, or PortAudio's device of JACK's API."""

from __future__ import annotations

from typing import Any

from bridge.errors import SegueError
from plugin_host.host import jack_client
from plugin_host.host.jack_card import API
from plugin_host.host.soundcard import load

JACK = "jack:"  # before the name of a JACK client, for machines without PortAudio
SYSTEM = "system"  # JACK's name for the sound card


def jack_name(device: str | int | None, kind: str) -> str | None:
    """The name of the JACK client that a device ("input" or "output") is; None for other devices.  [main]"""
    if isinstance(device, str) and device.startswith(JACK):
        return device.removeprefix(JACK) or SYSTEM
    sounddevice: Any = load()
    try:
        found = sounddevice.query_devices(device, kind)
        api = sounddevice.query_hostapis(found["hostapi"])["name"]
        jack_client.load()
    except (sounddevice.PortAudioError, ValueError, SegueError):
        return None
    if api != API:
        return None
    sounddevice._terminate()  # its own JACK client would not survive the server's end
    return str(found["name"])
