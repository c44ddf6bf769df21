"""The plugin's window on a screen of its own (Xvfb), used by mouse and keyboard (xdotool) in a CLAP host that plays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugin_host.plugin.build import COMMON, PluginBuildError
from plugin_host.plugin.bundles import VARIANTS, build_bundles
from plugin_host.plugin.window import why_no_window
from tests.plugin_host.plugin.plugin_rig import PATIENCE_SECONDS, CountingProcess, ask_plugin, start_host

MISSING = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
GENERATE, MODE, BARS, ENGINE, SEED, PORT, LATE = 0, 1, 5, 16, 18, 21, 22
CONNECTED = 2
CORNER = 10  # of the host's window on the screen
OPENINGS = 10
GROWTH_KB = 4096  # of the driver's caches; a window that is not freed takes more

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (apt install xvfb xdotool)")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory, bundles: Path) -> Path:
    """A folder with the CLAP plugin with its window; the common objects are those of the other tests."""
    if os.environ.get("SEGUE_TEST_WINDOW"):  # built before
        return Path(os.environ["SEGUE_TEST_WINDOW"])
    if why_no_window():
        pytest.skip(f"the window cannot be built here: {why_no_window()}")
    folder = tmp_path_factory.mktemp("window")
    known = [bundles / "objects" / f"{name}.o" for name in COMMON]
    common = known if all(path.exists() for path in known) else []
    try:
        build_bundles(folder, folder / "objects", [(VARIANTS[0], "clap")], level="-O0", window=True, common=common)
    except PluginBuildError as fault:
        pytest.skip(f"the plugin cannot be built here: {str(fault)[:300]}")
    return folder


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A display, and settings of the window in a folder of the test."""
    out, into = os.pipe()
    command = ["Xvfb", "-noreset", "-displayfd", str(into), "-screen", "0", "1000x700x24"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, pass_fds=(into,), stdout=quiet, stderr=quiet)
    os.close(into)
    with os.fdopen(out) as said:
        number = said.readline().strip()
    if not number:
        pytest.skip("Xvfb does not start here")
    monkeypatch.setenv("DISPLAY", f":{number}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield number
    process.terminate()
    process.wait()


class WindowHost:
    """hosts/clap_window.py with a window, and the user's hands."""

    def __init__(self, plugin: Path, port: int) -> None:
        self.process = start_host("clap_window.py", plugin / "Segue.clap", port=port)

    def do(self, what: str, **how: object) -> dict:
        """Send one order; returns its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        return dict(json.loads(line))

    def value(self, number: int) -> float:
        return float(self.do("value", number=number)["value"])

    @staticmethod
    def hands(*words: object) -> None:
        """xdotool with these words."""
        subprocess.run(["xdotool", *map(str, words)], check=True, capture_output=True, timeout=30)

    def click(self, x: int, y: int, times: int = 1) -> None:
        """Click at a place of the window."""
        self.hands("mousemove", CORNER + x, CORNER + y, "click", "--repeat", times, "--delay", 60, 1)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def engine() -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


@pytest.fixture
def host(plugin: Path, screen: str, engine: CountingProcess) -> Iterator[WindowHost]:
    made = WindowHost(plugin, engine.port)
    yield made
    made.end()


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_musician_uses_it(host: WindowHost, engine: CountingProcess, tmp_path: Path) -> None:
    """A typed prompt reaches the engine; values go through the host; opened and closed again and again it leaks
    nothing and lets no block be late. Size and prompts are remembered."""
    said = engine.messages
    shown = host.do("show")
    assert (shown["width"], shown["height"]) == (800, 500)
    host.do("play", on=True)
    _until(lambda: host.value(ENGINE) == CONNECTED, "not connected")
    host.click(400, 66)
    host.hands("type", "--delay", 20, "warm lofi piano")
    host.hands("key", "BackSpace", "o", "Return")
    _until(lambda: ["0", "warm lofi piano"] in said("lane/prompt"), str(said("lane/prompt")))
    assert ask_plugin(int(host.value(PORT)), "view")[4] == "warm lofi piano"
    host.click(400, 66)
    host.hands("key", "ctrl+a")
    host.hands("type", "--delay", 20, "dub")
    host.hands("key", "Return")
    _until(lambda: ["0", "dub"] in said("lane/prompt"), "the second prompt")
    host.click(400, 66)
    host.hands("key", "Up", "Up", "Return")  # the history
    _until(lambda: said("lane/prompt")[-1] == ["0", "warm lofi piano"], "the first one again")

    host.click(75, 382, times=2)
    host.hands("type", "16")
    host.hands("key", "Return")
    _until(lambda: host.value(BARS) == 16, "typed bars")
    host.click(345, 120)
    _until(lambda: host.value(MODE) == 1, "Style")
    host.click(70, 115)
    _until(lambda: host.value(GENERATE) == 1, "Generate")
    _until(lambda: said("lane/play"), "nothing plays")
    assert {GENERATE, MODE, BARS} <= set(host.do("value", number=GENERATE)["turned"]), "the host did not hear of it"
    _until(lambda: host.value(SEED) == 4711, "the engine's seed")
    time.sleep(0.5)  # until the window has drawn it
    host.click(105, 434)  # takes: A keeps it
    _until(lambda: "4711 0 0 0" in bytes.fromhex(host.do("save")["state"]).decode(errors="replace"), "take A")

    def again() -> dict:
        host.do("hide")
        host.do("show")
        _until(lambda: host.value(ENGINE) >= 0, "")
        time.sleep(0.1)
        return host.do("figures")

    first, late = [again() for _ in range(4)][-1], host.value(LATE)
    last = [again() for _ in range(OPENINGS)][-1]
    for what in ("descriptors", "threads"):  # a ring or the driver's thread may come once
        assert last[what] - first[what] < OPENINGS // 2
    assert last["memory_kb"] - first["memory_kb"] < GROWTH_KB
    assert host.value(LATE) == late
    host.do("hide")
    remembered = (tmp_path / "segue" / "plugin-window").read_text().splitlines()
    assert remembered == ["800 500", "dub", "warm lofi piano"]
    host.do("close")
