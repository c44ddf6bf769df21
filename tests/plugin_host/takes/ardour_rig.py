"""The whole Ardour on its own screen (Xvfb), without sound card, controlled by OSC and Lua actions.

The actions do what a musician clicks: the scripts are registered like in Ardour, each as the function `factory` alone,
so that a script that uses anything outside it fails here too.
"""

from __future__ import annotations

import base64
import math
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pythonosc.osc_message_builder import build_msg

from plugin_host.client.engine_process import free_port
from plugin_host.takes.scripts import filled

PROGRAMS = ("ardour", "ardour7-lua", "ardour7-export", "Xvfb", "xdotool")
RATE = 48_000
SIZE = "1400x900x24"
EXPORT_TRIES = 6
ACTION_SECONDS = 5.0  # an action begins well within them

NEW = """
AudioEngine:set_backend ("None (Dummy)", "", "")
local s = create_session ("{folder}", "song", 48000)
local tm = Temporal.TempoMap.fetch_writable ()
tm:set_tempo (Temporal.Tempo ({bpm}, {bpm}, 4), Temporal.timepos_t (0))
Temporal.TempoMap.update (tm)
tm = nil
s:save_state ("")
close_session ()
"""

BEGIN = """
ardour {{ ["type"] = "EditorAction", name = "A musician's song" }}
function factory () return function ()
	local again = io.open ("{begun}", "r")
	if again then again:close () return end
	io.open ("{begun}", "w"):close ()
	local files = C.StringVector ()
	files:push_back ("{file}")
	Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsTrack, ARDOUR.SrcQuality.SrcBest,
		ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
		Temporal.timepos_t ({sample}), ARDOUR.PluginInfo (), ARDOUR.Track (), false)
	local done = io.open ("{done}", "w")
	done:write ("done")
	done:close ()
end end
"""

SELECTED = """
ardour {{ ["type"] = "EditorAction", name = "How many regions are selected" }}
function factory () return function ()
	local file = io.open ("{selected}", "w")
	file:write (Editor:get_selection ().regions:regionlist ():size ())
	file:close ()
end end
"""

CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config>
    <Option name="hide-dummy-backend" value="0"/>
    <Option name="try-autostart-engine" value="1"/>
    <Option name="copy-demo-sessions" value="0"/>
  </Config>
  <Extra>
    <AudioMIDISetup>
      <EngineStates>
        <State backend="None (Dummy)" driver="Normal Speed" device="Silence" input-device="Silence"
         output-device="Silence" sample-rate="48000" buffer-size="1024" n-periods="2" input-latency="0"
         output-latency="0" lm-input="" lm-output="" active="yes" use-buffered-io="0" midi-option="No MIDI I/O"
         lru="1"/>
      </EngineStates>
    </AudioMIDISetup>
  </Extra>
</Ardour>
"""


def missing() -> list[str]:
    """Missing programs."""
    return [name for name in PROGRAMS if not shutil.which(name)]


def quoted(text: str) -> str:
    """A text as a Lua string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def registered(scripts: list[str], ran: Path, faults: Path) -> str:
    """Ardour's `ui_scripts`: the actions by number; a file says which ran, another has their errors."""
    state = "scripts = {} "
    for number, text in enumerate(scripts, 1):
        load = (
            "local a = ... local env = setmetatable ({ardour = function () end}, {__index = _ENV}) "
            f"load ({quoted(text)}, nil, nil, env) () "
            "local run = load (string.dump (env.factory, true), nil, nil, _ENV) (a) "
            f"return function () local ran = io.open ({quoted(str(ran))}, 'a') ran:write ('{number} ') ran:close () "
            "local ok, why = pcall (run) if not ok then "
            f"local file = io.open ({quoted(str(faults))}, 'a') file:write (tostring (why)) file:close () end end"
        )
        state += f'scripts[{number}] = {{}} scripts[{number}]["n"] = "s{number}" scripts[{number}]["s"] = "" '
        state += f'scripts[{number}]["f"] = {quoted(load)} scripts[{number}]["a"] = {{}} '
    coded = base64.b64encode(state.encode()).decode()
    return f'<?xml version="1.0"?>\n<UIScripts><ActionScript lua="Lua 5.3">{coded}</ActionScript></UIScripts>\n'


def exported(command: list[str], environment: dict[str, str]) -> int:
    """The exporter's exit code; a hanging one is killed."""
    try:
        return subprocess.run(command, env=environment, timeout=60, check=False, capture_output=True).returncode
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL


class Ardour:
    """One Ardour on one session; its first action imports the musician's music to a track, the last one counts what is
    selected; between them are the given scripts."""

    def __init__(self, folder: Path, bpm: float, scripts: list[Path], inbox: Path, osc_port: int) -> None:
        self.folder, self.session, self.faults = folder, folder / "song", folder / "faults.txt"
        self._ran, self._selected = folder / "ran.txt", folder / "selected.txt"
        self._config = folder / "config" / "ardour7"
        self._config.mkdir(parents=True)
        self._environment = {**os.environ, "XDG_CONFIG_HOME": str(self._config.parent), "HOME": str(folder)}
        self._environment.pop("WAYLAND_DISPLAY", None)
        self._bpm = bpm
        texts = [filled(path.read_text(), inbox) for path in scripts]
        self._scripts = [text.replace('local PORT = "9610"', f'local PORT = "{osc_port}"') for text in texts]
        self._running: list[subprocess.Popen[bytes]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.display = ""

    def new_session(self) -> None:
        lua = self.folder / "new.lua"
        lua.write_text(NEW.format(folder=self.session, bpm=self._bpm))
        self._lua(lua)
        file = self.session / "song.ardour"
        text = file.read_text()
        off = '<Protocol name="Open Sound Control (OSC)" active="0"/>'
        assert off in text
        file.write_text(text.replace(off, off.replace('"0"', '"1"')))

    def _lua(self, file: Path) -> None:
        """Run a script without a window; it may crash while closing, so only its results count."""
        subprocess.run(["ardour7-lua", str(file)], env=self._environment, timeout=100, check=False, capture_output=True)

    def start(self, file: Path, sample: int) -> None:
        """Open the window, and import the musician's file to a track."""
        done = self.folder / "done.txt"
        begin = BEGIN.format(file=file, sample=sample, begun=self.folder / "begun.txt", done=done)
        scripts = [begin, *self._scripts, SELECTED.format(selected=self._selected)]
        (self._config / "ui_scripts").write_text(registered(scripts, self._ran, self.faults))
        (self._config / "config").write_text(CONFIG)
        (self._config / ".a7").touch()
        self._screen()
        log = self.log.open("wb")
        command = ["ardour", "--no-announcements", "--no-splash", str(self.session)]
        self._running.append(
            subprocess.Popen(command, env={**self._environment, "DISPLAY": self.display}, stdout=log, stderr=log)
        )
        self.wait_for(lambda: self._action("LuaAction/script-1") or done.exists(), every=1.0)

    def _screen(self) -> None:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SIZE, "-nolisten", "tcp"]
        quiet = subprocess.DEVNULL
        self._running.append(subprocess.Popen(command, pass_fds=[write], stdout=quiet, stderr=quiet))
        os.close(write)
        with os.fdopen(read) as pipe:
            self.display = f":{pipe.readline().strip()}"

    def _action(self, name: str) -> None:
        self._socket.sendto(build_msg("/access_action", [name]).dgram, ("127.0.0.1", 3819))

    def script(self, number: int, until: Callable[[], object] = lambda: True) -> None:
        """Run one of the given scripts, counted from 1; an action that Ardour does not begin is sent again."""
        before, sent = self._runs(number + 1), -math.inf

        def began() -> bool:
            nonlocal sent
            if time.monotonic() - sent > ACTION_SECONDS:
                self._action(f"LuaAction/script-{number + 1}")
                sent = time.monotonic()
            return self._runs(number + 1) > before

        self.wait_for(began)
        self.wait_for(until)

    def _runs(self, number: int) -> int:
        return self._ran.read_text().split().count(str(number)) if self._ran.exists() else 0

    def select_all(self, regions: int) -> None:
        """Select everything, once so many regions are on the canvas: it draws them when it has time."""
        self._selected.unlink(missing_ok=True)
        self.wait_for(lambda: self._selected_regions() == regions, every=1.0)

    def _selected_regions(self) -> int:
        self._action("Editor/select-all-objects")
        self._action(f"LuaAction/script-{len(self._scripts) + 2}")
        text = self._selected.read_text() if self._selected.exists() else ""
        return int(text or -1)

    def text(self) -> str:
        return (self.session / "song.ardour").read_text()

    def wait_for(self, condition: Callable[[], object], seconds: float = 120.0, every: float = 0.2) -> None:
        """Wait for a condition; fails after far more than it takes, with what can be known of the cause."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain\n{self._state()}"
            time.sleep(every)

    def _state(self) -> str:
        """Open windows, actions that ran, errors of scripts, and the ends of all logs."""
        environment = {**os.environ, "DISPLAY": self.display}
        windows = ["xdotool", "search", "--onlyvisible", "--name", ".", "getwindowname", "%@"]
        found = subprocess.run(windows, env=environment, timeout=20, check=False, capture_output=True, text=True)
        told = [f"windows: {found.stdout.split(chr(10))}"]
        for file in (self._ran, self._selected, self.faults, *sorted(self.folder.glob("*.log"))):
            told.append(f"{file.name}: {file.read_text()[-2000:] if file.exists() else 'missing'}")
        return "\n".join(told)

    @property
    def log(self) -> Path:
        return self.folder / "ardour.log"

    def picture(self, file: Path) -> None:
        """A picture of the screen."""
        window = subprocess.run(["import", "-window", "root", "-display", self.display, str(file)], check=False)
        assert window.returncode == 0

    def save(self) -> None:
        file = self.session / "song.ardour"
        before = file.stat().st_mtime_ns
        self.wait_for(lambda: file.stat().st_mtime_ns > before or self._action("Common/Save"), every=0.5)

    def quit(self) -> None:
        if len(self._running) > 1:
            self._action("Common/Quit")
            try:
                self._running[1].wait(20)
            except subprocess.TimeoutExpired:
                self._running[1].kill()
                self._running[1].wait()
            del self._running[1]

    def export(self, out: Path) -> None:
        """Export the whole session to a WAV file with Ardour's exporter.

        Ardour 7.3's exporter corrupts its memory in one run of five ("double free or corruption") and may write a
        broken sample in each block before it crashes: only a run that ended normally counts.
        """
        command = ["ardour7-export", "-b", "float", "-o", str(out), str(self.session), "song"]
        ends: list[int] = []
        while 0 not in ends:
            assert len(ends) < EXPORT_TRIES, f"Ardour's exporter ended with {ends}"
            out.unlink(missing_ok=True)
            ends.append(exported(command, self._environment))
        assert out.exists()

    def close(self) -> None:
        self.quit()
        for process in self._running:
            process.kill()
            process.wait()
        self._socket.close()


__all__ = ["PROGRAMS", "RATE", "Ardour", "free_port", "missing"]
