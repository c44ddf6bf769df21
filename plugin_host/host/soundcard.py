"""The host on a sound card: any PortAudio device, JACK and PipeWire included."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from typing import Any

from bridge.errors import SegueError
from plugin_host.host.headless import Host
from plugin_host.host.jack_card import JackCard, device_of


class SoundCardError(SegueError):
    """No sound card, no such one, or an unsupported format; the message says what to do."""

    code = "sound_card"


def load() -> Any:
    """The sounddevice module; SoundCardError if it, or PortAudio, is not installed.  [main]"""
    try:
        import sounddevice
    except ImportError:
        raise SoundCardError("sounddevice is not installed: pip install sounddevice") from None
    except OSError:
        raise SoundCardError(
            "PortAudio is not installed: on Debian and Ubuntu `sudo apt install libportaudio2`"
        ) from None
    if not sounddevice._initialized:  # terminated by `open_card`
        sounddevice._initialize()
    return sounddevice


def outputs() -> list[str]:
    """Names of the output devices, for `--sound-device`; errors as `load`.  [main]"""
    sounddevice = load()
    apis = sounddevice.query_hostapis()
    found = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
    return [f"{device['name']}, {apis[device['hostapi']]['name']}" for device in found]


def open_card(
    host: Host, device: str | int | None, say: Callable[[str], None], lanes: Sequence[int] = ()
) -> SoundCardHost | JackCard:
    """A player of the host on a device, not started; JACK devices use JACK's own library, and have ports for each of
    `lanes`.  [main]
    """
    sounddevice = load()
    found = device_of(sounddevice, device)
    if found is None:
        return SoundCardHost(host, device)
    sounddevice._terminate()  # its own JACK client would not survive the server's end
    client, latency_seconds = found
    return JackCard(host, client, say, latency_seconds, lanes)


class SoundCardHost:
    """Renders the host's blocks for a sound card. `device` is a name, a part of one, or a number."""

    def __init__(self, host: Host, device: str | int | None = None, block_samples: int = 0) -> None:
        self.host = host
        self.flagged = 0  # callbacks that PortAudio marked with an under- or overflow
        self.fault: BaseException | None = None
        self._started = False
        self._sounddevice = load()
        try:
            self._stream = self._sounddevice.OutputStream(
                samplerate=host.processor.sample_rate_hz,
                channels=host.processor.channels,
                dtype="float32",
                device=device,
                blocksize=block_samples,
                callback=self._fill,
            )
        except (self._sounddevice.PortAudioError, ValueError) as fault:
            known = "; ".join(outputs()) or "none"
            raise SoundCardError(f"the sound card does not open: {fault}. Devices: {known}") from None

    @property
    def latency_seconds(self) -> float:
        """From `render` to the speaker, as PortAudio reports it.  [any]"""
        return float(self._stream.latency)

    @property
    def running(self) -> bool:
        """Whether it plays.  [any]"""
        return bool(self._stream.active)

    def start(self) -> None:
        """Start playing.  [main]"""
        self._stream.start()
        self._started = True

    def stop(self) -> None:
        """Stop and release the card; raises the exception that ended the callback, if any.

        A card that has gone is not closed, nor PortAudio: with JACK both would wait for ever.  [main]
        """
        if self._started and not (self._stream.active or self.host.finished or self.fault):
            atexit.unregister(self._sounddevice._exit_handler)
            raise SoundCardError(
                "the sound card has gone: JACK has ended, or it was unplugged. With pip install 'segue[jack]' "
                "a JACK server that ends is waited for"
            )
        self._stream.close()
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    def _fill(self, out: Any, n_samples: int, time: Any, flags: Any) -> None:
        """PortAudio's callback.  [audio]"""
        if flags:
            self.flagged += 1
        try:
            self.host.render(out)
        except BaseException as fault:
            self.fault = fault
            out[:] = 0
            raise self._sounddevice.CallbackAbort from fault
        if self.host.finished:
            raise self._sounddevice.CallbackStop
