"""The websocket against the OSC table: what the page asks reaches the engine as its row says, and its answer comes back
by the names of the row; guests change nothing; no path of the machine is taken from a page."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from panel_rig import Rig, value_of
from web import Page, WebSocket

from bridge.control import messages
from bridge.control.parameters import PARAMETERS
from bridge.control.presets import preset_names
from bridge.control.state_rows import SUBSCRIBE
from plugin_host.panel import table

ENGINE_ROWS = [row for to, row in table.REQUESTS.values() if to == table.ENGINE and row is not messages.PING]


@pytest.fixture(scope="module")
def page(rig: Rig) -> Iterator[Page]:
    with Page(rig.owner) as opened:
        opened.wait(lambda: opened.states.get(("lane", "0")))
        yield opened


def post(address: str, data: bytes, name: str) -> Any:
    origin = "/".join(address.split("/")[:3])
    request = urllib.request.Request(f"{address}upload?name={name}", data, {"Origin": origin}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as said:
            return json.load(said)
    except urllib.error.HTTPError as fault:
        return json.load(fault)


def wave(seconds: float = 2.0) -> bytes:
    file = io.BytesIO()
    tone = np.sin(np.arange(int(8000 * seconds)) * 0.2) * np.linspace(0, 0.9, int(8000 * seconds))
    soundfile.write(file, np.stack([tone, -tone], 1), 8000, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize("row", ENGINE_ROWS, ids=lambda row: row.address)
def test_a_request_of_the_page_is_the_tables(rig: Rig, page: Page, row: messages.Message) -> None:
    values = {each.name: value_of(each) for each in row.arguments[1:]}
    sent = dict(values)
    if table.PATH in values:
        uploaded = post(rig.owner, wave(), "tone.wav")
        sent[table.FILE] = uploaded["file"]
        del sent[table.PATH]
    before = len(rig.engine.came)
    said = page.do(row.address, **sent)
    assert said["ok"].keys() == {column.name for column in row.reply}
    came = next(each for each in rig.engine.came[before:] if each.message == row)
    if table.PATH in values:
        assert str(came.values[table.PATH]).endswith("tone.wav")
        values[table.PATH] = came.values[table.PATH]
    if not row.asks:  # the panel asks some of these itself
        wanted = row.check((1, *values.values()))
        wanted.pop("id")
        assert {name: each for name, each in came.values.items() if name != "id"} == wanted


def test_the_page_gets_the_table(page: Page) -> None:
    assert page.role == "owner"
    assert page.table["requests"].keys() == table.REQUESTS.keys()
    assert [each["name"] for each in page.table["parameters"]] == list(PARAMETERS)
    assert [each["name"] for each in page.table["presets"]] == preset_names()
    for row in page.table["parameters"]:
        known = PARAMETERS[row["name"]]
        assert (row["low"], row["high"], row["default"], row["meaning"]) == (
            known.low, known.high, known.default, known.meaning
        )  # fmt: skip


def test_states_come_by_the_names_of_the_table(page: Page) -> None:
    page.wait(lambda: page.states.get(("parameter", "0 temperature")) and page.states.get(("stats", "0")))
    assert page.states["engine", ""].keys() == {"state", "model", "device", "lanes_open", "text"}
    assert page.states["stats", "0"].keys() == {column.name for column in messages.LANE_STATS.reply}
    assert page.states["lane", "0"]["seed"] == 1234
    parameters = {about for kind, about in page.states if kind == "parameter"}
    assert parameters == {f"0 {name}" for name in PARAMETERS}


def test_the_panel_subscribes_and_follows_what_changes(rig: Rig, page: Page) -> None:
    asked = [each for each in rig.engine.came if each.message == SUBSCRIBE]
    assert [(each.values["what"], each.values["lane"]) for each in asked] == [("all", -1)]  # once
    page.wait(lambda: page.states.get(("prompt", "0"), {}).get("text") == "soft pads")
    rig.engine.said[messages.STATE_PROMPT] = (0, "loud brass")  # it is sent again from time to time
    page.wait(lambda: page.states["prompt", "0"]["text"] == "loud brass")
    rig.engine.tell(messages.STATE_LANE, 5, "ready", 0, 5, "", 0, 0, "")
    page.wait(lambda: ("lane", "5") in page.states)  # nobody says that it is closed: the datagram is lost
    page.wait(lambda: page.states["lane", "5"] is None)
    page.wait(lambda: page.states.get(("lane", "0")))


@pytest.mark.parametrize(
    ("address", "values", "code"),
    [
        ("/segue/lane/set", {"lane": 99, "name": "cfg", "value": 1}, "out_of_range"),
        ("/segue/lane/set", {"lane": "x", "name": "cfg", "value": 1}, "wrong_type"),
        ("/segue/lane/set", {"lane": 0}, "out_of_range"),
        ("/segue/lane/set", {"lane": 0, "name": "cfg", "value": 1, "more": 1}, "out_of_range"),
        ("/segue/quit", {}, "unknown_address"),
        ("/segue/hello", {}, "unknown_address"),
        ("/segue/takes/export", {"path": "/tmp/x.wav"}, "unknown_address"),
        ("/segue/region/file", {"lane": 0, "role": "style", "path": "/etc/passwd", "bpm": 0, "start_beats": 0},
         "region_missing"),
        ("/segue/region/file", {"lane": 0, "role": "style", "file": "../../x", "bpm": 0, "start_beats": 0},
         "region_missing"),
        ("/segue/stems", {"path": "/etc/passwd"}, "region_missing"),
        ("/segue/lane/prompt", {"lane": 0, "text": "x" * 1001}, "out_of_range"),
        ("/panel/stop", {"program": "engine"}, "out_of_range"),
    ],
)  # fmt: skip
def test_a_wrong_request_says_what_is_wrong(page: Page, address: str, values: dict[str, Any], code: str) -> None:
    said = page.do(address, **values)
    assert said["error"]["code"] == code
    assert said["error"]["text"]


RUBBISH = (
    "", "x", "[]", "{}", '{"do": 1}', '{"do": "/segue/status", "id": -1}', "[" * 5000,
    '{"do": "/segue/status", "values": 3}', '{"do": "/segue/status", "id": 1e99}',
    '{"do": "/segue/lane/set", "values": {"lane": NaN}}',
)  # fmt: skip


@pytest.mark.parametrize("text", RUBBISH)
def test_rubbish_is_answered_and_does_no_harm(page: Page, text: str) -> None:
    before = page.answered()
    page.socket.send(text)
    assert page.wait(lambda: page.answered() > before)
    assert page.do("/segue/status")["ok"]["state"] == "ready"


def test_guests_look_and_change_nothing(rig: Rig) -> None:
    with Page(rig.guest) as guest:
        assert guest.role == "guest"
        assert guest.do("/segue/status")["ok"]["model"] == "embedded"
        before = len(rig.engine.came)
        for address, (_, row) in table.REQUESTS.items():
            if address not in table.ASKS:
                own = row.arguments[1:] if table.numbered(row) else row.arguments
                said = guest.do(address, **{each.name: value_of(each) for each in own})
                assert said["error"]["code"] == "not_allowed"
        assert all(each.message.asks or each.message.address == "/segue/ping" for each in rig.engine.came[before:])


def test_guests_see_the_names_of_files_alone(rig: Rig) -> None:
    rig.state.put("stem", {"variation": 1, "path": "/home/me/secret/1-bass.wav"}, "1 1 bass")
    for address, path in ((rig.owner, "/home/me/secret/1-bass.wav"), (rig.guest, "1-bass.wav")):
        with Page(address) as page:
            page.wait(lambda page=page: ("stem", "1 1 bass") in page.states)
            assert page.states["stem", "1 1 bass"]["path"] == path


def test_an_upload_is_described_and_rubbish_refused(rig: Rig) -> None:
    said = post(rig.owner, wave(), "..%2F..%2Ftone.wav")
    assert (said["name"], said["seconds"], said["channels"]) == ("tone.wav", 2.0, 2)
    assert len(said["low"]) == len(said["high"]) == 600
    assert said["high"][-1] > 100 > said["high"][10]
    path = rig.desk.files.path(said["file"])
    assert path.read_bytes() == wave()
    assert rig.desk.places.scratch in path.parents
    assert post(rig.owner, b"", "empty.wav")["error"]["code"] == "region_too_short"
    assert post(rig.owner, b"RIFF" * 50, "noise.wav")["error"]["code"] == "region_not_audio"


def test_only_so_many_pages_are_open(rig: Rig) -> None:
    pages = [WebSocket(f"{rig.owner.replace('http', 'ws', 1)}ws") for _ in range(20)]
    try:
        deadline = time.monotonic() + 10
        while sum(each.closed.is_set() for each in pages) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not all(each.closed.is_set() for each in pages)
    finally:
        for each in pages:
            each.close()
