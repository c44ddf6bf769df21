"""MIDI ports of a JACK server, with JACK's own library. Events have the time of their sample, not of their block.

(rtmidi's JACK backend holds Python's lock while it waits for the server. If the same process plays sound through JACK,
the server waits for that process, and both wait for five seconds.)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from plugin_host.host.jack_client import JackError, LastingClient
from plugin_host.sync.midi_stream import MidiStream
from plugin_host.sync.reading import SourceError

OnMidi = Callable[[Any, float], None]  # a mido message, and its time


class JackMidi:
    """JACK's MIDI ports. Raises SourceError if no server runs."""

    name = "JACK"

    def __init__(self) -> None:
        self._looking: LastingClient | None = None
        self._client("segue-midi-look", lambda client: None).close()

    def keep_looking(self) -> None:
        """Keep one client for the names of ports, until `close`: a new one each time disturbs the server.  [main]"""
        self._looking = self._client("segue-midi-look", lambda client: None)

    def close(self) -> None:
        """Give up that client; ports stay open. May be called twice.  [main]"""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.close()

    def get_input_names(self) -> list[str]:
        """Names of ports to receive from.  [main]"""
        return self._names(is_output=True)

    def get_output_names(self) -> list[str]:
        """Names of ports to send to.  [main]"""
        return self._names(is_input=True)

    def open_input(self, name: str, callback: OnMidi, virtual: bool = False) -> LastingClient:
        """Receive from a port, or create a port that others connect to.  [main]"""
        port: list[Any] = []

        def set_up(client: Any) -> None:
            port[:] = [client.midi_inports.register(name if virtual else "in")]
            stream = MidiStream()

            def process(n_samples: int) -> None:
                now, frames = time.monotonic(), client.frames_since_cycle_start
                for offset, data in port[0].incoming_midi_events():
                    for message in stream.feed(bytes(data)):
                        callback(message, now - (frames + n_samples - offset) / client.samplerate)

            client.set_process_callback(process)

        def ready(client: Any) -> None:
            if not virtual:
                client.connect(name, port[0])

        return self._client("segue-midi-in", set_up, ready)

    def open_output(self, name: str, virtual: bool = False) -> _Output:
        """Send to a port, or create a port that others connect to.  [main]"""
        output = _Output(name, virtual)
        output.client = self._client("segue-midi-out", output.set_up, output.ready)
        return output

    def _names(self, **kind: bool) -> list[str]:
        if self._looking is not None:
            there = self._looking.client if self._looking.here else None
            return [] if there is None else [port.name for port in there.get_ports(is_midi=True, **kind)]
        found: list[str] = []

        def look(client: Any) -> None:
            found.extend(port.name for port in client.get_ports(is_midi=True, **kind))

        self._client("segue-midi-look", look).close()
        return found

    def _client(
        self, name: str, set_up: Callable[[Any], None], ready: Callable[[Any], None] = lambda client: None
    ) -> LastingClient:
        try:
            return LastingClient(name, set_up, ready)
        except JackError as fault:
            raise SourceError(str(fault)) from None


class _Output:
    """Sends a block later, at the same sample within it."""

    def __init__(self, name: str, virtual: bool) -> None:
        self.client: LastingClient | None = None
        self._name, self._virtual = name, virtual
        self._due: deque[tuple[int, bytes]] = deque()
        self._port: Any = None

    def set_up(self, client: Any) -> None:
        """Set up ports and callbacks, before the client is active.  [main]"""
        self._port = client.midi_outports.register(self._name if self._virtual else "out")

        def process(n_samples: int) -> None:
            self._port.clear_buffer()
            began, offset = client.last_frame_time, 0  # JACK requires events in order
            while self._due and (ahead := _frames_between(began, self._due[0][0])) < n_samples:
                offset = max(ahead, offset)
                self._port.write_midi_event(offset, self._due.popleft()[1])

        client.set_process_callback(process)

    def ready(self, client: Any) -> None:
        """Connect the ports, once the client is active.  [main]"""
        if not self._virtual:
            client.connect(self._port, self._name)

    def send(self, message: Any) -> None:
        """Queue a mido message for now; no effect while the server is away.  [main]"""
        there = self.client.client if self.client is not None and self.client.here else None
        if there is not None:
            self._due.append((there.frame_time + there.blocksize, bytes(message.bytes())))

    def close(self) -> None:
        """Send due messages, and disconnect.  [main]"""
        if self.client is not None:
            time.sleep(0.05 if self._due else 0.0)
            self.client.close()


def _frames_between(begin: int, end: int) -> int:
    """JACK counts frames in 32 bits, a day at 48 kHz."""
    return (end - begin + 2**31) % 2**32 - 2**31
