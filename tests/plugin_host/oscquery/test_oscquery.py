"""OSCQuery over real HTTP against the message table, the values of lanes, hostile requests, and the layouts."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from bridge.control import lane_addresses, messages, state_rows
from bridge.control.packet import Packet
from bridge.control.parameters import PARAMETERS
from plugin_host.client.udp_connection import Event
from plugin_host.oscquery import layouts
from plugin_host.oscquery.run import SERVICE, announced
from plugin_host.oscquery.server import QueryServer
from plugin_host.oscquery.tree import BOTH, EXTENSIONS, READ, WRITE, find, host_info, tree
from plugin_host.oscquery.values import LaneValues

ROOT = Path(__file__).parents[3]


@pytest.fixture
def values() -> LaneValues:
    made = LaneValues()
    for row, sent in (
        (state_rows.STATE_LANE, (3, "playing", 1, 7, "", 1, 1, "")),
        (state_rows.STATE_PROMPT, (3, "slow waltz")),
        (state_rows.STATE_PARAMETER, (3, "cfg", 4.5)),
    ):
        made.take(Event(row, row.check(sent)))
    return made


@pytest.fixture
def server(values: LaneValues) -> Iterator[QueryServer]:
    made = QueryServer("127.0.0.1", 0, lambda: tree(values.now()), host_info("Segue", "127.0.0.1", 9600))
    threading.Thread(target=lambda: made.serve_forever(0.02), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def get(server: QueryServer, target: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(body) if body.startswith(b"{") else None


def test_every_request_and_state_of_the_table_is_listed(server: QueryServer) -> None:
    status, root = get(server, "/")
    assert status == 200
    for row in messages.REQUESTS:
        node = find(root, messages.short(row))
        assert node is not None
        assert node["FULL_PATH"] == messages.short(row)
        assert node["ACCESS"] == WRITE
        assert len(node.get("TYPE", "")) == len(row.arguments) - 1
        assert row.meaning in node["DESCRIPTION"]
    for row in state_rows.STATE_EVENTS:
        assert find(root, row.address)["ACCESS"] == READ


def test_lanes_have_an_address_with_value_and_range_for_each_parameter(server: QueryServer) -> None:
    status, node = get(server, "/segue/lane/3/cfg")
    row = PARAMETERS["cfg"]
    assert status == 200
    assert (node["TYPE"], node["ACCESS"], node["VALUE"], node["DESCRIPTION"]) == ("f", BOTH, [4.5], row.meaning)
    assert node["RANGE"] == [{"MIN": row.low, "MAX": row.high}]
    assert get(server, "/segue/lane/3/prompt?VALUE") == (200, {"VALUE": ["slow waltz"]})
    assert get(server, "/segue/lane/3/mute?VALUE") == (200, {"VALUE": [1]})
    assert get(server, "/segue/lane/0/cfg?VALUE") == (204, None)  # lane 0 is not open: no value yet
    assert get(server, "/segue/lane/0/cfg")[1]["ACCESS"] == WRITE


def test_a_closed_lane_disappears(server: QueryServer, values: LaneValues) -> None:
    row = state_rows.STATE_LANE
    values.take(Event(row, row.check((3, "closed", 0, 0, "", 0, 0, ""))))
    assert get(server, "/segue/lane/3/cfg")[0] == 404


def test_host_info_says_where_osc_goes(server: QueryServer) -> None:
    status, info = get(server, "/?HOST_INFO")
    assert (status, info["OSC_PORT"], info["OSC_TRANSPORT"]) == (200, 9600, "UDP")
    assert all(info["EXTENSIONS"][each] for each in EXTENSIONS)
    assert not info["EXTENSIONS"]["LISTEN"]


def test_what_it_does_not_serve_is_refused(server: QueryServer) -> None:
    assert get(server, "/segue/nothing")[0] == 404
    assert get(server, "/?NONSENSE")[0] == 400
    assert get(server, "/" + "a/" * 2000)[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get(server, "/", method)[0] == 501
    for name in ("evil.example", "evil.example:9605", "127.0.0.1.evil.example", ""):
        assert get(server, "/", Host=name)[0] == 403
    assert get(server, "/", Host="localhost:9605")[0] == 200
    with socket.create_connection(server.server_address[:2]) as half:  # says nothing more: others are served
        half.send(b"GET / HT")
        assert get(server, "/")[0] == 200


# -- addresses with the lane in them ------------------------------------------------------------------


def test_an_address_with_lane_and_name_means_the_short_form() -> None:
    row, packet = lane_addresses.read(Packet("/segue/lane/3/temperature", (1.1,)))
    assert (row, packet.values) == (messages.LANE_SET, (0, 3, "temperature", 1.1))
    row, packet = lane_addresses.read(Packet("/segue/lane/0/prompt", ("lo-fi", "bar")))
    assert (row, packet.values) == (messages.LANE_PROMPT, (0, 0, "lo-fi", "bar"))
    wrong = (
        "/segue/lane/64/cfg",
        "/segue/lane/-1/cfg",
        "/segue/lane/0/nothing",
        "/segue/lane/cfg",
        "/segue/lane/²/cfg",
    )
    assert not [address for address in wrong if lane_addresses.read(Packet(address, (1.0,)))]
    assert not set(PARAMETERS) & set(lane_addresses.LANE_ROWS), "a parameter and a request of one name"


# -- layouts ------------------------------------------------------------------------------------------


def test_the_layouts_are_up_to_date(tmp_path: Path) -> None:
    for path in layouts.write(tmp_path):
        kept = ROOT / "docs" / "layouts" / path.name
        same = path.read_bytes() == kept.read_bytes()
        if path.suffix == ".tosc":  # zlib may compress otherwise elsewhere
            same = zlib.decompress(path.read_bytes()) == zlib.decompress(kept.read_bytes())
        assert same, "run segue osc-layouts docs/layouts"


def sent_by_layouts() -> Iterator[tuple[str, float | str]]:
    """Address and value of each widget of both files; of faders both ends."""
    session = json.loads(layouts.open_stage_control())
    for widget in session["content"]["widgets"]:
        ends = widget["range"].values() if widget["type"] == "fader" else [widget["on"]]
        yield from ((widget["address"], each) for each in ends)
    for osc in Xml.fromstring(zlib.decompress(layouts.touch_osc())).iter("osc"):
        partial = osc.find("arguments/partial")
        address, kind = osc.findtext("path/partial/value"), partial.findtext("type")
        if kind == "VALUE":
            yield from ((address, float(partial.findtext(end))) for end in ("scaleMin", "scaleMax"))
        else:
            text = partial.findtext("value")
            yield address, text if partial.findtext("conversion") == "STRING" else int(text)


def test_all_that_the_layouts_send_is_taken() -> None:
    seen = set()
    for address, value in sent_by_layouts():
        row, packet = lane_addresses.read(Packet(address, (value,)))
        row.check(packet.values)
        seen.add(address.rpartition("/")[2])
    assert {*PARAMETERS} - set(layouts.LEFT_OUT) <= seen


def test_programs_find_it_by_name_while_it_runs() -> None:
    zeroconf = pytest.importorskip("zeroconf", reason="needs zeroconf (the extra of that name)")
    came, gone, said = threading.Event(), threading.Event(), list[str]()

    def look(**change: Any) -> None:
        if change["name"].startswith("Segue"):
            (gone if change["state_change"] is zeroconf.ServiceStateChange.Removed else came).set()

    try:
        browser = zeroconf.Zeroconf()
    except OSError as fault:
        pytest.skip(f"needs a network that takes multicast: {fault}")
    with browser:
        zeroconf.ServiceBrowser(browser, SERVICE, handlers=[look])
        with announced("127.0.0.1", 5678, said.append):
            assert came.wait(10)
            found = browser.get_service_info(SERVICE, f"Segue.{SERVICE}")
            assert found is not None
            assert (found.parsed_addresses(), found.port) == (["127.0.0.1"], 5678)
        assert gone.wait(10)
    assert said == [f"announced as Segue, {SERVICE}"]
