"""The drive of a live jam: JACK's own library for JACK's clients, PortAudio for all other devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.errors import SegueError
from plugin_host.host import jack_client
from plugin_host.host.jack_card import API
from plugin_host.host.soundcard import load
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.drive import CardDrive, JackDrive
from plugin_host.jam.errors import JamError

JACK = "jack:"  # before the name of a JACK client, for machines without PortAudio
SYSTEM = "system"  # JACK's name for the sound card


def open_live(
    deck: JamDeck, source: str | int | None, sink: str | int | None, say: Callable[[str], None]
) -> CardDrive | JackDrive:
    """A drive from one device to another, not started. Names as `segue doctor` lists them, or `jack:CLIENT`.

    SoundCardError, JackError, or JamError for a JACK client beside another device.  [main]
    """
    from_jack, to_jack = (_jack_name(device, kind) for device, kind in ((source, "input"), (sink, "output")))
    if from_jack is None and to_jack is None:
        return CardDrive(deck, source, sink)
    if (from_jack is None and source is not None) or (to_jack is None and sink is not None):
        raise JamError(f"--in {source} and --sound-device {sink}: both through JACK, or neither")
    return JackDrive(deck, from_jack or SYSTEM, to_jack or SYSTEM, say)


def _jack_name(device: str | int | None, kind: str) -> str | None:
    """The name of the JACK client that a device is; None for other devices."""
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
