"""Headless Chromium, driven by its own protocol (CDP) over a websocket; nothing else is needed."""

from __future__ import annotations

import base64
import itertools
import json
import os
import queue
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from web import WebSocket

PROGRAM = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), "")
SECONDS = 30.0


class Browser:
    """One page; also a context manager. `errors` has what the page's console said of faults, `drags`
    what was dragged, by its kind."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800, dark: bool = True) -> None:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--mute-audio",
                   "--no-first-run", "--disable-extensions", "--autoplay-policy=no-user-gesture-required",
                   f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"]  # fmt: skip
        self._process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._ids = itertools.count(1)
        self.errors: list[str] = []
        self.drags: list[dict[str, str]] = []
        self._socket = self._connect(folder / "DevToolsActivePort")
        for method in ("Page.enable", "Runtime.enable", "Log.enable", "DOM.enable"):
            self.call(method)
        self.size(width, height)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])  # fmt: skip

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _connect(self, file: Path) -> WebSocket:
        deadline = time.monotonic() + SECONDS
        while not (file.is_file() and file.read_text().count("\n")):
            assert time.monotonic() < deadline, "Chromium does not start"
            assert self._process.poll() is None, "Chromium ended"
            time.sleep(0.05)
        port = file.read_text().split("\n")[0]
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as said:
                pages = [each for each in json.load(said) if each["type"] == "page"]
            if pages:
                return WebSocket(pages[0]["webSocketDebuggerUrl"], [])
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        id = next(self._ids)
        self._socket.send({"id": id, "method": method, "params": values})
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                said = json.loads(self._socket.texts.get(timeout=max(0.01, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"{method} was not answered") from None
            if said.get("id") == id:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        if said.get("method") == "Runtime.exceptionThrown":
            details = said["params"]["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        if said.get("method") == "Input.dragIntercepted":
            self.drags.append({each["mimeType"]: each["data"] for each in said["params"]["data"]["items"]})
        if said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
            self.errors.append(said["params"]["entry"]["text"] + " " + said["params"]["entry"].get("url", ""))

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def js(self, code: str) -> Any:
        """The value of an expression; a promise is awaited."""
        said = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait(self, condition: str, seconds: float = SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := self.js(condition)):
            assert time.monotonic() < deadline, f"waited in vain for {condition}: {self.js('document.body.innerText')}"
            time.sleep(0.05)
        return found

    def click(self, selector: str, text: str = "") -> None:
        """Click the first such element, or that with this text."""
        every = f"[...document.querySelectorAll({selector!r})]"
        find = f"{every}.find((each) => each.textContent.trim().startsWith({text!r}))"
        self.wait(f"Boolean({find}) && !{find}.disabled")
        self.js(f"{find}.scrollIntoView({{block: 'center'}}), {find}.click()")

    def key(self, text: str, code: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=code or text, text="" if code else text)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def drag(self, selector: str) -> dict[str, str]:
        """Drag an element with the mouse, as long as it takes; what another program would get, by its kind."""
        self.call("Input.setInterceptDrags", enabled=True)
        known, deadline = len(self.drags), time.monotonic() + SECONDS
        while len(self.drags) == known:
            assert time.monotonic() < deadline, f"{selector} cannot be dragged"
            x, y = self.js(f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect(); "
                           "return [box.left + box.width / 2, box.top + box.height / 2]; })()")  # fmt: skip
            for kind, move in (("mousePressed", 0), *(("mouseMoved", each) for each in (5, 20, 60))):
                self.call(
                    "Input.dispatchMouseEvent", type=kind, x=x + move, y=y, button="left", buttons=1, clickCount=1
                )
            time.sleep(0.2)
            self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x + 60, y=y, button="left", clickCount=1)
        self.call("Input.setInterceptDrags", enabled=False)
        return self.drags[-1]

    def choose_file(self, selector: str, path: Path) -> None:
        found = self.call("Runtime.evaluate", expression=f"document.querySelector({selector!r})")["result"]
        self.call("DOM.setFileInputFiles", objectId=found["objectId"], files=[os.fspath(path)])

    def shot(self, path: Path, whole: bool = False) -> None:
        said = self.call("Page.captureScreenshot", format=path.suffix.lstrip("."), captureBeyondViewport=whole,
                         **({"quality": 80} if path.suffix == ".webp" else {}))  # fmt: skip
        path.write_bytes(base64.b64decode(said["data"]))
