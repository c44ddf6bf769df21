"""`segue scripts` for programs that are patched: each finds what was installed; Sonic Pi's functions run in Ruby."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from story_rig import headless
from typer.testing import CliRunner

from bridge.control import messages
from plugin_host.cli.main import app
from plugin_host.patches import max_check
from plugin_host.patches.packages import PACKAGES

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
def test_sclang_finds_the_classes(home: Path) -> None:
    install("supercollider")
    (home / "use.scd").write_text('"found %".format([Segue, SegueMorph].every(_.isKindOf(Class))).postln; 0.exit;')
    done = subprocess.run(["sclang", str(home / "use.scd")], env={**os.environ, **headless(home)}, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert "found true" in done.stdout, done.stdout


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
