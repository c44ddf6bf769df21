"""`segue doctor --audio`: the round trip of a sound card, measured, told, and stored for `segue jam`."""

from __future__ import annotations

from collections.abc import Callable

from plugin_host.doctor.doctor import GOOD, NOTE, Finding

WANDERING_MS = 1.0  # spread of the bursts: more, and a compensation is a guess


def examine_audio(
    source: str | int | None, sink: str | int | None, rate_hz: int, say: Callable[[str], None]
) -> list[Finding]:
    """Play the test signal, find it in the input, store the round trip; errors as `loop_device.measure`.  [main]"""
    from plugin_host.jam.listening import compensation
    from plugin_host.jam.listening.loop_device import measure
    from plugin_host.jam.listening.round_trip import LoopTest

    say(f"the test takes {LoopTest(rate_hz).seconds:.0f} s: bursts of noise, by loudspeaker and microphone or a cable")
    device, found = measure(source, sink, rate_hz)
    findings = [Finding(GOOD, "device", f"{device}, {rate_hz} Hz")]
    findings.append(Finding(GOOD if found.usable else NOTE, "round trip", found.text, found.advice))
    if not found.usable:
        return findings
    spread_ms = 1000.0 * found.spread_samples / rate_hz
    if spread_ms > WANDERING_MS:
        how = "a larger block, a quieter computer, or JACK"
        findings.append(Finding(NOTE, "round trip", f"it wanders by {spread_ms:.1f} ms", how))
    compensation.remember(device, found)
    text = f"{found.ms:.1f} ms for this device, in {compensation.settings_file()}: `segue jam` uses it"
    return [*findings, Finding(GOOD, "stored", text)]
