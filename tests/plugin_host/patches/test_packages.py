"""`segue scripts` for programs that are patched: each finds what was installed; Sonic Pi's functions run in Ruby."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from story_rig import headless
from typer.testing import CliRunner

from bridge.control import messages
from bridge.control.packet import encode, parse
from plugin_host.cli.main import app
from plugin_host.patches import max_check
from plugin_host.patches.packages import PACKAGES

Asked = list[tuple[str, list[object]]]
DOCS = Path(__file__).parents[3] / "docs"
SONIC_PI = """
require "json"
def define(name, &block) = Object.send(:define_method, name, &block)
def osc_send(host, port, address, *values) = puts(JSON.dump([address, *values]))
def live_loop(name) = yield
def sync(path) = [0, 4, 0, 250.0]
def sleep(seconds) = nil
def sample(name) = puts(JSON.dump([name]))
def run_file(path) = load(File.join(ENV["HOME"], path.delete_prefix("~/")))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


def install(*words: str) -> list[str]:
    """What the command prints."""
    done = CliRunner().invoke(app, ["scripts", *words])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.mark.parametrize("program", PACKAGES)
def test_a_package_is_put_into_a_folder_and_two_lines_say_what_is_next(tmp_path: Path, program: str) -> None:
    said = install(program, "--folder", str(tmp_path / "there"))
    files = [path for path in (tmp_path / "there").rglob("*") if path.is_file()]
    assert said[0].startswith(f"{len(files)} files in {tmp_path / 'there'}")
    assert len(said) == 3
    assert {str(path.relative_to(tmp_path / "there")) for path in files} == PACKAGES[program].files().keys()
    assert (DOCS / re.findall(r"docs/(\w+\.md)", said[2])[0]).is_file()


def test_max_is_found_by_its_newest_folder(home: Path) -> None:
    done = CliRunner().invoke(app, ["scripts", "max"])
    assert done.exit_code != 0
    assert "--folder" in done.output
    for version in (8, 9):
        (home / "Documents" / f"Max {version}").mkdir(parents=True)
    install("max")
    assert max_check.faults(home / "Documents" / "Max 9" / "Packages" / "Segue") == []


@pytest.mark.skipif(shutil.which("pd") is None, reason="Pure Data is not installed (puredata-core)")
def test_pd_finds_the_objects_without_another_word(home: Path) -> None:
    install("pd")
    (home / "use.pd").write_text(
        "#N canvas 0 0 9 9 10;\n#X obj 9 9 segue.client 1;\n#X obj 9 39 segue.morph 0;\n#X obj 9 69 loadbang;\n"
        "#X msg 9 99 \\; pd quit;\n#X connect 2 0 3 0;\n"
    )
    command = ["pd", "-batch", "-nogui", "-noaudio", "-nomidi", "-stderr", "-noprefs", "-open", str(home / "use.pd")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "couldn't create" not in done.stderr


@pytest.mark.skipif(shutil.which("sclang") is None, reason="SuperCollider is not installed (supercollider-language)")
def test_sclang_finds_the_classes_and_the_examples_of_the_pages_run(home: Path) -> None:
    install("supercollider")
    pages = ["supercollider.md", "osc.md", "subscriptions.md"]
    blocks = re.findall(r"```supercollider\n(.*?)```", "".join((DOCS / page).read_text() for page in pages), re.DOTALL)
    assert len(blocks) == len(pages)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine:
        engine.bind(("127.0.0.1", 0))
        engine.settimeout(60)
        found = '"found %".format([Segue, SegueMorph].every(_.isKindOf(Class))).postln;\n'
        text = found + "".join(blocks).replace("9600", str(engine.getsockname()[1]))
        (home / "use.scd").write_text(text)
        with (home / "log").open("wb") as log:
            sclang = subprocess.Popen(["sclang", str(home / "use.scd")], stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=subprocess.STDOUT, env={**os.environ, **headless(home)})  # fmt: skip
            try:
                asked = answer_as_an_engine(engine, sclang, lambda: (home / "log").read_text("utf-8", "replace"))
            finally:
                sclang.kill()
                sclang.wait()
    for address, values in asked:
        messages.TABLE[address.replace("/do/", "/")].check([0, *values] if "/do/" in address else values)
    lane = [(address, values[1:]) for address, values in asked if address.startswith("/segue/lane/")]
    assert lane.count((messages.LANE_PROMPT.address, [0, "lo-fi piano"])) == 1
    assert lane.count((messages.LANE_PROMPT.address, [0, "lo-fi piano", "now"])) == 1
    assert (messages.LANE_MUTE.address, [0, 1, "bar", 4]) in lane
    assert sum(address == messages.LANE_PLAY.address for address, _ in lane) == 2


def answer_as_an_engine(engine: socket.socket, sclang: subprocess.Popen[bytes], said: Callable[[], str]) -> Asked:
    """Answer sclang until it has printed what the examples say; returns what it asked, without pings."""
    asked: Asked = []
    wanted = ("found true", "the engine answers", "begins on beat 8", "[ 7, 2 ]", "bar 7 beat 2", "[ /segue/ok, ")
    while not all(text in said() for text in wanted):
        assert sclang.poll() is None, said()
        assert "ERROR" not in said(), said()
        data, source = engine.recvfrom(2048)
        for packet in parse(data):
            if packet.address == messages.PING.address:
                engine.sendto(messages.OK.pack(packet.values[0], packet.address, rest=(1.5,)), source)
                engine.sendto(encode("/segue/state/beat", [0, 7, 2, 20.0, 30.0, 1, 5, 120.0, 4, 4, 0]), source)
                continue
            if packet.address == messages.LANE_PLAY.address:
                engine.sendto(messages.OK.pack(packet.values[0], packet.address, rest=(8.0, 0, 1)), source)
            asked.append((packet.address, list(packet.values)))
    return asked


@pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby is not installed (apt install ruby)")
def test_the_examples_for_sonic_pi_ask_what_the_table_has(home: Path) -> None:
    install("sonic-pi")
    examples = re.findall(r"```ruby\n(.*?)```", (DOCS / "sonic_pi.md").read_text(), re.DOTALL)
    (home / "buffer.rb").write_text(SONIC_PI + "\n".join(examples))
    done = subprocess.run(["ruby", str(home / "buffer.rb")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *sent, kick = map(json.loads, done.stdout.splitlines())
    assert kick == ["bd_haus"]
    for address, *values in sent:
        messages.TABLE[address.replace("/do/", "/")].check([0, *values])
    assert ["/segue/do/lane/play", 0, "bar", 16] in sent
    assert ["/segue/do/lane/mute", 1, 1, "bar", 4] in sent
    assert ["/segue/do/subscribe", "beat", 10] in sent
