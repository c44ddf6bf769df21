"""The screen of a jam: what each size shows, only what changed is written, and lines where there is no terminal."""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from terminal_rig import PATIENCE_SECONDS, Terminal

from plugin_host.jam.screen.jam_screen import JamScreen
from plugin_host.jam.screen.picture import ASCII, Shape, picture, time_to_change
from plugin_host.jam.state import MODES, PHASES, JamState, PendingPress, Press, PressReply

STATE = JamState("trade", "listening", "playing", 6.5, 12, 49.5, 96, 4.0, -14, -42, 640, 56.0,
                 (PendingPress("hold", 64.0),), 2, 410.0, "this machine needs two bars", 2_000_000)  # fmt: skip
LOG = ["recording into jam-3", "take over, at bar 9"]


def texts(state: JamState = STATE, columns: int = 80, rows: int = 24, **options: object) -> list[str]:
    return [row.plain for row in picture(state, LOG, Shape(columns, rows, **options))]  # type: ignore[arg-type]


def test_80_by_24_shows_all_of_it() -> None:
    assert [row.rstrip() for row in texts()] == [
        " segue jam  trade                                        96 bpm  4/4  bar 13.2",
        "",
        " ●●○○    LISTENING   you play",
        "         playing in 1 bar 3 beats, at bar 15",
        "",
        " bar    13      14      15      16      17      18      19      20",
        " plan   ━━━████ ███████ ░░░░░░░ ░░░░░░░ ░░░░░░░ ░░░░░░░ ░░░░░░░ ░░░░░░░",
        "        listening       playing                            █ sure  ░ may change",
        "",
        " you    ██████████████████░░░░░░  -14 dB",
        " Segue  ███████░░░░░░░░░░░░░░░░░  -42 dB",
        " ahead  ████████░░░░░░░░░░░░░░░░  640 ms, 1.0 beats",
        " model  an answer takes 410 ms; listens every 2 bars",
        " waits  hold at bar 17",
        " this machine needs two bars",
        "",
        " recording into jam-3",
        " take over, at bar 9",
        "",
        "",
        "",
        "",
        " space play/stop  t take over  a again  k keep  h hold  4 r record 4 bars",
        " u undo  c cancel  q quit",
    ]


@pytest.mark.parametrize("columns", [1, 2, 20, 30, 40, 44, 60, 79, 80, 81, 200])
@pytest.mark.parametrize("rows", [1, 2, 5, 10, 24, 60])
def test_any_size_is_kept_and_shows_who_plays(columns: int, rows: int) -> None:
    shown = texts(columns=columns, rows=rows)
    assert len(shown) == rows
    assert all(len(row) < max(columns, 2) for row in shown)
    if columns >= 30:
        assert any("LISTENING" in row for row in shown)
    if columns >= 40 and rows >= 5:
        assert any("playing in 1 bar 3 beats" in row for row in shown)
        assert any("take over, at bar 9" in row for row in shown), "the answer to a press is always there"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("per_bar", [4.0, 3.5, 1.5, 0.25])
def test_every_state_has_a_picture(mode: str, phase: str, per_bar: float) -> None:
    for beat in (-per_bar, 0.0, per_bar * 1000 - 0.001):
        bar = int(beat // per_bar)
        state = replace(STATE, mode=mode, state=phase, next_state=phase, beats_to_change=0.0, bar=bar, beat=beat,
                        beats_per_bar=per_bar)  # fmt: skip
        shown = texts(state)
        assert phase.upper() in shown[2]
        assert mode in shown[0]
        assert shown[3] == ""


@pytest.mark.parametrize(
    ("beats", "told"),
    [(0, ""), (0.2, "1 beat"), (1, "1 beat"), (3.5, "1 bar"), (4, "1 bar"), (4.001, "1 bar 1 beat"), (11.5, "3 bars"),
     (9, "2 bars 1 beat")],
)  # fmt: skip
def test_time_to_the_next_change(beats: float, told: str) -> None:
    assert time_to_change(replace(STATE, beats_to_change=beats)) == told


def test_an_answer_is_shown_once() -> None:
    shown = "\n".join(texts(replace(STATE, message=LOG[-1])))
    assert shown.count(LOG[-1]) == 1


def test_other_scripts_and_control_characters_do_no_harm() -> None:
    state = replace(STATE, message="\x1b[2Jgone 東京 \u202e")
    row = next(row for row in texts(state, columns=30) if "gone" in row)
    assert row.startswith(" \\x1b[2Jgone")
    assert "\x1b" not in row
    assert all(ord(character) < 128 for row in texts(glyphs=ASCII) for character in row)


# -- without a terminal -------------------------------------------------------------------------------


def test_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with JamScreen(out) as screen:
        screen.say("recording into jam")
        for beat in range(48, 56):
            screen.show(replace(STATE, beat=float(beat), bar=beat // 4, beats_to_change=56.0 - beat, message=""))
        screen.reply(PressReply(Press("hold"), True, 16, 64.0, "hold, at bar 17"))
        screen.reply(PressReply(Press("hold"), False, 13, 52.0, "too late"))
        screen.show(replace(STATE, state="playing", next_state="listening", beat=56.0, bar=14, beats_to_change=16.0))
    assert out.getvalue().splitlines() == [
        "recording into jam",
        "bar 13: listening; playing from bar 15 on",
        "hold, at bar 17",
        "no: too late",
        "bar 15: playing; listening from bar 19 on",
        "this machine needs two bars",
    ]


def test_a_reader_that_ends_ends_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    screen = JamScreen(os.fdopen(writing, "w"))
    with screen:
        screen.say("one")
        screen.show(STATE)


# -- in a terminal ------------------------------------------------------------------------------------

CHILD = """
import os, sys, time
from dataclasses import replace
from plugin_host.cli.guard import guarded
from plugin_host.jam.screen.jam_screen import JamScreen
from test_jam_screen import LOG, STATE
@guarded
def jam():
    with JamScreen(keys=True) as screen:
        for line in LOG:
            screen.say(line)
        for number in range(10**6):
            screen.show(replace(STATE, beat=48 + number / 100 % 4, ring_fill_ms=number % 7 * 300))
            time.sleep(0.02)
            if number == 50 and sys.argv[1] == "raises":
                raise RuntimeError("a fault")
jam()
"""


class Glass:
    """A terminal's screen for the sequences that are used."""

    def __init__(self) -> None:
        self.rows: list[str] = [""] * 100
        self.clears = self.frames = 0
        self.row = 0
        self.rest = ""

    def feed(self, text: str) -> None:
        text = self.rest + text
        cut = text.rfind("\x1b")
        text, self.rest = (text[:cut], text[cut:]) if cut >= 0 and len(text) - cut < 12 else (text, "")
        for escape, plain in re.findall(r"(\x1b\[[0-9;?]*[a-zA-Z])|([^\x1b]+)", text):
            if escape.endswith("H"):
                self.row = int(escape[2:].split(";")[0]) - 1
                self.rows[self.row], self.frames = "", self.frames + 1
            elif escape == "\x1b[2J":
                self.rows, self.clears = [""] * 100, self.clears + 1
            self.rows[self.row] += plain


class Screen(Terminal):
    """A terminal of 80 by 24 with a jam in it, and what it shows."""

    def __init__(self, *arguments: str) -> None:
        self.glass = Glass()
        super().__init__(CHILD, *arguments)

    def take(self, text: str) -> None:
        super().take(text)
        self.glass.feed(text)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def start(*arguments: str) -> Screen:
        opened.append(Screen(*arguments))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def test_only_changed_rows_are_written(terminal: Callable[..., Screen]) -> None:
    """No clearing after the first frame: nothing flickers. A new size is painted anew, and fits."""
    there = terminal("plays")
    there.until(lambda: there.glass.frames > 60)
    assert there.glass.clears == 2  # the second screen, and the first frame
    assert [row.rstrip() for row in there.glass.rows[12:24]] == [row.rstrip() for row in texts()[12:]]
    assert there.text.count("listens every") == 1
    there.resize(16, 60)
    there.until(lambda: there.glass.clears == 3 and there.glass.frames > 110)
    smaller = [row.rstrip() for row in texts(columns=60, rows=16)]
    assert [row.rstrip() for row in there.glass.rows[10:20]] == [*smaller[10:], *[""] * 4]


@pytest.mark.parametrize("how", ["raises", signal.SIGTERM, signal.SIGINT])
def test_the_first_screen_is_back_with_what_was_said(
    terminal: Callable[..., Screen], how: str | signal.Signals
) -> None:
    there = terminal(str(how))
    there.until(lambda: there.glass.frames > 24)
    if isinstance(how, signal.Signals):
        there.program.send_signal(how)
    there.until(lambda: "\x1b[?1049l" in there.text and "take over, at bar 9" in there.text.split("\x1b[?1049l")[1])
    there.program.wait(PATIENCE_SECONDS)
    last = there.text.split("\x1b[?1049l")
    assert last[0].endswith("\x1b[0m\x1b[?25h")  # the cursor is back
    assert last[1].split("\r\n")[:2] == LOG
