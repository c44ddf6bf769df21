"""A process that floods an engine: `python -m plugin_host.bench.trust.flood commands|mutated PORT RATE COUNT PARENT`.

`commands` sets parameters to numbers that count up; `mutated` sends changed datagrams of the table, but none that is
still a whole message to the lane that plays, nor one that legally ends something. The last line is JSON: how many were
sent, in how many seconds, how many were answered with ok, and the value of the last of these.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.control import messages
from bridge.control.packet import parse
from bridge.errors import PacketError
from plugin_host.bench.trust.hostile_osc import ATTACKS, stream
from plugin_host.bench.trust.playing import LANE
from plugin_host.console.screen import print_line

PARAMETER, LOW, STEP = "cfg", 1.0, 1e-4
BURST_SECONDS = 0.005
OK = messages.OK.address.encode() + b"\0"
MAKES = ("QUIT", "MODEL_LOAD", "MODEL_CANCEL", "MODEL_UNLOAD", "LANE_OPEN", "PRESET_SAVE")  # and these are no faults
KEPT_ROWS = tuple(row for row in messages.REQUESTS if row not in [getattr(messages, name) for name in MAKES])


@dataclass(frozen=True)
class Flooded:
    """What a flood sent, and what was answered to it."""

    sent: int
    seconds: float
    acked: int
    last_value: float


def value_of(number: int) -> float:
    """The numbered command's value: as a float32 that is given back exactly.  [any]"""
    return LOW + (number % 20_000) * STEP


def commands(count: int) -> Iterator[bytes]:
    """Numbered commands: the id is the number.  [any]"""
    return (messages.LANE_SET.pack(number, LANE, PARAMETER, value_of(number)) for number in range(1, count + 1))


def harmless(datagram: bytes) -> bool:
    """Whether a mutated datagram is not, by chance, a whole message to the playing lane or one that ends the engine.

    [main]
    """
    try:
        packets = parse(datagram)
    except PacketError:
        return True
    ends = {getattr(messages, name).address for name in MAKES}
    return all(packet.address not in ends and LANE not in packet.values for packet in packets)


def mutants(count: int) -> Iterator[bytes]:
    """Attacks and mutated datagrams.  [any]"""
    endless = (each for each in stream(29, KEPT_ROWS) if harmless(each) and len(each) <= 65_000)
    return itertools.islice(itertools.chain((each[:65_000] for each in ATTACKS.values()), endless), count)


def flood(port: int, per_second: float, datagrams: list[bytes], parent: int) -> Flooded:
    """Send them at a rate and read what is answered.  [main]"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        wire.connect(("127.0.0.1", port))
        wire.setblocking(False)
        oks, began, sent = Oks(), time.monotonic(), 0
        while sent < len(datagrams) and os.getppid() == parent:
            due = min(len(datagrams), int((time.monotonic() - began) * per_second) + 1)
            while sent < due:
                try:
                    wire.send(datagrams[sent])
                except BlockingIOError:
                    break
                except ConnectionRefusedError:
                    pass
                sent += 1
            oks.read(wire)
            time.sleep(BURST_SECONDS)
        seconds = time.monotonic() - began
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 0.5:
            if oks.read(wire):
                quiet_since = time.monotonic()
            time.sleep(0.01)
    return Flooded(sent, seconds, oks.count, oks.last_value)


class Oks:
    """Counts answers, and keeps the value of the last command that was accepted."""

    def __init__(self) -> None:
        self.count, self.last_value = 0, float("nan")

    def read(self, wire: socket.socket) -> int:
        """Read what has come; returns how much.  [main]"""
        n_read = 0
        while True:
            try:
                answer = wire.recv(65_535)
            except OSError:
                return n_read
            n_read += 1
            if answer.startswith(OK):
                values = parse(answer)[0].values
                if values[1:3] == (messages.LANE_SET.address, PARAMETER):
                    self.count, self.last_value = self.count + 1, float(values[3])


def start(kind: str, port: int, per_second: float, count: int) -> subprocess.Popen[str]:
    """Start a flood; it says `ready` and begins once it gets a line.  [main]"""
    words = [kind, str(port), str(per_second), str(count), str(os.getpid())]
    child = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "plugin_host.bench.trust.flood", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    child.stdout.readline()
    return child


def finished(child: subprocess.Popen[str]) -> Flooded:
    """What it did.  [main]"""
    said = child.communicate("go\n")[0]
    return Flooded(**json.loads(said.strip().splitlines()[-1]))


def main() -> None:
    """The program.  [main]"""
    kind, port, per_second, count, parent = sys.argv[1:]
    datagrams = list({"commands": commands, "mutated": mutants}[kind](int(count)))
    print_line("ready")
    sys.stdin.readline()
    done = flood(int(port), float(per_second), datagrams, int(parent))
    print_line(json.dumps(done.__dict__ if hasattr(done, "__dict__") else done))


if __name__ == "__main__":
    main()
