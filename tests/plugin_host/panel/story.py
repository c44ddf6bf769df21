"""The panel's whole story in a real browser, with the embedded model: it makes the pictures of docs/panel.md.

    PYTHONPATH=. python tests/plugin_host/panel/story.py [FOLDER]

Needs Chromium and jackd; JACK's dummy device stands for the sound card. Prints what each step took.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser import Browser

from plugin_host.client.engine_process import free_port

ROOT = Path(__file__).parents[3]
LOOP = ROOT / "presets" / "regions" / "lofi-84bpm.flac"
READY = "document.querySelector('.pill')?.textContent"


@contextmanager
def panel(session: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[str]:
    """The address of a panel of its own, with its own ports."""
    ports = [str(free_port()) for _ in range(3)]
    command = [sys.executable, "-m", "plugin_host.cli", "panel", "--panel-port", "0", "--session", str(session),
               "--no-browser", "--watch-port", ports[0], "--jam-port", ports[1],
               "--midi-port", ports[2], *options]  # fmt: skip
    inherited = {
        **os.environ,
        "SEGUE_CONFIG": str(session),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **(environment or {}),
    }
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=inherited, cwd=session)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"panel: (http://\S+)", line):
                yield found[1]
                break
        else:
            raise AssertionError("the panel does not start")
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def dummy_card(name: str) -> Iterator[dict[str, str]]:
    """JACK's dummy device as the sound card: what programs need in their environment."""
    command = ["jackd", "-n", name, "-r", "-S", "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    environment = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    try:
        wait = subprocess.run(["jack_wait", "-w", "-t", "10"], env={**os.environ, **environment}, capture_output=True)
        assert wait.returncode == 0, "jackd does not start"
        yield environment
    finally:
        server.terminate()
        server.wait(10)


class Story:
    """The steps, each with a picture."""

    def __init__(self, browser: Browser, pictures: Path) -> None:
        self.browser, self._pictures = browser, pictures
        self._begun = time.monotonic()

    def shot(self, name: str, at: str = "#top", whole: bool = False) -> None:
        top = f"document.querySelector({at!r}).getBoundingClientRect().top + scrollY - 76"
        self.browser.js(f"scrollTo(0, {0 if at == '#top' else top})")
        time.sleep(0.3)
        self.browser.shot(self._pictures / f"panel-{name}.webp", whole)
        print(f"{time.monotonic() - self._begun:6.1f} s  {name}", flush=True)

    def fill(self, part: str, **values: object) -> None:
        """Write into fields of a part of the page."""
        for name, value in values.items():
            self.browser.js(f"document.querySelector({part!r}).{name}.value = {value!r}")

    def play(self, output: str) -> None:
        """A lane on the sound card, a loop of the user's to continue, a prompt."""
        browser = self.browser
        browser.wait(f"{READY} === 'ready'", 90)
        self.fill("segue-lanes", tempo=84, output=output)
        browser.click("segue-lanes button", "Play here")
        browser.wait("Boolean(document.querySelector('.lane'))", 60)
        browser.click(".lane summary", "References")
        browser.choose_file("[data-role=continue] input[type=file]", LOOP)
        browser.wait("/4 bars/.test(document.querySelector('[data-role=continue] .name').textContent)")
        browser.click(".lane button", "Stop")
        browser.wait("document.querySelector('.lane .main').textContent === 'Play'")
        browser.js("document.activeElement.blur()")
        browser.key("p")
        browser.type("warm lo-fi piano, soft drums")
        browser.key("\r", "Enter")
        browser.js("document.activeElement.blur()")
        browser.key(" ")
        browser.wait("document.querySelector('.lane .pill').textContent === 'playing'", 60)
        browser.wait("/detected/.test(document.querySelector('[data-role=continue] .dim.small').textContent)", 60)
        time.sleep(5)

    def mix(self) -> None:
        """Four prompts, and a drag over the surface between them, which the engine acknowledges."""
        browser = self.browser
        browser.click(".lane summary", "Mix prompts")
        for number, text in enumerate(("warm lo-fi piano", "bright bells", "slow strings", "dub bass"), 1):
            browser.js(f"(() => {{ const field = document.querySelectorAll('.slot input[type=text]')[{number - 1}]; "
                       f"field.value = {text!r}; field.dispatchEvent(new Event('change')); }})()")  # fmt: skip
        browser.js("document.querySelector('.surface').scrollIntoView({block: 'center'})")
        left, top, width, height = browser.js(
            "(() => { const box = document.querySelector('.surface').getBoundingClientRect(); "
            "return [box.left, box.top, box.width, box.height]; })()")  # fmt: skip
        places = [(left + width * share, top + height * (1 - share)) for share in (0.1, 0.3, 0.5)]
        for kind, (x, y) in (("mousePressed", places[0]), *(("mouseMoved", place) for place in places),
                             ("mouseReleased", places[-1])):  # fmt: skip
            browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
        browser.wait("[...document.querySelectorAll('.slot output')].every((out) => out.textContent === '25 %')")

    def correct(self) -> None:
        """Another tempo and key for the reference than those found."""
        browser = self.browser
        for value in ("85", "84"):
            browser.js("(() => { const field = document.querySelector('[data-role=continue] .corrections input'); "
                       f"field.value = {value!r}; field.dispatchEvent(new Event('change')); }})()")  # fmt: skip
        browser.js("(() => { const key = document.querySelector('[data-role=continue] .corrections select'); "
                   "key.value = '9'; key.dispatchEvent(new Event('change')); })()")  # fmt: skip
        browser.wait("document.querySelector('.lane .field[data-name=key] select').value === '9'", 30)

    def learn(self, card: str) -> None:
        """A knob of a MIDI device (JACK's) for a dial."""
        import jack

        browser = self.browser
        knob = jack.Client(f"knob{os.getpid()}", servername=card, no_start_server=True)
        port, moves = knob.midi_outports.register("out"), [0]

        @knob.set_process_callback
        def process(frames: int) -> None:
            port.clear_buffer()
            if moves[0]:
                port.write_midi_event(0, bytes((0xB0, 21, 40 + moves[0] % 60)))
                moves[0] += 1

        with knob:
            browser.js("document.activeElement.blur()")
            browser.key("i")
            browser.wait("[...document.querySelectorAll('#learn option')].some((each) => /knob/.test(each.value))")
            browser.js("(() => { const box = document.querySelector('#learn select'); box.value = "
                       "[...box.options].find((each) => /knob/.test(each.value)).value; })()")  # fmt: skip
            browser.click("#learn button", "Connect")
            browser.wait("/Click a control/.test(document.getElementById('learn').textContent)", 60)
            browser.click('.lane .field[data-name="cfg"]')
            browser.wait("Boolean(document.querySelector('.wanted'))")
            moves[0] = 1
            browser.wait("document.querySelector('.lane .field[data-name=cfg]').dataset.midi === 'ch 1 cc 21'")
            moves[0] = 0
            self.shot("midi", ".lane .dials")
            browser.click("#learn button", "Disconnect")
            browser.click("#learn button", "Done")

    def tools(self) -> None:
        """The monitor of messages, and the doctor's report."""
        browser = self.browser
        browser.click("segue-tools summary", "OSC monitor")
        browser.click("#monitor")
        browser.js("document.activeElement.blur()")
        browser.key("n")
        browser.wait("/lane.reseed.*ok/.test(document.querySelector('segue-tools .log').textContent)", 20)
        browser.click("segue-tools summary", "Doctor")
        browser.click("segue-tools button", "Examine this machine")
        browser.wait("/torchaudio/.test(document.querySelector('segue-tools pre').textContent)", 90)
        browser.click("segue-tools button", "Copy the report")
        browser.wait("/Copied/.test(document.body.innerText)")

    def solo_and_lock(self) -> None:
        """A seed that is kept from one play to the next; a lane alone, and no longer."""
        browser = self.browser
        seed = "document.querySelector('.lane .seed').textContent"
        browser.js("document.activeElement.blur()")
        browser.key("l")
        browser.wait("document.querySelectorAll('.lane .hands button')[3].ariaPressed === 'true'")
        kept = browser.js(seed)
        for _ in range(2):  # stop, and play again
            browser.key(" ")
            time.sleep(4)
        browser.wait("document.querySelector('.lane .pill').textContent === 'playing'", 60)
        assert browser.js(seed) == kept
        browser.key("s")
        browser.wait("document.querySelectorAll('.lane .hands button')[2].ariaPressed === 'true'")
        browser.key("s")

    def exports(self) -> None:
        """Every file that the page offers is there, and is what it says."""
        links = self.browser.js("[...document.querySelectorAll('a[download]')].filter((each) => each.offsetParent)"
                                ".map((each) => [each.href, each.download])")  # fmt: skip
        for url, name in links:
            with urllib.request.urlopen(url, timeout=120) as said:
                head = said.read(4)
            assert head == (b"PK\x03\x04" if name.endswith("dawproject") else b"RIFF"), (name, head)
        kinds = {url.rsplit("/", 1)[-1].split("?")[0] if "export" in url else url.split("/")[-2] for url, _ in links}
        print(f"        {len(links)} files, of {len(kinds)} kinds: {sorted(kinds)}", flush=True)

    def take(self, bars: int = 4) -> None:
        browser = self.browser
        self.fill("segue-takes", bars=bars)
        browser.click("segue-takes button", "Make takes")
        browser.wait("document.querySelectorAll('.take').length >= 2", 120)
        browser.click(".take button", "Go on from here")
        browser.wait("Boolean(document.querySelector('.take.head'))")
        self.fill("segue-takes", source="")
        browser.click("segue-takes button", "Make takes")
        browser.wait("document.querySelectorAll('.take').length >= 4", 120)
        browser.click(".take button", "☆")
        browser.wait("Boolean(document.querySelector('.take [aria-pressed=true]'))")
        for at in range(4):  # listened to, one after the other: their pictures stay
            browser.js(f"document.querySelectorAll('.take button.round')[{3 * at}].click()")
            time.sleep(0.5)

    def stems(self) -> None:
        browser = self.browser
        self.fill("segue-stems", bars=8, variations=4)
        browser.click("segue-stems button", "Make stems")
        browser.click("segue-stems article button", "Cancel")
        browser.wait("/cancelled/.test(document.querySelector('segue-stems article').textContent)", 120)
        self.fill("segue-stems", bars=2, variations=1)
        browser.click("segue-stems button", "Make stems")
        browser.wait("document.querySelectorAll('.stems li').length >= 3", 180)
        browser.wait("/done/.test(document.querySelector('segue-stems article').textContent)", 60)

    def jam(self, output: str) -> None:
        browser = self.browser
        browser.js("document.querySelector('segue-jam').player.selectedIndex = 1")
        self.fill("segue-jam", output=output, bpm=84)
        browser.click("segue-jam button", "Start the jam")
        browser.wait("!document.querySelector('[data-verb=hold]').disabled", 60)
        time.sleep(4)
        browser.click("[data-verb=hold]")
        time.sleep(0.5)


def main(pictures: Path) -> None:
    """The story, once: while a lane plays, then what is made of it, then a model that is not there."""
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as work,
        dummy_card(f"panel{os.getpid()}") as card,
        panel(Path(work), "--port", str(free_port()), environment=card) as address,
        Browser(Path(work) / "chromium") as browser,
    ):
        browser.open(address)
        story = Story(browser, pictures)
        story.play("")
        story.shot("dark")
        browser.click("#theme")
        story.shot("light")
        browser.click("#theme")
        browser.size(375, 800)
        story.shot("narrow", ".lane")
        browser.size(1280, 800)
        story.correct()
        story.shot("references", ".lane live-wave")
        story.mix()
        story.shot("mix", ".lane .dials")
        story.learn(card["JACK_DEFAULT_SERVER"])
        story.solo_and_lock()
        story.tools()
        story.shot("tools", "segue-tools")
        print("the page's errors:", browser.errors)
    made(pictures)
    failing(pictures)


def made(pictures: Path) -> None:
    """Takes, stems, a jam, and another model."""
    with (
        tempfile.TemporaryDirectory() as work,
        dummy_card(f"panel{os.getpid()}") as card,
        panel(Path(work), "--port", str(free_port()), environment=card) as address,
        Browser(Path(work) / "chromium") as browser,
    ):
        browser.open(address)
        story = Story(browser, pictures)
        story.play("")
        story.take()
        story.shot("takes", "#takes")
        story.stems()
        story.shot("stems", "#stems")
        story.exports()
        browser.click("segue-lanes button", "Stop playing here")
        browser.wait("!document.querySelector('.lane')", 30)
        story.jam("")
        story.shot("jam", "#jam")
        browser.click("segue-jam button", "End the jam")
        browser.click("segue-strip button", "Change model")
        browser.wait("Boolean(document.querySelector('dialog select'))")
        story.shot("model")
        browser.js("document.querySelectorAll('dialog select')[1].value = 'float32'")
        browser.click("dialog button", "Load")
        browser.wait(f"{READY} !== 'ready'", 30)
        story.shot("loading")
        browser.wait("/float32/.test(document.querySelector('.model').textContent)", 90)
        print("the page's errors:", browser.errors)


def failing(pictures: Path) -> None:
    """A model that is not there: the page says so, and starts the embedded one."""
    with (
        tempfile.TemporaryDirectory() as work,
        panel(Path(work), "--port", str(free_port()), "--model", "nosuchmodel") as address,
        Browser(Path(work) / "chromium") as browser,
    ):
        browser.open(address)
        story = Story(browser, pictures)
        browser.wait("/no checkpoint 'nosuchmodel'/.test(document.querySelector('segue-strip').textContent)", 60)
        story.shot("failed")
        browser.click("segue-strip button", "Start the embedded model")
        browser.wait(f"{READY} === 'ready'", 90)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs")
