"""Two machines in one network, as network namespaces: `segue panel --lan` on one, what another device gets there.

    unshare --net --mount python tests/plugin_host/panel/lan_rig.py FOLDER      prints what the device saw, as JSON

Needs root and `ip`. The device is a thread of this process in the other namespace.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import queue
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from panel_rig import until
from web import Page, WebSocket

from plugin_host.client.engine_process import free_port
from plugin_host.client.engine_request import EngineRequest
from plugin_host.panel.run import PanelOptions, run_panel

HERE, THERE, NETWORK_NAMESPACE = "10.77.0.1", "10.77.0.2", 0x40000000
COMMANDS = f"""
mount -t tmpfs none /run
mkdir /run/netns
ip link set lo up
ip netns add device
ip link add here type veth peer name there
ip link set there netns device
ip addr add {HERE}/24 dev here
ip link set here up
ip route add default via {THERE}
ip netns exec device ip addr add {THERE}/24 dev there
ip netns exec device ip link set there up
"""


def serve(folder: Path, lan: bool) -> tuple[str, list[str]]:
    """The port of a panel that runs from now on, and what it printed."""
    said: list[str] = []
    options = PanelOptions(
        EngineRequest(port=free_port()), port=0, session=folder, watch_port=free_port(), jam_port=free_port(),
        midi_port=free_port(), start=False, browser=False, lan=lan,
    )  # fmt: skip
    threading.Thread(target=run_panel, args=(options, said.append), daemon=True).start()
    until(lambda: len(said) >= (4 if lan else 1), "the panel's lines")
    return re.findall(r":(\d+)/", said[0])[0], said


def status(port: str, path: str, method: str = "GET", **headers: str) -> int:
    """The status of a request from the device; 0: nothing answers."""
    wire = http.client.HTTPConnection(HERE, int(port), timeout=20)
    try:
        wire.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return wire.getresponse().status
    except ConnectionError:
        return 0
    finally:
        wire.close()


def accepted(address: str, origin: str) -> bool:
    """Whether a websocket from a page of this origin is let in."""
    try:
        WebSocket(f"{address.replace('http', 'ws', 1)}ws", [(b"origin", origin.encode())]).close()
    except ConnectionRefusedError:
        return False
    return True


def visit(port: str, alone: str, said: list[str]) -> dict[str, Any]:
    """What the device sees of both panels; `alone` is the port of the one without --lan."""
    own, guest = (line.split(": ")[1] for line in said[1:3])
    path = {name: address.split(port)[1] for name, address in (("own", own), ("guest", guest))}
    own_origin = f"http://{HERE}:{port}"
    with Page(own) as page, Page(guest) as looking:
        share = page.do("/panel/share")["ok"]
        found = {
            "roles": [page.role, looking.role], "shared": [share["owner"] == own, share["guest"] == guest],
            "owner stops": page.do("/panel/stop", program="host").get("ok"),
            "guest stops": looking.do("/panel/stop", program="host")["error"]["code"],
            "guest shares": looking.do("/panel/share")["error"]["code"],
        }  # fmt: skip
    return found | {
        "pages": [status(port, path["own"]), status(port, path["guest"])],
        "guest uploads": status(port, f"{path['guest']}upload?name=x", "POST", Origin=own_origin),
        "wrong token": [status(port, each) for each in ("/", *(f"{one[:-1]}x/" for one in path.values()))],
        "wrong Host": [status(port, path["own"], Host=host) for host in ("evil.example", f"evil.example:{port}", HERE)],
        "wrong Origin": [status(port, path["own"], Origin=each) for each in ("http://evil.example", "null")],
        "websocket": [accepted(own, each) for each in (own_origin, "http://evil.example", f"http://{THERE}:{port}")],
        "without --lan": status(alone, "/"),
    }  # fmt: skip


def main(folder: Path) -> None:
    """Both machines; prints what the device saw."""
    for line in COMMANDS.strip().splitlines():
        subprocess.run(line.split(), check=True)
    (port, said), (alone, _) = serve(folder, lan=True), serve(folder, lan=False)
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def device() -> None:
        with open("/run/netns/device") as namespace:
            moved = ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), NETWORK_NAMESPACE)
        try:
            assert moved == 0, os.strerror(ctypes.get_errno())
            seen.put(visit(port, alone, said))
        except BaseException as fault:  # the main thread waits for it
            seen.put(repr(fault))

    threading.Thread(target=device, daemon=True).start()
    print(json.dumps(seen.get(timeout=120)), flush=True)
    os._exit(0)  # the panels serve until then


if __name__ == "__main__":
    main(Path(sys.argv[1]))
