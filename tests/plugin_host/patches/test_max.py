"""The Max package: made by its program, checked as a whole; its scripts run under Node with stand-ins for Max."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.control import history_rows, messages
from bridge.control.packet import parse
from bridge.control.take_rows import TAKE
from plugin_host.patches import __main__ as write
from plugin_host.patches import max_check
from plugin_host.patches.files import all_files

PACKAGE = Path(__file__).parents[3] / "plugin_host" / "max" / "Segue"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed (apt install nodejs)")
# runs one of Max's js files: steps are [inlet, name, values]; prints what left the outlets
HARNESS = """
const vm = require("vm"), fs = require("fs");
const [file, given, world, steps] = process.argv.slice(2).map((text, n) => n ? JSON.parse(text) : text);
const out = [];
const box = {
    jsarguments: [file, ...given], inlet: 0, messagename: "", post: (text) => out.push(["post", text]),
    outlet: (number, ...values) => out.push([number, ...values.flat()]), arrayfromargs: (values) => [...values],
    Buffer: function (name) { this.framecount = () => world.frames[name];
        this.length = () => world.frames[name] / 48; },
    LiveAPI: function (path) {
        const thing = world.live ? world.live[path] : undefined;
        this.id = thing ? 7 : 0;
        this.get = (name) => [thing[name]];
        this.call = (name, ...values) => out.push(["call", path, name, ...values]);
    },
};
vm.createContext(box);
vm.runInContext(fs.readFileSync(file, "utf8"), box);
for (const [inlet, name, ...values] of steps) {
    box.inlet = inlet;
    box.messagename = name;
    (typeof box[name] === "function" ? box[name] : box.anything)(...values);
}
console.log(JSON.stringify(out));
"""


def test_the_files_are_those_that_the_program_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert write.main(["--check"]) == 0, capsys.readouterr().out


def test_the_package_has_no_fault() -> None:
    assert max_check.faults(PACKAGE) == []
    assert len(max_check.patches(PACKAGE)) == 17


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: (p / "help/segue.lane.maxhelp").unlink(), "help/segue.lane.maxhelp is missing"),
        (lambda p: (p / "docs/segue.jam.maxref.xml").unlink(), "docs/segue.jam.maxref.xml is missing"),
        (lambda p: (p / "patchers/segue.meter.maxpat").unlink(), "help/segue.meter.maxhelp is about nothing"),
        (lambda p: change(p / "package-info.json", lambda facts: facts.pop("version")), "no version"),
        (lambda p: (p / "javascript/segue.lane.js").unlink(), "segue.lane.js is missing in javascript/"),
        (lambda p: change(p / "patchers/segue.lane.maxpat", lambda c: c["patcher"]["boxes"][0]["box"].update(
            text='print "/Users/anna/x"', maxclass="newobj", numinlets=1, numoutlets=0)), "a cord from outlet"),
        (lambda p: change(p / "patchers/segue.jam.maxpat", lambda c: c["patcher"]["boxes"][1]["box"].update(
            text="OSC-route /segue")), "no object that comes with Max"),
        (lambda p: change(p / "patchers/segue.jam.maxpat", lambda c: c["patcher"]["boxes"].append(
            {"box": {"id": "x", "maxclass": "message", "numinlets": 2, "numoutlets": 1, "text": "/home/a.wav"}})),
         "an absolute path"),
        (lambda p: (p / "examples/Segue.amxd").write_bytes((p / "examples/Segue.amxd").read_bytes()[:-4]), "head"),
    ],
)  # fmt: skip
def test_the_checker_names_what_is_wrong(tmp_path: Path, damage: Callable[[Path], object], says: str) -> None:
    package = tmp_path / "Segue"
    shutil.copytree(PACKAGE, package)
    damage(package)
    assert any(says in fault for fault in max_check.faults(package))


@pytest.mark.skipif(importlib.util.find_spec("py2max") is None, reason="py2max is not installed (pip install py2max)")
def test_py2max_finds_no_error_in_any_patch(tmp_path: Path) -> None:
    from py2max import Patcher
    from py2max.m4l import read_amxd

    for path in max_check.patches(PACKAGE):
        content = json.dumps({"patcher": max_check.patcher(path)})
        copy = tmp_path / f"{path.stem}.maxpat"
        copy.write_text(content)
        found = [issue for issue in Patcher.from_file(copy).lint() if "error" in str(issue.severity).lower()]
        assert not found, path.name
        if path.suffix == ".amxd":
            assert read_amxd(path)


def run_js(name: str, *steps: list[object], given: object = (), **world: object) -> list[list[Any]]:
    """What leaves the outlets of a script for these messages."""
    words = [str(PACKAGE / "javascript" / name), *(json.dumps(each) for each in (given, world, steps))]
    done = subprocess.run(["node", "-e", HARNESS, "x", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@needs_node
def test_the_client_says_hello_until_it_is_answered_and_again_after_a_restart() -> None:
    sent = run_js(
        "segue.client.js", [0, "reply_port", 9700], [0, "bang"], [0, "lane/play", 0, "bar"],
        [1, "/segue/ok", 1048575, "/segue/hello", 4, "segue", 30], [0, "bang"],
        [1, "/segue/ok", 1048574, "/segue/ping", 90], [1, "/segue/ok", 1048574, "/segue/ping", 2],
        [1, "/segue/error", 3, "/segue/lane/play", "no_such_lane", "lane 0 is not open"],
    )  # fmt: skip
    to_engine = [message[1:] for message in sent if message[0] == 2]
    hello = ["/segue/hello", 1048575, 9700, "max"]
    ping = ["/segue/ping", 1048574]
    assert to_engine == [
        hello,
        ping,
        ["/segue/lane/play", 1, 0, "bar"],
        ["/segue/do/subscribe", "all", 10],
        ping,
        hello,
    ]
    assert [1, 1] in sent
    assert ["post", "segue: lane 0 is not open (no_such_lane, /segue/lane/play)\n"] in sent
    for address, *values in to_engine:
        if address in messages.TABLE:
            messages.TABLE[address].check([float(v) if isinstance(v, int) else v for v in values])


@needs_node
def test_lane_and_jam_make_addresses() -> None:
    sent = run_js("segue.lane.js", [0, "play", "bar", 16], [0, "region", "style", "/a b.wav", 0, 0],
                  [0, "clear", "style"],
                  given=[3])  # fmt: skip
    assert sent == [[0, "lane/play", 3, "bar", 16], [0, "region/file", 3, "style", "/a b.wav", 0, 0],
                    [0, "region/clear", 3, "style"]]  # fmt: skip
    assert run_js("segue.jam.js", [0, "record", 4], [0, "bang"], [1, "/segue/jam/event/state", "trade", "playing"]) == [
        [2, "/segue/jam/record", 4], [2, "/segue/jam/listen", 9602, 10], [0, "trade", "playing"]
    ]  # fmt: skip


@needs_node
def test_morph_mixes_with_the_last_glide() -> None:
    sent = run_js("segue.morph.js", [0, "msg_float", 1], [0, "glide", 8], [0, "list", 0.25, 0.75], [0, "styles", 1, 1],
                  [0, "xy", 0.5, 0], [0, "slot", 2, "techno"], [0, "save", "my-scene"],
                  [0, "recall", "night-bus", 8, "bar"], given=[3])  # fmt: skip
    assert sent == [
        [0, "lane/morph", 3, "prompts", 0, "now", 1], [0, "lane/morph", 3, "prompts", 8, "now", 0.25, 0.75],
        [0, "lane/morph", 3, "styles", 8, "now", 1, 1], [0, "lane/surface", 3, 0.5, 0, 8],
        [0, "lane/slot", 3, 2, "techno"], [0, "preset/save", 3, "my-scene"],
        [0, "lane/recall", 3, "night-bus", 8, "bar"],
    ]  # fmt: skip
    for _, name, *values in sent:
        messages.TABLE[f"/segue/{name}"].check([1, *values])


@needs_node
def test_the_loop_changes_over_at_its_end() -> None:
    frames = {"7-a": 4800, "7-b": 9600}
    sent = run_js("segue.loop.js", [0, "/one.wav"], [2, "msg_int", 0], [0, "/two.wav"], [1, "bang"], [2, "msg_int", 1],
                  [1, "bang"], [0, "stop"], given=["7"], frames=frames)  # fmt: skip
    assert sent == [
        [0, "replace", "/one.wav"], [2, 0], [3, 4800], [4, 100], [5, "bang"], [6, 1],
        [1, "replace", "/two.wav"], [4, 100],
        [2, 1], [3, 9600], [4, 200], [6, 0], [5, "stop"],
    ]  # fmt: skip


@needs_node
def test_the_live_device_sends_the_clip_and_places_a_take() -> None:
    markers = {"warp_markers": [{"sample_time": 0, "beat_time": 0}, {"sample_time": 8, "beat_time": 16},
                                {"sample_time": 8.1, "beat_time": 16.2}]}  # fmt: skip
    clip = {"is_audio_clip": 1, "looping": 1, "loop_start": 4, "loop_end": 8, "warping": 1, "file_path": "/m/riff.wav",
            "warp_markers": json.dumps(markers)}  # fmt: skip
    song = {
        "tempo": 100,
        "current_song_time": 9.5,
        "is_playing": 1,
        "signature_numerator": 3,
        "signature_denominator": 4,
    }
    live = {"live_set": song, "live_set view detail_clip": clip, "live_set view highlighted_clip_slot": {"has_clip": 0}}
    steps = [0, "send", "continue", 0], [0, "transport", 0], [0, "take", "/m/take.wav"]
    sent = run_js("segue.live.js", *map(list, steps), live=live)
    assert [2, "/m/riff.wav", "continue", 120, 6] in sent  # the loop, four beats into the file, begins on beat 10
    assert [0, "region/file", 0, "continue", "/m/riff.wav", 120, 6] in sent
    assert [0, "transport", 0, 1, 9.5, 100, 3, 4] in sent
    assert ["call", "live_set view highlighted_clip_slot", "create_audio_clip", "/m/take.wav"] in sent
    assert run_js("segue.live.js", list(steps[0]), live={}) == [[1, "select an audio clip first"]]


STAND_IN = """
const handlers = {};
exports.MESSAGE_TYPES = { ALL: "all" };
exports.post = (text) => console.error(text);
exports.outlet = (...values) => { console.log(JSON.stringify(values)); if (values[0] === "ok") process.exit(0); };
exports.addHandler = (name, action) => { handlers[name] = action; };
setTimeout(() => JSON.parse(process.env.STEPS).forEach((step) => handlers.all ? handlers.all(false, ...step)
    : handlers[step[0]](...step.slice(1))), 10);
"""


def run_node(tmp_path: Path, script: str, steps: list[list[object]], *arguments: str) -> subprocess.Popen[str]:
    module = tmp_path / "node_modules" / "max-api"
    module.mkdir(parents=True)
    (module / "index.js").write_text(STAND_IN)
    command = ["node", str(PACKAGE / "code" / script), *arguments]
    environment = {"NODE_PATH": str(tmp_path / "node_modules"), "STEPS": json.dumps(steps), "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@needs_node
def test_the_takes_script_asks_segue_watch_and_gets_its_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as watch:
        watch.bind(("127.0.0.1", 0))
        watch.settimeout(30)
        order = ["order", "/ä.wav", "continue", 96.5, 4, 4, 0, 8, 2]
        node = run_node(tmp_path, "segue.takes.js", [order, ["keep", 1]], str(watch.getsockname()[1]))
        (first,), _ = parse(watch.recv(2048)), None
        data, source = watch.recvfrom(2048)
        (second,) = parse(data)
        watch.sendto(messages.OK.pack(2, second.address), source)
        assert node.stdout is not None
        assert json.loads(node.stdout.readline()) == ["ok", 2, second.address]
        node.wait(30)
    assert (first.address, first.values[1:]) == (TAKE.address, tuple(order[1:]))
    TAKE.check(list(first.values))
    assert second.address == history_rows.TAKES_KEEP.address


@needs_node
def test_the_secret_script_proves_as_the_engine_expects(tmp_path: Path) -> None:
    import hashlib
    import hmac

    node = run_node(tmp_path, "segue.secret.js", [["secret", "moss"], ["challenge", "abc", 9601]])
    out, _ = node.communicate(timeout=30)
    proof = hmac.new(b"moss", b"abc 9601", hashlib.sha256).hexdigest()
    assert json.loads(out) == [f"hmac:{proof}"]


def test_every_file_is_written_once() -> None:
    assert all(not name.startswith("/") and ".." not in name for name in all_files())
