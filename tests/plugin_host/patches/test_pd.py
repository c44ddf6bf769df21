"""The Pd abstractions in Pd itself: every patch loads, the page's example plays, a loop is exact to the sample."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.control import history_rows, messages
from bridge.control.jam_rows import JAM_ROOT
from bridge.control.packet import encode, parse
from bridge.control.take_rows import TAKE
from plugin_host.patches.about import ABOUT

ROOT = Path(__file__).parents[3]
PATCHES = ROOT / "plugin_host" / "pd" / "segue"
pytestmark = pytest.mark.skipif(shutil.which("pd") is None, reason="Pure Data is not installed (puredata-core)")
PD = ["pd", "-batch", "-nogui", "-r", "48000", "-noaudio", "-nomidi", "-stderr", "-noprefs", "-path", str(PATCHES)]
LOOP = r"""#N canvas 0 0 640 360 10;
#X obj 20 90 segue.loop~;
#X obj 20 120 tabwrite~ left;
#X obj 20 20 loadbang;
#X obj 20 40 t b b;
#X msg 120 60 \; pd dsp 1;
#X msg 20 60 symbol FOLDER/a.wav;
#X obj 220 40 delay 150;
#X msg 220 60 FOLDER/b.wav;
#X obj 320 40 delay 1000;
#X msg 320 60 write -bytes 4 FOLDER/kept.wav left right;
#X msg 420 60 \; pd quit;
#X obj 420 40 delay 1100;
#X obj 120 120 tabwrite~ right;
#X obj 320 90 soundfiler;
#X obj 20 150 table left 48000;
#X obj 120 150 table right 48000;
#X connect 0 0 1 0;
#X connect 0 1 12 0;
#X connect 2 0 3 0;
#X connect 3 0 5 0;
#X connect 3 0 6 0;
#X connect 3 0 8 0;
#X connect 3 0 11 0;
#X connect 3 1 1 0;
#X connect 3 1 12 0;
#X connect 3 1 4 0;
#X connect 5 0 0 0;
#X connect 6 0 7 0;
#X connect 7 0 0 0;
#X connect 8 0 9 0;
#X connect 9 0 13 0;
#X connect 11 0 10 0;
"""  # written at the end in one go: writesf~ writes on a thread, which `quit` may cut off


def ramp(samples: int, low: float) -> np.ndarray:
    return (np.arange(samples) / samples * 0.5 + low).astype(np.float32)


def test_a_loop_changes_over_at_its_end_to_the_sample(tmp_path: Path) -> None:
    first, second = ramp(4801, 0.1), ramp(7203, 0.3)
    for name, wave in (("a", first), ("b", second)):
        soundfile.write(tmp_path / f"{name}.wav", np.stack([wave, -wave], 1), 48_000, subtype="FLOAT")
    (tmp_path / "loop.pd").write_text(LOOP.replace("FOLDER", str(tmp_path)))
    subprocess.run([*PD, "-open", str(tmp_path / "loop.pd")], check=True, timeout=60)
    kept, _ = soundfile.read(tmp_path / "kept.wav", dtype="float32")
    wanted = np.concatenate([first, first, second, second, second])
    np.testing.assert_allclose(kept[: len(wanted)], np.stack([wanted, -wanted], 1), atol=1e-6)


def test_every_help_patch_loads_without_a_word(tmp_path: Path) -> None:
    patches = [word for about in ABOUT for word in ("-open", str(PATCHES / f"{about.name}-help.pd"))]
    (tmp_path / "end.pd").write_text(
        "#N canvas 0 0 9 9 10;\n#X obj 9 9 loadbang;\n#X msg 9 39 \\; pd quit;\n#X connect 0 0 1 0;\n"
    )
    done = subprocess.run(
        [*PD, *patches, "-open", str(tmp_path / "end.pd")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == ""


def test_the_example_of_the_page_asks_what_the_table_has_and_hears_the_answers(tmp_path: Path) -> None:
    (example,) = re.findall(r"```pd\n(.*?)```", (ROOT / "docs" / "pd.md").read_text(), re.DOTALL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine:
        engine.bind(("127.0.0.1", 0))
        engine.settimeout(30)
        port = engine.getsockname()[1]
        clicks = "".join(f"#X connect 8 0 {box} 0;\n" for box in (4, 3, 2, 1))  # as if every message was clicked
        patch = example.replace("segue.client;", f"segue.client {port};").replace(
            "#X connect 1 0", "#X obj 300 20 loadbang;\n#X connect 1 0", 1
        )
        (tmp_path / "example.pd").write_text(patch + clicks)
        pd = subprocess.Popen([*[word for word in PD if word != "-batch"], "-open", str(tmp_path / "example.pd")],
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert pd.stderr is not None
        try:
            asked: dict[str, list[object]] = {}
            while not asked.keys() >= {"/segue/do/hello", "/segue/do/subscribe", messages.LANE_STOP.address}:
                data, source = engine.recvfrom(2048)
                for packet in parse(data):
                    asked[packet.address] = list(packet.values)
                    if packet.address == messages.PING.address:
                        engine.sendto(messages.OK.pack(packet.values[0], packet.address, rest=(1.5,)), source)
            engine.sendto(encode("/segue/state/prompt", [0, "lo-fi piano"]), source)
            engine.sendto(encode("/segue/state/beat", [0, 7, 2, 20.0, 30.0, 1, 5, 120.0, 4, 4, 0]), source)
            printed = {next(pd.stderr).strip(), next(pd.stderr).strip()}
        finally:
            pd.terminate()
            pd.wait()
    assert printed == {"lane: prompt lo-fi\\ piano", "beat: 7 2"}
    for address, values in asked.items():
        short = "/do/" in address
        messages.TABLE[address.replace("/do/", "/")].check([0, *values] if short else values)
    assert asked[messages.LANE_PROMPT.address][1:] == [0, "lo-fi piano"]
    assert asked[messages.LANE_MUTE.address][1:] == [0, 1, "bar", 4]


def test_every_message_of_the_help_pages_is_a_request_of_the_table(tmp_path: Path) -> None:
    asking = [about for about in ABOUT if about.name in ("segue.client", "segue.lane", "segue.morph")]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine:
        engine.bind(("127.0.0.1", 0))
        engine.settimeout(30)
        boxes, wires = [f"obj 9 9 segue.client {engine.getsockname()[1]}", "obj 9 39 loadbang", "obj 9 69 delay 50"], []
        wires.append((1, 0, 2, 0))
        for about in asking:
            thing = 0 if about.name == "segue.client" else len(boxes)
            boxes += [f"obj 9 99 {about.created}"] * (thing > 0)
            for text, _ in about.messages:
                wires += [(2, 0, len(boxes), 0), (len(boxes), 0, thing, 0)]
                boxes.append("msg 99 99 " + text.replace("_piano", "\\ piano"))
        lines = ["#N canvas 0 0 400 400 10", *(f"#X {box}" for box in boxes)]
        lines += ["#X connect {} {} {} {}".format(*wire) for wire in wires]
        (tmp_path / "ask.pd").write_text("".join(f"{line};\n" for line in lines))
        pd = subprocess.Popen([*[word for word in PD if word != "-batch"], "-open", str(tmp_path / "ask.pd")])
        try:
            asked: list[tuple[str, list[object]]] = []
            while len(asked) < sum(len(about.messages) for about in asking) - 1:  # `glide` alone asks for nothing
                for packet in parse(engine.recv(2048)):
                    if packet.address != messages.PING.address:
                        asked.append((packet.address, list(packet.values[1:])))
                        messages.TABLE[packet.address].check(list(packet.values))
        finally:
            pd.terminate()
            pd.wait()
    for wanted in (
        (messages.LANE_SLOT.address, [0, 1, "lo-fi piano"]),
        (messages.LANE_MORPH.address, [0, "prompts", 8, "now", 0.25, 0.75]),
        (messages.LANE_MORPH.address, [0, "styles", 8, "now", 1, 1]),
        (messages.LANE_SURFACE.address, [0, 0.5, 0, 8]),
        (messages.LANE_SURFACE.address, [0, 1, 1, 8, "bar"]),
        (messages.PRESET_SAVE.address, [0, "my-scene"]),
        (messages.LANE_RECALL.address, [0, "night-bus", 8, "bar"]),
    ):
        assert wanted in asked


@pytest.mark.parametrize(
    ("thing", "click", "wanted"),
    [
        ("segue.jam", "record 2", [f"{JAM_ROOT}record", 2]),
        ("segue.jam", "take_over", [f"{JAM_ROOT}take_over"]),
        ("segue.takes", "keep 3", [history_rows.TAKES_KEEP.address, 1, 3]),
        ("segue.takes", "undo", [history_rows.TAKES_UNDO.address, 1]),
        ("segue.takes", "all", [history_rows.TAKES_LIST.address, 1]),
        (
            "segue.takes",
            "order /a\\ b.wav style 96 4 4 0 8 2",
            [TAKE.address, 1, "/a b.wav", "style", 96, 4, 4, 0, 8, 2],
        ),
    ],
)
def test_jam_and_takes_ask_at_their_own_ports(tmp_path: Path, thing: str, click: str, wanted: list[object]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.bind(("127.0.0.1", 0))
        asked.settimeout(30)
        patch = tmp_path / "ask.pd"
        patch.write_text(
            f"#N canvas 0 0 300 300 10;\n#X obj 9 9 {thing} {asked.getsockname()[1]};\n#X obj 9 99 loadbang;\n"
            f"#X msg 9 129 {click};\n#X obj 99 99 delay 200;\n#X msg 99 129 \\; pd quit;\n#X connect 1 0 2 0;\n"
            "#X connect 2 0 0 0;\n#X connect 1 0 3 0;\n#X connect 3 0 4 0;\n"
        )
        subprocess.run([*PD, "-open", str(patch)], check=True, timeout=60)
        while True:
            (packet,) = parse(asked.recv(2048))
            if packet.address == wanted[0]:
                break
        assert list(packet.values) == wanted[1:]
