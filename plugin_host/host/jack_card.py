"""The host as a JACK client: like `soundcard`, for a server that may end and come back.

PortAudio's JACK host API hangs for ever after the server has ended; therefore JACK devices use this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bridge.errors import SegueError
from bridge.ring.form import Audio
from plugin_host.host.headless import LARGEST_BLOCK, Host
from plugin_host.host.jack_client import JackError, LastingClient, load

API = "JACK Audio Connection Kit"  # PortAudio's name


class JackCard:
    """Renders the host's blocks for JACK, into the ports of the client `device`; `say` reports its end and return.

    The host stands still while there is no server. With several `lanes` (their numbers) each has its own ports,
    `lane_0_1` and so on, and all are connected to the device.
    """

    def __init__(
        self, host: Host, device: str, say: Callable[[str], None], latency_seconds: float = 0.0,
        lanes: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.host = host
        self.latency_seconds = latency_seconds  # from `render` to the speaker, as JACK reports it
        self.flagged = 0  # xruns that JACK reported
        self.fault: BaseException | None = None
        self._device, self._say = device, say
        self._heads = [f"lane_{lane}" for lane in lanes] if len(lanes) > 1 else ["out"]
        shape = LARGEST_BLOCK, host.processor.channels
        self._outs: list[Audio] = [np.zeros(shape, np.float32) for _ in self._heads]
        self._ports: list[list[Any]] = []
        self._client: LastingClient | None = None
        load()

    @property
    def running(self) -> bool:
        """Whether it plays, or waits for its server.  [any]"""
        return self._client is not None and self.fault is None and not self.host.finished

    def start(self) -> None:
        """Start playing; JackError if no server runs or it has another rate.  [main]"""
        self._client = LastingClient("segue", self._set_up, self._connect, self._say)

    def stop(self) -> None:
        """Stop and disconnect, with or without a server; raises the exception of the callback, if any.  [main]"""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    def _set_up(self, client: Any) -> None:
        rate = self.host.processor.sample_rate_hz
        if client.samplerate != rate:
            raise JackError(f"JACK runs at {client.samplerate} Hz, the host at {rate}: --rate {client.samplerate}")
        channels = range(1, self.host.processor.channels + 1)
        self._ports = [[client.outports.register(f"{head}_{n}") for n in channels] for head in self._heads]
        client.set_process_callback(self._fill)
        client.set_xrun_callback(self._late)

    def _connect(self, client: Any) -> None:
        inputs = client.get_ports(f"^{self._device}:", is_audio=True, is_input=True)
        if not inputs:
            raise JackError(f"JACK has no client {self._device!r} that takes sound")
        for ports in self._ports:
            for port, there in zip(ports, inputs, strict=False):
                client.connect(port, there)

    def _late(self, delayed_usecs: float) -> None:
        self.flagged += 1

    def _fill(self, n_samples: int) -> None:
        """JACK's callback.  [audio]"""
        outs = [out[:n_samples] for out in self._outs]
        try:
            if self.fault is None and len(outs) > 1:
                self.host.render_lanes(outs)
            elif self.fault is None:
                self.host.render(outs[0])
        except BaseException as fault:
            self.fault = fault
        for ports, out in zip(self._ports, outs, strict=True):
            if self.fault is not None:
                out[:] = 0
            for channel, port in enumerate(ports):
                port.get_array()[:] = out[:, channel]


def device_of(sounddevice: Any, device: str | int | None) -> tuple[str, float] | None:
    """The JACK client's name and its latency in seconds, if this output is a JACK port; else None.  [main]"""
    try:
        found = sounddevice.query_devices(device, "output")
        api = sounddevice.query_hostapis(found["hostapi"])["name"]
        load()
    except (sounddevice.PortAudioError, ValueError, SegueError):
        return None
    return (str(found["name"]), float(found["default_low_output_latency"])) if api == API else None
