"""Which engine a command wants, and what an engine says of its model."""

from __future__ import annotations

from dataclasses import dataclass

from plugin_host.client.client import EngineClient


@dataclass(frozen=True)
class EngineRequest:
    """`port` 0: a child engine with this model; otherwise the running engine on the port, with its model."""

    port: int = 0
    secret: str = ""
    model: str = "embedded"
    device: str = "auto"
    precision: str = "auto"

    @property
    def arguments(self) -> list[str]:
        """The arguments of a child engine.  [any]"""
        return ["--model", self.model, "--device", self.device, "--precision", self.precision]


def described(client: EngineClient) -> list[str]:
    """The abilities of the engine's model, and its notes.  [main]"""
    model = client.model()
    sides = "stereo" if model.channels == 2 else "mono"
    device = client.status().device
    lines = [f"model: {model.model}, {sides}, {model.precision} on {device}; follows {model.abilities}"]
    return [*lines, f"note: {model.notes}"] if model.notes else lines
