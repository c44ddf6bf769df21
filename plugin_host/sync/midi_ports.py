"""MIDI ports by mido, imported on demand. On Linux without ALSA's sequencer they are JACK's.

A port is given by its name or a part of it; "virtual:NAME" creates one for other programs to connect to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from plugin_host.sync.jack_midi import JackMidi
from plugin_host.sync.reading import SourceError

RTMIDI = "mido.backends.rtmidi"
VIRTUAL = "virtual:"
KINDS = ("clock", "start", "stop", "continue", "songpos", "note_on")


def backend() -> Any:
    """The first working backend; SourceError says why none works.  [main]"""
    said = []
    for system, opened in (("rtmidi", _rtmidi), ("JACK", JackMidi)):
        try:
            return opened()
        except SourceError as fault:
            said.append(f"{system}: {fault}")
    raise SourceError(f"no MIDI system answers ({'; '.join(said)})")


def watched_backend() -> Any:
    """The same, for one who asks for the names of ports again and again.  [main]"""
    found = backend()
    if isinstance(found, JackMidi):
        found.keep_looking()
    return found


def _rtmidi() -> Any:
    try:
        import mido
        import rtmidi  # noqa: F401
    except ImportError:
        raise SourceError("MIDI needs mido and python-rtmidi: pip install 'segue[midi]'") from None
    try:
        found = mido.Backend(RTMIDI, load=True)
        found.get_input_names()
        return found
    except Exception as fault:  # rtmidi's own errors
        raise SourceError((str(fault).splitlines() or [repr(fault)])[0]) from None


def open_input(name: str, receive: Callable[[str, int, float], None]) -> Callable[[], None]:
    """Call `receive(kind, value, seconds)` for messages of a port; returns a function that closes it.  [main]"""

    def received(message: Any, seconds: float) -> None:
        if message.type in KINDS and not (message.type == "note_on" and message.velocity == 0):
            receive(message.type, getattr(message, "pos", getattr(message, "note", 0)), seconds)

    return open_messages(name, received)


def open_messages(name: str, received: Callable[[Any, float], None]) -> Callable[[], None]:
    """Call `received(message, seconds)` with every mido message of a port; returns its closing function.  [main]"""

    def timed(message: Any, at_seconds: float | None = None) -> None:
        received(message, time.monotonic() if at_seconds is None else at_seconds)

    midi = backend()
    port = opened(midi.open_input, midi.get_input_names, name, callback=timed)[1]
    return port.close


def open_output(name: str) -> tuple[Callable[[str, int], None], Callable[[], None]]:
    """Functions that send a message by its kind (and a song position) on a port, and that close it.  [main]"""
    import mido

    midi = backend()
    _, port = opened(midi.open_output, midi.get_output_names, name)

    def send(kind: str, value: int = 0) -> None:
        port.send(mido.Message(kind, pos=value) if kind == "songpos" else mido.Message(kind))

    return send, port.close


def opened(open_port: Any, names: Any, name: str, **options: Any) -> tuple[str, Any]:
    """The whole name of a port, and the port; SourceError says which there are.  [main]"""
    if name.startswith(VIRTUAL):
        wanted, options = name.removeprefix(VIRTUAL), {**options, "virtual": True}
    else:
        known = list(names())
        wanted = named(known, name)
        if not wanted:
            raise SourceError(f"no MIDI port is named like {name!r}; there are: {', '.join(known) or 'none'}")
    try:
        return wanted, open_port(wanted, **options)
    except Exception as fault:
        raise SourceError(f"MIDI port {wanted!r} does not open: {fault}") from None


def named(names: Iterable[str], part: str) -> str:
    """The first name with this part; empty for none.  [any]"""
    return next((each for each in names if part.lower() in each.lower()), "")
