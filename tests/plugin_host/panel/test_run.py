"""`segue panel` and `segue engine --panel` as processes: ports in use, an address, an end without anything left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from panel_rig import until
from web import Page

from plugin_host.client.engine_process import free_port
from plugin_host.client.engine_request import EngineRequest
from plugin_host.panel.beside import panel_options
from plugin_host.panel.desk import Shared
from plugin_host.panel.gate import Gate
from plugin_host.panel.own_engine import OwnEngine
from plugin_host.panel.run import _shared
from plugin_host.panel.state import PanelState

ROOT = Path(__file__).parents[3]


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "plugin_host.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "BROWSER": "true"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd
    )


def test_a_panel_without_an_engine_says_so_and_ends_cleanly(tmp_path: Path) -> None:
    port = str(free_port())
    options = ("--panel-port", "0", "--no-engine", "--no-browser", "--port", port, "--session", str(tmp_path))
    panel = start("panel", *options, "--watch-port", str(free_port()), "--jam-port", str(free_port()),
                  "--midi-port", str(free_port()), cwd=tmp_path)  # fmt: skip
    try:
        assert panel.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", panel.stdout.readline())
        assert found
        with urllib.request.urlopen(found[0], timeout=20) as said:
            assert "default-src 'none'" in said.headers["content-security-policy"]
            assert b"<segue-lanes>" in said.read()
        with Page(found[0]) as page:
            page.wait(lambda: page.states.get(("link", ""), {}).get("text") == "no engine answers")
            assert page.do("/segue/status")["error"]["code"] == "no_answer"
            assert page.do("/panel/start/watch")["error"]["code"] == "not_ready"
    finally:
        panel.send_signal(signal.SIGTERM)
        out, err = panel.communicate(timeout=30)
    assert panel.returncode == 143
    assert "Traceback" not in out + err


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        panel = start("panel", "--panel-port", port, "--no-engine", "--no-browser", cwd=tmp_path)
        _, err = panel.communicate(timeout=60)
    assert panel.returncode == 3
    assert f"TCP port {port} is taken" in err


@pytest.mark.skipif(os.name != "posix", reason="a script stands for Python")
def test_an_engine_that_ends_by_itself_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, python = tmp_path / "started", tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho \"$@\" >> {started}\n"
                      "echo 'segue engine: the model cannot be used: no checkpoint'\nexit 4\n")  # fmt: skip
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    state, said = PanelState(), list[str]()
    with OwnEngine(EngineRequest(port=9, model="melody"), tmp_path, state, said.append) as own:
        own.start()
        until(lambda: state.get("own")["text"], "the reason")
        assert state.get("own") == {"model": "melody", "text": "the model cannot be used: no checkpoint"}
        own.start("embedded")  # as the page offers it
        until(lambda: state.get("own") == {"model": "embedded", "text": "the model cannot be used: no checkpoint"}, "")
    assert [line.split("--model ")[1].split()[0] for line in started.read_text().splitlines()] == ["melody", "embedded"]
    assert sum(line.startswith("engine: starting") for line in said) == 2


def test_the_panel_beside_an_engine_gets_its_port_and_secret() -> None:
    assert panel_options([]) == ["--no-engine"]
    given = ["--model", "small", "--port", "9700", "--secret-file=s.txt", "--lanes", "2"]
    assert panel_options(given) == ["--no-engine", "--port", "9700", "--secret-file", "s.txt"]


def test_codes_to_scan_are_pictures_only_with_a_network() -> None:
    gate = Gate(9650, "owner", "guest", (*Gate.names, "10.1.2.3"))
    assert _shared(gate, "") == Shared()
    shared = _shared(gate, "10.1.2.3")
    assert (shared.owner, shared.guest) == ("http://10.1.2.3:9650/owner/", "http://10.1.2.3:9650/guest/")
    assert shared.owner_code.startswith("data:image/svg+xml")
    assert shared.owner_code != shared.guest_code
