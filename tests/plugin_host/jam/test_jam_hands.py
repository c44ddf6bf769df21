"""Foot switches by mido's messages and through a real JACK port, and keys in a real terminal."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import mido
import pytest
from terminal_rig import PATIENCE_SECONDS, ROOT, Terminal

from plugin_host.jam.hands.foot_switch import FootSwitch
from plugin_host.jam.hands.keys import HELP, QUIT, VERB_OF, KeyReader
from plugin_host.jam.hands.switches import DEFAULT, parse_switches
from plugin_host.jam.state import VERBS, Press
from plugin_host.midi.binding import bind
from plugin_host.midi.mapper import Mapper


def control(number: int, *values: int) -> list[mido.Message]:
    return [mido.Message("control_change", channel=n % 16, control=number, value=value)
            for n, value in enumerate(values)]  # fmt: skip


def pressed(messages: list[mido.Message], every: float = 0.2, **options: object) -> list[Press]:
    found: list[Press] = []
    foot = FootSwitch(found.append, lambda seconds: round(seconds * 48_000), **options)  # type: ignore[arg-type]
    for n, message in enumerate(messages):
        foot.receive(message, n * every)
    return found


def test_every_verb_has_a_switch_of_each_kind() -> None:
    for kind, first in (("control_change", 80), ("note_on", 36), ("program_change", 0)):
        for place, verb in enumerate(VERBS):
            field = {"control_change": "control", "note_on": "note", "program_change": "program"}[kind]
            rest = {"value": 127} if kind == "control_change" else {}
            message = mido.Message(kind, **{field: first + place}, **rest)
            assert pressed([message]) == [Press(verb, None, "midi", 0)]
    assert [pressed(control(number, 127))[0].verb for number in (64, 66, 67)] == ["play_stop", "take_over", "cancel"]


@pytest.mark.parametrize("every", [0.005, 0.02, 0.2])
def test_a_map_and_a_foot_switch_take_the_same_presses(every: float) -> None:
    values = (10, 40, 64, 127, 127, 90, 63, 64, 0, 127, 127, 0, 127)
    foot, sent = pressed(control(64, *values), every), []
    mapper = Mapper(lambda target, value: sent.append(round(now * 48_000)))
    mapper.use([bind("cc 64", "jam/play_stop", 0)])
    for number, message in enumerate(control(64, *values)):
        now = number * every
        mapper.act(mapper.decode(message, now), now)
    assert sent == [press.at_sample for press in foot]
    assert len(sent) == {0.005: 1, 0.02: 5, 0.2: 6}[every]


def test_a_momentary_switch_presses_when_it_goes_down() -> None:
    found = pressed(control(64, 0, 127, 0, 127, 0))
    assert [press.at_sample for press in found] == [9600, 28_800]  # when it happened


@pytest.mark.parametrize(
    ("values", "latching", "count"),
    [
        ((127, 0, 127, 0), True, 4),
        ((0, 127), True, 1),  # a device that tells how it stands when it is plugged in
        ((127, 127, 127), False, 3),  # each press sends the same value, and none is sent on release
        ((10, 40, 63, 64, 80, 127, 90, 70, 30), False, 1),  # a continuous pedal, up and down
    ],
)
def test_other_switches(values: tuple[int, ...], latching: bool, count: int) -> None:
    assert len(pressed(control(80, *values), latching=latching)) == count


def test_a_bouncing_contact_presses_once() -> None:
    assert len(pressed(control(64, 127, 0, 127, 0), every=0.005)) == 1
    assert len(pressed([mido.Message("note_on", note=36)] * 2, every=0.01)) == 1  # over two cables


def test_what_is_no_switch_is_ignored() -> None:
    others = [
        mido.Message("note_on", note=36, velocity=0), mido.Message("note_off", note=36), mido.Message("clock"),
        mido.Message("control_change", control=1, value=127), mido.Message("note_on", note=100),
        mido.Message("pitchwheel", pitch=100), mido.Message("sysex", data=(1, 2)),
        mido.Message("program_change", program=8), mido.Message("control_change", control=123, value=0),
    ]  # fmt: skip
    assert pressed(others) == []


def test_own_table_replaces_the_built_in_one() -> None:
    table = parse_switches("record:4=cc20, take_over=note60 again=program127")
    messages = [mido.Message("note_on", note=60), *control(20, 127), mido.Message("program_change", program=127),
                *control(64, 127)]  # fmt: skip
    found = [(press.verb, press.bars) for press in pressed(messages, switches=table)]
    assert found == [("take_over", None), ("record", 4), ("again", None)]
    assert parse_switches(" ") is DEFAULT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stop=cc64", "verbs are play_stop"), ("hold=cc128", "up to 127"), ("hold=knob4", "VERB=cc64"),
        ("hold=", "got 'hold='"), ("hold:4=cc1", "only record"), ("record:0=cc1", "1 to 64"),
        ("record:65=cc1", "1 to 64"),
    ],
)  # fmt: skip
def test_a_wrong_table_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_switches(text)


THROUGH_JACK = """
import mido, sys, time
import jack
from plugin_host.jam.hands.foot_switch import FootSwitch, open_foot_switch
from plugin_host.sync.midi_ports import backend
for _ in range(200):
    try:
        patch_bay = jack.Client("patch", no_start_server=True)
        break
    except jack.JackOpenError:
        time.sleep(0.05)
found = []
def since_ms(seconds):
    return round(1000 * (time.monotonic() - seconds))
close = open_foot_switch("virtual:segue-foot", FootSwitch(found.append, since_ms))
pedal = backend().open_output("pedal", virtual=True)
ports = {port.name: port for port in patch_bay.get_ports(is_midi=True)}
patch_bay.connect(*(ports[next(name for name in ports if name.endswith(end))] for end in ("pedal", "segue-foot")))
messages = [mido.Message("control_change", control=64, value=127), mido.Message("control_change", control=64, value=0),
            mido.Message("program_change", program=1), mido.Message("note_on", note=39)]
for message in messages:
    pedal.send(message)
    time.sleep(0.1)
deadline = time.monotonic() + 30
while len(found) < 3 and time.monotonic() < deadline:
    time.sleep(0.01)
close()
pedal.close()
patch_bay.close()
print(*(press.verb for press in found), all(0 <= press.at_sample < 1000 for press in found))
"""


@pytest.fixture
def jack_server() -> Iterator[str]:
    name = f"segue-foot-test-{os.getpid()}"
    command = ["jackd", "-n", name, "-r", "-S", "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield name
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd is not installed (apt install jackd2)")
@pytest.mark.skipif(importlib.util.find_spec("jack") is None, reason="JACK-Client is not installed")
def test_a_pedal_through_a_real_port(jack_server: str) -> None:
    environment = {**os.environ, "JACK_DEFAULT_SERVER": jack_server, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", THROUGH_JACK], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE_SECONDS)  # fmt: skip
    assert done.stdout.split("\n")[-2:] == ["play_stop take_over keep True", ""], done.stderr


# -- keys ---------------------------------------------------------------------------------------------


def typed(*texts: str, every: float = 0.1) -> list[Press]:
    found: list[Press] = []
    reader = KeyReader(found.append)
    for n, text in enumerate(texts):
        reader.read(text, n * every)
    return found


def test_every_verb_has_a_key_and_a_word_for_it() -> None:
    assert set(VERB_OF.values()) == set(VERBS)
    shown = {words[-1] if (words := key.split()) else key for key, _ in HELP}
    assert {"space" if key == " " else key for key in (" ", *"takhruc", QUIT)} == shown


def test_keys_are_presses() -> None:
    assert [press.verb for press in typed(" T\na", "kh", "u", "\x1b", "\x7f")] == [
        "play_stop", "take_over", "take_over", "again", "keep", "hold", "undo", "cancel", "cancel",
    ]  # fmt: skip
    assert typed(" ")[0] == Press("play_stop", None, "key", None)


def test_a_number_before_record_is_its_bars() -> None:
    assert [press.bars for press in typed("4r", "r", "12r", "0r", "99r", "4xr")] == [4, None, 12, None, 64, None]
    assert typed("4", "r", every=5.0)[0].bars is None  # forgotten by then
    assert typed("4 ")[0].bars is None


def test_arrows_and_strange_keys_do_nothing() -> None:
    assert typed("\x1b[A\x1b[1;5C\x1bOP\x1b[<0;10;10M\x1b[15~", "é漢\ufffdxyz\t") == []


CHILD = """
import os, signal, sys, threading, time
import typer
from plugin_host.cli.guard import guarded
from plugin_host.console.keys import Keys
from plugin_host.jam.hands.keys import KeyReader

quit_pressed = threading.Event()

@guarded
def jam():
    def press(press):
        print("pressed", press.verb, press.bars, flush=True)
    with Keys(KeyReader(press, quit_pressed.set)) as keys:
        print("keys", keys.active, flush=True)
        while not quit_pressed.wait(0.01):
            if sys.argv[1] == "raises":
                raise RuntimeError("a fault")
            if sys.argv[1] == "exits":
                sys.exit(3)
try:
    jam()
except typer.Exit as end:  # as typer does
    sys.exit(end.exit_code)
"""


@pytest.fixture
def shell() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal(CHILD, *arguments))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def test_keys_in_a_real_terminal(shell: Callable[..., Terminal]) -> None:
    """Single keys come at once and are not echoed; Ctrl-Z and Ctrl-\\ do nothing; q ends it."""
    there = shell("plays")
    there.until(lambda: "keys True\r\n" in there.text)  # the whole line: what is pressed is printed by a thread
    assert there.mode() != there.before
    there.type(b"\x1a\x1c4r\x1b[A ")
    there.until(lambda: "pressed play_stop None" in there.text)
    there.type(b"\x1b")
    there.until(lambda: "pressed cancel None" in there.text)
    there.type(b"q")
    assert there.program.wait(PATIENCE_SECONDS) == 0
    assert there.text.split("\r\n")[:4] == ["keys True", "pressed record 4", "pressed play_stop None",
                                            "pressed cancel None"]  # fmt: skip
    assert there.mode() == there.before


@pytest.mark.parametrize(
    ("how", "ended"),
    [
        ("raises", 1), ("exits", 3), ("Ctrl-C", 130),
        (signal.SIGTERM, 143), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGQUIT, -signal.SIGQUIT),
    ],
)  # fmt: skip
def test_the_terminal_is_put_back(shell: Callable[..., Terminal], how: str | signal.Signals, ended: int) -> None:
    there = shell(str(how))
    there.until(lambda: "keys True" in there.text)
    if how == "Ctrl-C":
        there.type(b"\x03")
    elif isinstance(how, signal.Signals):
        assert there.mode() != there.before
        there.program.send_signal(how)
    assert there.program.wait(PATIENCE_SECONDS) == ended
    assert there.mode() == there.before


@pytest.mark.parametrize("where", ["a pipe", "nothing"])
def test_without_a_terminal_there_are_no_keys(where: str) -> None:
    closed = "import os, sys; os.close(0); sys.stdin = None; exec(sys.argv.pop(1))"
    command = [sys.executable, "-c", *([closed, CHILD] if where == "nothing" else [CHILD]), "exits"]
    done = subprocess.run(command, input=None if where == "nothing" else " r", capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=PATIENCE_SECONDS)  # fmt: skip
    assert (done.stdout, done.returncode) == ("keys False\n", 3)
