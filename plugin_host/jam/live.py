"""The drive of a live jam: JACK's own library for JACK's clients, PortAudio for all other devices."""

from __future__ import annotations

from collections.abc import Callable

from plugin_host.host.jack_device import SYSTEM, jack_name
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.drive import CardDrive, JackDrive
from plugin_host.jam.errors import JamError


def open_live(
    deck: JamDeck, source: str | int | None, sink: str | int | None, say: Callable[[str], None]
) -> CardDrive | JackDrive:
    """A drive from one device to another, not started. Names as `segue doctor` lists them, or `jack:CLIENT`.

    SoundCardError, JackError, or JamError for a JACK client beside another device.  [main]
    """
    from_jack, to_jack = (jack_name(device, kind) for device, kind in ((source, "input"), (sink, "output")))
    if from_jack is None and to_jack is None:
        return CardDrive(deck, source, sink)
    if (from_jack is None and source is not None) or (to_jack is None and sink is not None):
        raise JamError(f"--in {source} and --sound-device {sink}: both through JACK, or neither")
    return JackDrive(deck, from_jack or SYSTEM, to_jack or SYSTEM, say)
