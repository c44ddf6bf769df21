"""A CLAP host with a window, in real time, controlled by its standard input: clap_window.py PLUGIN. One JSON line each
way.

{"do": "show", "scale": 1.0}   {"window": X11 number, "width": w, "height": h}       {"do": "hide"}   {}
{"do": "play", "on": true}     {}         {"do": "set", "values": {number: value}}   {}
{"do": "value", "number": n}   {"value": v, "turned": [numbers that the window turned]}
{"do": "figures"}              {"memory_kb": resident, "descriptors": n, "threads": n}
{"do": "save"}   {"state": hex}   {"do": "close"}   {}

The audio runs in a thread of its own, the window in the main thread, as in a DAW. Uses libX11 by ctypes.
"""

import ctypes
import ctypes.util
import json
import os
import select
import sys
import threading
import time
from ctypes import CFUNCTYPE, POINTER, Structure, c_bool, c_char_p, c_double, c_uint32, c_ulong, c_void_p

import clap_host
import numpy as np

BLOCK, BPM = 512, 120.0


class GuiWindow(Structure):
    _fields_ = [("api", c_char_p), ("number", c_ulong)]


GuiExt = clap_host.struct(
    "GuiExt", ("is_api", CFUNCTYPE(c_bool, c_void_p, c_char_p, c_bool)), ("preferred", c_void_p),
    ("create", CFUNCTYPE(c_bool, c_void_p, c_char_p, c_bool)), ("destroy", CFUNCTYPE(None, c_void_p)),
    ("set_scale", CFUNCTYPE(c_bool, c_void_p, c_double)),
    ("get_size", CFUNCTYPE(c_bool, c_void_p, POINTER(c_uint32), POINTER(c_uint32))),
    ("can_resize", CFUNCTYPE(c_bool, c_void_p)), ("hints", c_void_p), ("adjust", c_void_p),
    ("set_size", CFUNCTYPE(c_bool, c_void_p, c_uint32, c_uint32)),
    ("set_parent", CFUNCTYPE(c_bool, c_void_p, POINTER(GuiWindow))), ("set_transient", c_void_p),
    ("suggest_title", c_void_p), ("show", CFUNCTYPE(c_bool, c_void_p)), ("hide", CFUNCTYPE(c_bool, c_void_p)),
)  # fmt: skip
TimerExt = clap_host.struct("TimerExt", ("on_timer", CFUNCTYPE(None, c_void_p, c_uint32)))
Register = CFUNCTYPE(c_bool, c_void_p, c_uint32, POINTER(c_uint32))
Unregister = CFUNCTYPE(c_bool, c_void_p, c_uint32)
Resize, Ask = CFUNCTYPE(c_bool, c_void_p, c_uint32, c_uint32), CFUNCTYPE(c_bool, c_void_p)
Tell, Gone = CFUNCTYPE(None, c_void_p), CFUNCTYPE(None, c_void_p, c_bool)
HostGui = clap_host.struct(
    "HostGui", ("hints", Tell), ("resize", Resize), ("show", Ask), ("hide", Ask), ("closed", Gone)
)
HostTimer = clap_host.struct("HostTimer", ("register", Register), ("unregister", Unregister))


class Windowed(clap_host.Loaded):
    """A plugin in a host that has timers."""

    timers = None

    def __init__(self, path: str) -> None:
        self.timers, self.names = {}, iter(range(1, 1 << 30))
        self.timer_ext = HostTimer(Register(self._register), Unregister(self._unregister))
        self.gui_ext = HostGui(
            Tell(lambda _: None), Resize(lambda _, width, height: False), Ask(lambda _: False), Ask(lambda _: False),
            Gone(lambda _, destroyed: None),
        )  # fmt: skip
        super().__init__(path)

    def host_extension(self, name: bytes):
        known = {b"clap.timer-support": self.timer_ext, b"clap.gui": self.gui_ext}
        return ctypes.addressof(known[name]) if name in known else None

    def _register(self, _, period_ms, number):
        number[0] = next(self.names)
        self.timers[number[0]] = [period_ms / 1000, 0.0]
        return True

    def _unregister(self, _, number):
        self.timers.pop(number, None)
        return True

    def run_timers(self) -> None:
        now = time.monotonic()
        for number, timer in list(self.timers.items()):
            if now >= timer[1] and number in self.timers:
                timer[1] = now + timer[0]
                self.extension("clap.timer-support", TimerExt).on_timer(self.pointer, number)


class Desktop:
    """A top-level X11 window."""

    def __init__(self, width: int, height: int) -> None:
        x = self.x = ctypes.CDLL(ctypes.util.find_library("X11"))
        x.XOpenDisplay.restype = c_void_p
        for name in ("XCreateSimpleWindow", "XDefaultRootWindow"):
            getattr(x, name).restype = c_ulong
        self.display = c_void_p(x.XOpenDisplay(None))
        assert self.display, "no display"
        root = x.XDefaultRootWindow(self.display)
        self.number = x.XCreateSimpleWindow(self.display, c_ulong(root), 10, 10, width, height, 0, 0, 0)
        x.XMapWindow(self.display, c_ulong(self.number))
        x.XSync(self.display, 0)

    def close(self) -> None:
        self.x.XDestroyWindow(self.display, c_ulong(self.number))
        self.x.XCloseDisplay(self.display)


class WindowHost:
    """The plugin, its audio thread and its window."""

    def __init__(self, path: str) -> None:
        self.lane = Windowed(path)
        self.desktop = None
        self.playing, self.running, self.waiting = False, True, []
        self.late, self.lock = 0, threading.Lock()
        self.audio = threading.Thread(target=self._play, daemon=True)
        self.audio.start()

    def _play(self) -> None:
        """Blocks in real time: a plucked tone as the input."""
        due = time.monotonic()
        while self.running:
            with self.lock:
                values, self.waiting = self.waiting, []
            at = (np.arange(BLOCK) + self.lane.position) / clap_host.RATE
            tone = 0.3 * np.exp(-5 * (at * BPM / 60 % 1)) * np.sin(2 * np.pi * 196 * at) * self.playing
            self.lane.run(np.stack([tone, tone]).astype(np.float32), self.playing, BPM, values=values)
            due += BLOCK / clap_host.RATE
            time.sleep(max(0.0, due - time.monotonic()))

    def gui(self) -> Structure:
        return self.lane.extension("clap.gui", GuiExt)

    def show(self, scale=1.0):
        gui, plugin = self.gui(), self.lane.pointer
        assert gui.is_api(plugin, b"x11", False)
        assert gui.create(plugin, b"x11", False)
        gui.set_scale(plugin, scale)
        width, height = c_uint32(), c_uint32()
        assert gui.get_size(plugin, ctypes.byref(width), ctypes.byref(height))
        self.desktop = Desktop(width.value, height.value)
        assert gui.set_parent(plugin, ctypes.byref(GuiWindow(b"x11", self.desktop.number)))
        assert gui.show(plugin)
        return {"window": self.desktop.number, "width": width.value, "height": height.value}

    def hide(self):
        self.gui().hide(self.lane.pointer)
        self.gui().destroy(self.lane.pointer)
        self.desktop.close()
        return {}

    def play(self, on):
        self.playing = on
        return {}

    def set(self, values):
        with self.lock:
            self.waiting = [(int(number), value) for number, value in values.items()]
        return {}

    def value(self, number):
        return {"value": self.lane.value(number), "turned": sorted(self.lane.turned)}

    def figures(self):
        with open("/proc/self/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        memory = int(fields["VmRSS"].split()[0])
        return {"memory_kb": memory, "descriptors": len(os.listdir("/proc/self/fd")), "threads": int(fields["Threads"])}

    def save(self):
        return {"state": self.lane.save().hex()}

    def close(self):
        self.running = False
        self.audio.join()
        self.lane.close()
        return {}


def main(path: str) -> None:
    host = WindowHost(path)
    while True:
        host.lane.run_timers()
        if not select.select([0], [], [], 0.005)[0]:
            continue
        line = sys.stdin.readline()
        if not line:
            return
        order = json.loads(line)
        print(json.dumps(getattr(host, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
