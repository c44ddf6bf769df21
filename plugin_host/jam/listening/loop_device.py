"""A device that captures and plays at once, for the loop-back test: JACK by its own library, the others by PortAudio.

Devices are named as `segue doctor` lists them, in part or by number; `jack:CLIENT` is a JACK client.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bridge.ring.form import Audio
from plugin_host.host.jack_card import LARGEST_BLOCK
from plugin_host.host.jack_client import JackError, LastingClient
from plugin_host.host.jack_device import SYSTEM, jack_name
from plugin_host.host.soundcard import SoundCardError, load
from plugin_host.jam.listening.compensation import round_trip_samples
from plugin_host.jam.listening.round_trip import LoopTest, RoundTrip

_PATIENCE = 3.0  # times as long as the test, until a device counts as standing still
_LOOK_SECONDS = 0.05


class _Fault:
    """The exception that ended a callback, if any."""

    raised: BaseException | None = None


def measure(source: str | int | None, sink: str | int | None, rate_hz: int) -> tuple[str, RoundTrip]:
    """Play the test from one device into another; the device's name for the settings, and what came back.

    SoundCardError or JackError if it does not open, runs at another rate, or stands still.  [main]
    """
    from_jack, to_jack = jack_name(source, "input"), jack_name(sink, "output")
    if from_jack is None and to_jack is None:
        return _by_portaudio(source, sink, rate_hz)
    if (from_jack is None and source is not None) or (to_jack is None and sink is not None):
        raise SoundCardError(f"from {source} to {sink}: both through JACK, or neither")
    return _by_jack(from_jack or SYSTEM, to_jack or SYSTEM, rate_hz)


def known_round_trip(source: str | int | None, sink: str | int | None, rate_hz: int) -> int | None:
    """The samples that `segue doctor --audio` measured for these devices; None without. Errors as `measure`.  [main]"""
    from_jack, to_jack = jack_name(source, "input"), jack_name(sink, "output")
    if from_jack is None or to_jack is None:
        names = [str(device["name"]) for device in _cards(load(), source, sink)]
        return round_trip_samples(_card_device(*names), rate_hz)
    client = LastingClient("segue-look", lambda client: None)
    try:
        block = int(client.client.blocksize)
    finally:
        client.close()
    return round_trip_samples(_jack_device(from_jack, to_jack, block), rate_hz)


def _jack_device(source: str, sink: str, block: int) -> str:
    """A name for the settings: JACK's block is part of its round trip."""
    return f"jack:{source} > jack:{sink}, {block} samples"


def _card_device(source: str, sink: str) -> str:
    return f"{source} > {sink}"


def _cards(sounddevice: Any, source: str | int | None, sink: str | int | None) -> list[Any]:
    try:
        return [sounddevice.query_devices(source, "input"), sounddevice.query_devices(sink, "output")]
    except (sounddevice.PortAudioError, ValueError) as error:
        raise SoundCardError(
            f"no sound card that captures and plays: {error}; `segue doctor` lists them, jack:CLIENT is JACK's"
        ) from None


def _wait(test: LoopTest, fault: _Fault) -> None:
    until = time.monotonic() + _PATIENCE * test.seconds
    while not test.finished and fault.raised is None:
        if time.monotonic() > until:
            raise SoundCardError("the device opens, but asks for no sound: is another program holding it?")
        time.sleep(_LOOK_SECONDS)
    if fault.raised is not None:
        raise fault.raised


def _by_portaudio(source: str | int | None, sink: str | int | None, rate_hz: int) -> tuple[str, RoundTrip]:
    sounddevice, fault = load(), _Fault()
    devices = _cards(sounddevice, source, sink)
    channels = [min(2, int(devices[0]["max_input_channels"])), min(2, int(devices[1]["max_output_channels"]))]
    test = LoopTest(rate_hz, channels[0])

    def fill(captured: Any, out: Any, n_samples: int, moment: Any, flags: Any) -> None:
        try:
            test.render(captured, out)
        except BaseException as raised:
            fault.raised = raised
            raise sounddevice.CallbackAbort from raised

    try:
        stream = sounddevice.Stream(
            samplerate=rate_hz, channels=channels, dtype="float32", device=(source, sink), latency="low", callback=fill
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise SoundCardError(f"the sound card does not open: {error}; `segue doctor` lists the devices") from None
    with stream:
        _wait(test, fault)
    return _card_device(str(devices[0]["name"]), str(devices[1]["name"])), test.result()


def _by_jack(source: str, sink: str, rate_hz: int) -> tuple[str, RoundTrip]:
    test, fault = LoopTest(rate_hz, 2), _Fault()
    out: Audio = np.zeros((LARGEST_BLOCK, 2), np.float32)
    captured: Audio = np.zeros((LARGEST_BLOCK, 2), np.float32)
    ports: list[list[Any]] = [[], []]

    def fill(n_samples: int) -> None:
        try:
            for channel, port in enumerate(ports[0]):
                captured[:n_samples, channel] = port.get_array()
            test.render(captured[:n_samples], out[:n_samples])
        except BaseException as raised:
            fault.raised, out[:] = raised, 0
        for channel, port in enumerate(ports[1]):
            port.get_array()[:] = out[:n_samples, channel]

    def set_up(client: Any) -> None:
        if client.samplerate != rate_hz:
            raise JackError(f"JACK runs at {client.samplerate} Hz, not at {rate_hz}: --rate {client.samplerate}")
        ports[0] = [client.inports.register(f"in_{n}") for n in (1, 2)]
        ports[1] = [client.outports.register(f"out_{n}") for n in (1, 2)]
        client.set_process_callback(fill)

    def connect(client: Any) -> None:
        there = client.get_ports(f"^{source}:", is_audio=True, is_output=True)
        back = client.get_ports(f"^{sink}:", is_audio=True, is_input=True)
        if not there or not back:
            missing = f"{source!r} that gives" if not there else f"{sink!r} that takes"
            raise JackError(f"JACK has no client {missing} sound")
        for number, port in enumerate(ports[0]):
            client.connect(there[min(number, len(there) - 1)], port)
        for port, to in zip(ports[1], back, strict=False):
            client.connect(port, to)

    client = LastingClient("segue-doctor", set_up, connect)
    try:
        block = int(client.client.blocksize)
        _wait(test, fault)
    finally:
        client.close()
    return _jack_device(source, sink, block), test.result()
