"""The page in a real browser: everything is drawn, nothing is said to the console, keys work, it is 375 px narrow, and
axe-core has nothing serious to say of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import PROGRAM, Browser
from panel_rig import SAID, Rig, until

from bridge.control import messages, midi_rows

pytestmark = pytest.mark.skipif(not PROGRAM, reason="no Chromium (apt install chromium)")
AXE = os.environ.get("SEGUE_AXE", "")  # axe.min.js of `npm pack axe-core` (MPL-2, for this test only)


@pytest.fixture(scope="module")
def page(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        browser.open(rig.owner)
        browser.wait("Boolean(document.querySelector('.lane'))")
        browser.wait("document.querySelectorAll('.dials .field').length > 20")
        yield browser
        assert not browser.errors


def test_the_page_shows_the_engines_state(page: Browser) -> None:
    page.wait("/embedded · cpu · int8/.test(document.querySelector('.model').textContent)")
    assert page.js("document.title").startswith("Segue: ")
    page.wait("/Next: prompt/.test(document.querySelector('.next').textContent)")
    assert page.js("document.querySelector('.seed').textContent") == "1234"


def test_keys_play_the_lane(rig: Rig, page: Browser) -> None:
    page.js("document.activeElement.blur()")
    for key, row in ((" ", messages.LANE_STOP), ("m", messages.LANE_MUTE), ("n", messages.LANE_RESEED),
                     ("c", messages.LANE_CANCEL)):  # fmt: skip
        before = len(rig.engine.came)
        page.key(key)
        until(lambda row=row, before=before: row in [each.message for each in rig.engine.came[before:]], key)
    page.key("p")
    page.type("warm piano")  # in place of the present one
    page.key("\r", "Enter")
    prompts = lambda: [each.values["text"] for each in rig.engine.came if each.message == messages.LANE_PROMPT]  # noqa: E731
    until(prompts, "a prompt")
    assert prompts() == ["warm piano"]
    page.js("document.activeElement.blur()")


def values_of(rig: Rig, row: messages.Message) -> list[dict[str, object]]:
    return [dict(each.values) for each in rig.engine.came if each.message == row]


def test_a_solo_silences_the_other_lanes_and_keeps_the_players_mutes(rig: Rig, page: Browser) -> None:
    pressed = lambda key: page.js(f"document.querySelectorAll('.lane .hands button')[{key}].ariaPressed")  # noqa: E731
    mutes = lambda: [(each["lane"], each["on"]) for each in values_of(rig, messages.LANE_MUTE)]  # noqa: E731
    rig.engine.said[messages.STATE_LANE] = (1, "playing", 1, 7, "", 1, 1, "")  # lane 1 was muted by another program
    try:
        page.wait("document.querySelectorAll('.lane').length === 2")
        page.wait("document.querySelectorAll('.lane .hands button')[6].ariaPressed === 'true'")
        page.js("document.querySelectorAll('.lane h3')[0].focus()")
        if pressed(1) == "true":
            page.key("m")
            until(lambda: mutes()[-1] == (0, 0), "lane 0 loud")
        before = len(mutes())
        page.key("s")
        until(lambda: sorted(mutes()[before:]) == [(0, 0), (1, 1)], "lane 1 silent")
        page.key("s")
        until(lambda: len(mutes()) == before + 4, "no more solo")
        assert sorted(mutes()[before + 2 :]) == [(0, 0), (1, 1)]  # it stays muted: the player did not play it before
        assert (pressed(1), pressed(6)) == ("false", "true")
    finally:
        rig.engine.said[messages.STATE_LANE] = SAID[messages.STATE_LANE]
        rig.engine.tell(messages.STATE_LANE, 1, "closed", 1, 7, "", 1, 1, "")
        page.wait("document.querySelectorAll('.lane').length === 1")


def test_the_seed_is_locked_and_let_go(rig: Rig, page: Browser) -> None:
    seeds = lambda: [each["value"] for each in values_of(rig, messages.LANE_SET) if each["name"] == "seed"]  # noqa: E731
    page.js("document.activeElement.blur()")
    page.key("l")
    until(lambda: seeds() == [1234.0], "the seed")
    page.wait("document.activeElement === document.body")
    page.key("l")
    until(lambda: seeds() == [1234.0, -1.0], "a seed of its own again")


def test_every_key_that_is_listed_does_something(rig: Rig, page: Browser) -> None:
    """Their effects have tests of their own, or the story (story.py); none leaves an error."""
    page.js("document.activeElement.blur()")
    page.key("?")
    page.wait("Boolean(document.querySelector('dialog[open]'))")
    listed = page.js("[...document.querySelectorAll('dialog kbd')].map((each) => each.textContent)")
    assert {"Space", "P", "M", "S", "N", "L", "C", "[ ]", "T", "U, Shift U", "O", "A", "H", "I", "?"} <= set(listed)
    page.js("document.querySelector('dialog').close()")
    for key in "[]cU?":
        page.key(key)
    page.wait("Boolean(document.querySelector('dialog[open]'))")
    page.js("document.querySelector('dialog').close()")


def test_the_monitor_shows_what_reaches_the_engine(rig: Rig, page: Browser) -> None:
    page.click("segue-tools summary", "OSC monitor")
    page.click("#monitor")
    until(lambda: [each["on"] for each in values_of(rig, messages.DUMP)] == ["on"], "the dump")
    rig.engine.tell(messages.DUMPED, "127.0.0.1 9000", "/segue/lane/prompt", "0 dub", "ok", 0)
    page.wait("/lane.prompt.*0 dub.*ok.*9000/.test(document.querySelector('segue-tools .log').textContent)")
    page.click("segue-tools button", "Clear")
    page.wait("!/dub/.test(document.querySelector('segue-tools .log').textContent)")
    page.click("#monitor")
    until(lambda: values_of(rig, messages.DUMP)[-1]["on"] == "off", "no more dump")


def test_the_doctor_reports_this_machine(page: Browser) -> None:
    page.click("segue-tools summary", "Doctor")
    page.click("segue-tools button", "Examine this machine")
    page.wait("/torch/.test(document.querySelector('segue-tools pre').textContent)", 90)
    report = page.js("document.querySelector('segue-tools pre').textContent")
    assert "Chrome" in report
    page.wait("!document.querySelectorAll('segue-tools button')[2].hidden")


def test_a_knob_is_learned_on_the_page(rig: Rig, page: Browser) -> None:
    dial = '.lane .field[data-name="cfg"]'
    page.key("i")
    page.wait("/Click a control/.test(document.getElementById('learn').textContent)")
    page.click(f"{dial} input")
    until(lambda: rig.controller.came, "a request to learn")
    row, values = rig.controller.came[-1]
    assert (row, values["to"], values["lane"]) == (midi_rows.MIDI_LEARN, "cfg", 0)
    page.wait(f"document.querySelector({dial!r}).classList.contains('wanted')")
    rig.controller.moved("cc 21", "cfg", 0, "value", 1.0, 8.0, 2.5, 0)
    page.wait(f"document.querySelector({dial!r}).dataset.midi === 'cc 21'")
    page.click("#learn li button")
    until(lambda: rig.controller.came[-1] == (midi_rows.MIDI_FORGET, {"what": "cc 21"}), "a request to forget")
    played = [each.message for each in rig.engine.came].count(messages.LANE_STOP)
    page.click(".lane .main")  # is chosen, and stops nothing
    until(lambda: rig.controller.came[-1][1].get("to") == "lane/play", "the button as a target")
    page.wait("document.querySelector('.lane .main').classList.contains('wanted')")
    page.key("\x1b", "Escape")
    until(lambda: rig.controller.came[-1][0] is midi_rows.MIDI_CANCEL, "no more learning")
    page.js("document.querySelector('#learn .end button:last-child').click()")
    page.wait("document.getElementById('learn').hidden")
    assert [each.message for each in rig.engine.came].count(messages.LANE_STOP) == played


def test_a_take_is_dragged_out_as_a_file(rig: Rig, page: Browser) -> None:
    """Chromium gives other programs a download on Windows and macOS, on Linux the text alone."""
    page.js("import('./takes.js').then(({ dragOut }) => { const link = document.createElement('a'); link.id = 'out'; "
            "link.style = 'position: fixed; inset: 0 auto auto 0; width: 90px; height: 40px; z-index: 99'; "
            "link.href = 'audio/take/1'; document.body.append(link); "
            "dragOut(link, 'take-1.wav', link.href, '/home/me/no #1.wav'); })")  # fmt: skip
    dragged = page.drag("#out")
    assert dragged["text/plain"] == "file:///home/me/no%20%231.wav"
    assert dragged["text/uri-list"] == f"{rig.owner}audio/take/1"
    page.js("document.getElementById('out').remove()")


@pytest.mark.parametrize("width", [375, 1280])
def test_nothing_sticks_out(page: Browser, width: int) -> None:
    page.size(width, 800)
    page.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    page.size(1280, 800)


@pytest.mark.skipif(not AXE, reason="axe-core is not there: npm pack axe-core, then SEGUE_AXE=.../axe.min.js")
@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_axe_finds_nothing_serious(page: Browser, dark: bool) -> None:
    page.js("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.js(f"document.documentElement.dataset.theme = {'dark' if dark else 'light'!r}")
    page.js(Path(AXE).read_text() + ";0")
    found = page.js("axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => "
                    "[impact, id, nodes.map((each) => each.html.slice(0, 120)).slice(0, 3)]))")  # fmt: skip
    assert not [each for each in found if each[0] in ("serious", "critical")], found
