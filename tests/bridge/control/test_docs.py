"""docs/osc.md is generated from the table, and its examples run."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from udp_peer import PATIENCE_SECONDS, Peer

from bridge.control import docs, messages
from bridge.control.endpoint import Endpoint
from bridge.control.parameters import PARAMETERS, parameter
from bridge.control.presets import preset_names
from bridge.control.requests import Answer, Request
from bridge.errors import BY_CODE

Serve = Callable[..., tuple[Endpoint, Peer]]


def test_the_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check"]) == 0, "run python -m bridge.control.docs"
    assert "up to date" in capsys.readouterr().out


def test_an_old_page_is_noticed_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "PAGE", tmp_path / "osc.md")
    assert docs.main(["--check"]) == 1
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    docs.PAGE.write_text("old")
    assert docs.main(["--check"]) == 1


def test_the_page_knows_everything() -> None:
    page = docs.page()
    for row in messages.TABLE.values():
        assert page.count(f"### {row.address}\n") == 1
        assert row.meaning in page
    for name in (*PARAMETERS, *preset_names(), *BY_CODE):
        assert f"| `{name}` |" in page
    rest = page
    for meant in ("$PWD", "$1"):
        rest = rest.replace(meant, "")
    assert "$" not in rest


def row_of(address: str) -> tuple[messages.Message, list[object]]:
    """The row of an address in either form, and the values before its arguments."""
    short = {messages.short(row): row for row in messages.REQUESTS}
    return (short[address], [0]) if address in short else (messages.TABLE[address], [])


def example(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", docs.page(), re.DOTALL)
    return str(text)


@pytest.fixture
def band(serve: Serve) -> Iterator[tuple[Endpoint, dict[str, Request], threading.Event]]:
    """An endpoint for the examples' messages, those received, and an event that is set by the last one."""
    came: dict[str, Request] = {}
    all_came = threading.Event()

    def take(*values: object) -> Callable[[Request], Answer]:
        def handler(request: Request) -> Answer:
            came[request.message.address] = request
            if request.message is messages.LANE_MUTE:
                all_came.set()
            return values

        return handler

    handlers = {
        messages.LANE_STATUS.address: take("playing", 8.0, 1, 7, "", "a host plays it", "", "1", "1"),
        messages.LANE_SET.address: take("temperature", 1.1, 0.0, 0),
        messages.LANE_PROMPT.address: take(0.0, 0),
        messages.LANE_PLAY.address: take(4.0, 1, 7, 0, 0.5),
        messages.LANE_MUTE.address: take(16.0, 0),
        messages.REGION_FILE.address: take(4.0, 2, 48000, 2.0, "", 0.0, 0),
    }
    endpoint, _ = serve(handlers)
    return endpoint, came, all_came


def test_the_shell_example_runs(band: tuple[Endpoint, dict[str, Request], threading.Event], tmp_path: Path) -> None:
    if not (shutil.which("oscsend") and shutil.which("oscdump")):
        pytest.skip("liblo-tools (oscsend, oscdump) is not installed")
    endpoint, came, _ = band
    spare = Peer(endpoint.port)
    port = spare.port
    spare.socket.close()
    script = example("sh").replace(str(messages.DEFAULT_PORT), str(endpoint.port)).replace("9601", str(port))
    first, rest = script.split("\n", 1)
    dump = subprocess.Popen(
        ["stdbuf", "-oL", *first.removesuffix("&").split()], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert dump.stdout is not None
    try:
        _wait_for_listener(port)
        subprocess.run(["sh", "-e", "-c", rest], check=True, cwd=tmp_path, timeout=PATIENCE_SECONDS)
        lines = [dump.stdout.readline() for _ in range(6)]
    finally:
        dump.terminate()
        dump.wait()
    assert all(messages.OK.address in line for line in lines), lines
    assert '1 "/segue/hello"' in lines[0]
    assert "a host plays it" in lines[1]
    assert came[messages.REGION_FILE.address].text("path") == f"{tmp_path}/riff.wav"
    assert came[messages.LANE_PROMPT.address].text("text") == "lo-fi piano"
    assert came[messages.LANE_PLAY.address].whole("bars") == 16
    assert came[messages.LANE_MUTE.address].at().every_bars == 4
    assert f'"{messages.LANE_MUTE.address}" 16.000000 0' in lines[5]


def _wait_for_listener(port: int) -> None:
    """Wait until the UDP port is in use."""
    table = Path("/proc/net/udp")
    pause = threading.Event()
    for _ in range(200):
        if not table.exists() or f":{port:04X} " in table.read_text():
            return
        pause.wait(0.05)


def test_the_pure_data_example_runs(band: tuple[Endpoint, dict[str, Request], threading.Event], tmp_path: Path) -> None:
    if not shutil.which("pd"):
        pytest.skip("Pure Data (puredata-core) is not installed")
    endpoint, came, all_came = band
    patch = tmp_path / "segue.pd"
    patch.write_text(example("pd").replace(str(messages.DEFAULT_PORT), str(endpoint.port)))
    command = [
        "stdbuf",
        "-eL",
        "pd",
        "-nogui",
        "-noaudio",
        "-nomidi",
        "-stderr",
        "-noprefs",
        "-open",
        str(patch),
    ]
    player = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert player.stderr is not None
    try:
        assert all_came.wait(PATIENCE_SECONDS)
        answer = next(line for line in player.stderr if "segue ok 0 /segue/hello" in line)
    finally:
        player.terminate()
        player.wait()
    assert answer
    assert came[messages.LANE_PROMPT.address].text("text") == "lo-fi piano"
    assert came[messages.LANE_MUTE.address].at().every_bars == 4


@pytest.mark.parametrize("language", ["supercollider", ""])
def test_the_other_examples_use_what_the_table_has(language: str) -> None:
    text = example(language) if language else docs.page().partition("### Max")[2].split("```")[1]
    sent = re.findall(r'(?:sendMsg\(|^)"?(/segue/[a-z/]+)"?,? (.*?)\)?;?$', text, re.MULTILINE)
    assert len(sent) == 4 + (language == "")
    for address, words in sent:
        row, before = row_of(address)
        parts = re.findall(r'"[^"]*"|[^\s,]+', words)
        values = [part.strip('"') if not re.fullmatch(r"[\d.]+", part) else float(part) for part in parts]
        row.check([*before, *values])
        if row is messages.LANE_SET:
            parameter(str(values[-2]))
