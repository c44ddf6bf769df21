"""npm's osc and node-osc, and liblo, send every request in every number type they have; the table takes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from bridge.control import messages
from bridge.control.arguments import Argument, Message
from bridge.control.history_rows import TAKES_REQUESTS
from bridge.control.jam_rows import JAM_REQUESTS
from bridge.control.packet import parse
from bridge.control.plugin_rows import PLUGIN_REQUESTS

ROWS: tuple[Message, ...] = (*messages.REQUESTS, *TAKES_REQUESTS, *PLUGIN_REQUESTS, *JAM_REQUESTS)
KINDS = ("i", "f", "d", "h")
DOCS = Path(__file__).parents[3] / "docs"
SEND = {
    "osc": """
const osc = require("osc");
const port = new osc.UDPPort({ localAddress: "127.0.0.1", localPort: 0, metadata: true });
port.on("ready", () => {
    for (const [address, ...args] of MESSAGES) {
        port.send({ address, args: args.map(([type, value]) =>
            ({ type, value: type === "h" ? { high: 0, low: value, unsigned: false } : value })) }, "127.0.0.1", PORT);
    }
    setTimeout(() => port.close(), 100);
});
port.open();
""",
    "node-osc": """
const { Client, Message } = require("node-osc");
const client = new Client("127.0.0.1", PORT);
const names = { i: "integer", f: "float", s: "string", d: "double" };
let left = MESSAGES.length;
for (const [address, ...args] of MESSAGES) {
    const message = new Message(address);
    args.forEach(([type, value]) => message.append({ type: names[type], value }));
    client.send(message, () => { if (--left === 0) client.close(); });
}
""",
}


def modules() -> str:
    """Where npm's packages are."""
    if "SEGUE_NODE_MODULES" in os.environ:
        return os.environ["SEGUE_NODE_MODULES"]
    found = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True) if shutil.which("npm") else None
    return found.stdout.strip() if found else ""


NODE_MODULES = modules()


def needs(package: str) -> pytest.MarkDecorator:
    there = NODE_MODULES and (Path(NODE_MODULES) / package).is_dir()
    return pytest.mark.skipif(not there, reason=f"npm's {package} is not installed (npm install -g {package})")


def value_of(argument: Argument) -> object:
    """A value that the argument takes."""
    if argument.choices:
        return argument.choices[0] if argument.kind in ("s", "at") else int(argument.choices[0])
    if argument.kind == "at":
        return "bars 4"
    if argument.kind == "s":
        return "lo-fi piano, ä"[: argument.max_length]
    return max(argument.low or 0, 3) if (argument.high or 9) >= 3 else argument.low


def typed(row: Message, kind: str) -> list[object]:
    """A request with its numbers in one type: address, then pairs of type and value."""
    pairs = []
    for argument in row.arguments:
        value = value_of(argument)
        pairs.append(["s", value] if isinstance(value, str) else [kind, int(value)])  # type: ignore[call-overload]
    return [row.address, *pairs]


def received(came: socket.socket, count: int) -> dict[str, list[object]]:
    return {packet.address: list(packet.values) for _ in range(count) for packet in parse(came.recv(65535))}


@pytest.fixture
def came() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind(("127.0.0.1", 0))
    made.settimeout(20)
    yield made  # type: ignore[misc]
    made.close()


def check(found: dict[str, list[object]]) -> None:
    assert len(found) == len(ROWS)
    for row in ROWS:
        row.check(found[row.address])


def node(script: str, port: int, sent: object) -> None:
    text = script.replace("MESSAGES", json.dumps(sent)).replace("PORT", str(port))
    done = subprocess.run(["node", "-e", text], env={**os.environ, "NODE_PATH": NODE_MODULES}, capture_output=True,
                          text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr


@needs("osc")
@pytest.mark.parametrize("kind", KINDS)
def test_npm_osc_sends_every_request(came: socket.socket, kind: str) -> None:
    node(SEND["osc"], came.getsockname()[1], [typed(row, kind) for row in ROWS])
    check(received(came, len(ROWS)))


@needs("node-osc")
@pytest.mark.parametrize("kind", ["i", "f", "d"])
def test_npm_node_osc_sends_every_request(came: socket.socket, kind: str) -> None:
    node(SEND["node-osc"], came.getsockname()[1], [typed(row, kind) for row in ROWS])
    check(received(came, len(ROWS)))


@pytest.mark.skipif(shutil.which("oscsend") is None, reason="liblo-tools (oscsend) is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_liblo_sends_every_request(came: socket.socket, kind: str) -> None:
    for row in ROWS:
        address, *pairs = typed(row, kind)
        words = ["".join(pair[0] for pair in pairs), *(str(pair[1]) for pair in pairs)]  # type: ignore[index]
        subprocess.run(["oscsend", "127.0.0.1", str(came.getsockname()[1]), str(address), *(words if pairs else [])],
                       check=True, timeout=30)  # fmt: skip
    check(received(came, len(ROWS)))


@needs("node-osc")
def test_the_example_of_the_page_runs(came: socket.socket) -> None:
    (example,) = re.findall(r"```js\n(.*?)```", (DOCS / "max.md").read_text(), re.DOTALL)
    node(example.replace("9600", "PORT"), came.getsockname()[1], [])
    for packet in [each for _ in range(3) for each in parse(came.recv(2048))]:
        messages.TABLE[packet.address.replace("/do/", "/")].check([0, *packet.values])
