"""Every example of the documentation is read by a test: by these, or by those that READ_ELSEWHERE names."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from doc_examples import ROOT, Example, examples, haskell, javascript, lane_lines, osc_lines, panel_lines, ruby, shell

from bridge.control import messages
from bridge.control.endpoint import Endpoint
from bridge.control.presets import parse_preset
from bridge.control.requests import Request
from plugin_host.client.client import EngineClient
from plugin_host.midi.map_file import parse_map

ALL = examples()
READ_ELSEWHERE = {
    ("docs/osc.md", "pd"): "tests/bridge/control/test_docs.py",
    ("docs/pd.md", "pd"): "tests/plugin_host/patches/test_pd.py",
    ("docs/osc.md", "supercollider"): "tests/plugin_host/patches/test_packages.py",
    ("docs/subscriptions.md", "supercollider"): "tests/plugin_host/patches/test_packages.py",
    ("docs/supercollider.md", "supercollider"): "tests/plugin_host/patches/test_packages.py",
}


def toml(text: str) -> None:
    """A MIDI map, or a preset."""
    if "[[control]]" in text:
        assert parse_map(tomllib.loads(text), "the page").bindings
    else:
        assert parse_preset("one", text).parameters


BY_LANGUAGE: dict[str, Callable[[str], None]] = {
    "sh": shell, "max": lane_lines, "js": javascript, "ruby": ruby, "haskell": haskell,
    "toml": toml,
}  # fmt: skip
BY_BEGINNING: dict[str, Callable[[str], None]] = {
    "segue ": shell, "curl ": shell, "/segue/": osc_lines, "-> {": panel_lines,
}  # fmt: skip
DRAWINGS = {("docs/midi.md", "knob, fader, pad, pedal --> map")}  # that are no examples
OF_CLIENTS = ("docs/commands.md", "docs/presets.md")


def reader_of(example: Example) -> Callable[[str], None] | None:
    """What checks an example here; None: nothing does."""
    if (example.page, example.language) in READ_ELSEWHERE:
        return None
    if example.language:
        return BY_LANGUAGE.get(example.language)
    return next((check for begins, check in BY_BEGINNING.items() if example.text.startswith(begins)), None)


def name_of(example: Example) -> str:
    return f"{example.page}-{example.language}-{example.text.splitlines()[0][:30]}"


def test_no_example_is_left_out() -> None:
    assert len(ALL) > 50
    for example in ALL:
        drawn = any(example.page == page and example.text.startswith(begins) for page, begins in DRAWINGS)
        elsewhere = READ_ELSEWHERE.get((example.page, example.language))
        if elsewhere is not None:
            assert Path(example.page).name in (ROOT / elsewhere).read_text("utf-8")
        assert drawn or elsewhere or example.language == "python" or reader_of(example), f"nobody reads {example}"


@pytest.mark.parametrize("example", [each for each in ALL if reader_of(each)], ids=name_of)
def test_what_an_example_says_is_taken(example: Example) -> None:
    check = reader_of(example)
    assert check is not None
    check(example.text)


def test_the_examples_of_a_python_client_run(capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, Request] = {}
    heard: list[Request] = []

    def answer(*values: object) -> Callable[[Request], tuple[object, ...]]:
        def take(request: Request) -> tuple[object, ...]:
            asked[request.message.address] = request
            if request.message is messages.LANE_PROMPT:
                heard.append(request)
            return values

        return take

    handlers = {
        messages.LANE_PROMPT.address: answer(16.0, 0),
        messages.LANE_RECALL.address: answer("warehouse", 16.0, 0),
        messages.PRESET_SAVE.address: answer("my-scene"),
    }
    with Endpoint(0, handlers) as endpoint, EngineClient(endpoint.port) as client:  # type: ignore[arg-type]
        for example in ALL:
            if example.page in OF_CLIENTS and example.language == "python":
                exec(compile(example.text, example.page, "exec"), {"client": client, "lane": 0})
        for request in heard:
            endpoint.notify(messages.EVENT_HEARD, 0, request.id, request.message.address, 16.0, 0.25)
        client.ping()  # behind the event
    assert asked.keys() == handlers.keys()
    assert asked[messages.LANE_PROMPT.address].at().every_bars == 4
    assert capsys.readouterr().out == "16.0 0.25\n"


def test_the_examples_of_the_engine_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, but for half a second of the embedded model, and a melody that is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").mkdir()
    os.symlink(ROOT / "presets" / "regions" / "rock-146bpm.flac", tmp_path / "assets" / "bach.mp3")
    spoken: list[object] = []

    class Speaker:
        write = staticmethod(spoken.append)

    names: dict[str, object] = {"speaker": Speaker}
    run = [each for each in ALL if each.language == "python" and each.page not in OF_CLIENTS]
    assert len(run) == 4
    for example in run:
        short = example.text.replace("duration=8", "duration=0.5").replace("facebook/musicgen-melody", "embedded")
        exec(compile(short, example.page, "exec"), names)
    assert [len(path.read_bytes()) > 1000 for path in sorted(tmp_path.glob("*.wav"))] == [True] * 3
    assert spoken
