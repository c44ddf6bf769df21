"""Row 13: who may talk to the engine's port.

An endpoint opens itself to the network only with a flag and a secret; from another network namespace, connected by a
cable of its own, none answers that is not; and a stranger gets no more bytes than it sent. The twin is an endpoint that
is open, without a secret.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time

from bridge.control import messages
from bridge.control.endpoint import Endpoint
from bridge.errors import UnsafeBind
from plugin_host.bench.trust.bad_osc import HANDLERS
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.hostile_osc import ATTACKS, plain, stream
from plugin_host.bench.trust.stage import Stage

SECRET = "a secret of the bench"  # noqa: S105 - of this endpoint alone
WEB = tuple(
    f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n".encode()
    for method, path, host, origin in itertools.product(
        ("GET", "POST", "OPTIONS", "CONNECT"), ("/", messages.PING.address), ("127.0.0.1", "localhost", "evil.example"),
        ("null", "http://evil.example", "http://127.0.0.1"))
)  # fmt: skip
OPEN = ({"host": "0.0.0.0"}, {"host": "0.0.0.0", "secret": SECRET}, {"host": "0.0.0.0", "allow_network": True},  # noqa: S104
        {"host": "0.0.0.0", "allow_network": True, "secret": "short"})  # noqa: S104  # fmt: skip
FAULTS_MAX = 10
ASK = (
    "import socket, sys\n"
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.5)\n"
    "try:\n    s.sendto(bytes.fromhex(sys.argv[3]), (sys.argv[1], int(sys.argv[2]))); print(len(s.recv(9999)))\n"
    "except OSError: print(0)\n"
)


def _received(wire: socket.socket, patience: float) -> int:
    """Bytes that come until none do for so long."""
    wire.settimeout(patience)
    got = 0
    with contextlib.suppress(OSError):
        while True:
            got += len(wire.recv(65_535))
    return got


def _asked(wire: socket.socket, datagram: bytes, patience: float) -> int:
    """Bytes that come back for a datagram."""
    with contextlib.suppress(OSError):
        wire.send(datagram)
    return _received(wire, patience)


def amplified(port: int, count: int) -> tuple[int, list[str]]:
    """How many datagrams a stranger sent, and the answers that were longer than their requests.  [main]"""
    faults, tried = list[str](), 0
    rows = (plain(row) for row in messages.REQUESTS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        for datagram in itertools.chain(rows, WEB, ATTACKS.values(), itertools.islice(stream(13), count)):
            if not datagram or len(datagram) > 60_000:
                continue
            tried += 1
            got = _asked(wire, datagram, 0.001)
            for patience in (0.1, 0.3, 1.0):  # unless they were late answers to others
                if got > len(datagram):
                    _received(wire, patience)
                    got = _asked(wire, datagram, patience)
            if got > len(datagram):
                faults.append(f"{datagram[:24]!r}: {got} bytes came back for {len(datagram)}")
                if len(faults) >= FAULTS_MAX:
                    break
    return tried, faults


def from_elsewhere(port: int) -> tuple[int, list[str]]:
    """Whether the port answers in another network namespace; nothing is tried without root and `ip`.  [main]"""
    ip = shutil.which("ip")
    if os.geteuid() or not ip:
        return 0, []
    tag, base = f"sgt{os.getpid() % 10_000}", f"10.213.{os.getpid() % 250}"
    steps = (
        ["netns", "add", tag], ["link", "add", f"{tag}a", "type", "veth", "peer", "name", f"{tag}b", "netns", tag],
        ["addr", "add", f"{base}.1/24", "dev", f"{tag}a"], ["link", "set", f"{tag}a", "up"],
        ["-n", tag, "addr", "add", f"{base}.2/24", "dev", f"{tag}b"], ["-n", tag, "link", "set", f"{tag}b", "up"],
    )  # fmt: skip
    try:
        for step in steps:
            if subprocess.run([ip, *step], capture_output=True).returncode:  # noqa: S603 - our own command
                return 0, []  # not allowed here
        time.sleep(0.2)
        ask = [ip, "netns", "exec", tag, sys.executable, "-c", ASK, f"{base}.1", str(port), messages.PING.pack(7).hex()]
        answers = [subprocess.run(ask, capture_output=True, text=True).stdout.strip() for _ in range(3)]  # noqa: S603
        return len(answers), [f"the port answers from elsewhere: {each} bytes" for each in answers if each != "0"]
    finally:
        for step in (["netns", "del", tag], ["link", "del", f"{tag}a"]):
            subprocess.run([ip, *step], capture_output=True)  # noqa: S603 - our own command


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count, faults = stage.count(500, 3_000, 20_000), list[str]()
    for words in OPEN:
        try:
            Endpoint(0, {}, **words).close()
            faults.append(f"an endpoint opened itself with {words}")
        except UnsafeBind:
            continue
    secret = "" if stage.twin else SECRET
    with Endpoint(0, HANDLERS, engine="trust", secret=secret, messages_per_second=1e6) as endpoint:
        tried, more = amplified(endpoint.port, count)
    with Endpoint(0, HANDLERS, engine="trust") as endpoint:
        asked, elsewhere = from_elsewhere(endpoint.port)
    told = "another network namespace asked in vain" if asked else "no network namespace could be made here"
    return counted(tried + asked + len(OPEN), "strangers' requests", [*faults, *more, *elsewhere], told)
