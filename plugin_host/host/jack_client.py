"""A JACK client that outlives its server: it waits when the server ends, and connects to the next one.

    set_up (ports, callbacks) --> activate --> ready (connections)
       ^                                            |
       +------ tried twice a second <-- server ends

Uses JACK's own library through cffi, which lets other Python threads run while JACK waits: a call that blocked them
would wait for their audio callback, for ever. It never starts a server.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from bridge.errors import SegueError

RETRY_SECONDS = 0.5
DRAIN_SECONDS = 0.25  # a cycle that was begun when the server ended leaves Python within it
CANCEL_DISABLED = {"linux": 1, "darwin": 0}  # PTHREAD_CANCEL_DISABLE
MISSING = "JACK's library is not here ({}): pip install 'segue[jack]', and JACK"


class JackError(SegueError):
    """JACK or its server is missing; the message says what to install or start."""

    code = "jack"


def load() -> Any:
    """The jack module, without its messages; JackError if it, or JACK, is not installed.  [main]"""
    try:
        import jack
    except (ImportError, OSError) as fault:
        raise JackError(MISSING.format(fault)) from None
    jack.set_error_function(lambda text: None)
    jack.set_info_function(lambda text: None)
    return jack


def keep_thread() -> None:
    """Forbid others to cancel the calling thread, for good.

    jack_client_close cancels JACK's threads. A thread cancelled while it waits for Python's lock never gives it
    back: the whole program stands still.  [any]
    """
    disabled = CANCEL_DISABLED.get(sys.platform)
    if disabled is not None:
        ctypes.PyDLL(None).pthread_setcancelstate(disabled, None)


class LastingClient:
    """Opens at once, JackError if no server runs. `say` gets a line when the server has gone and when it is back.

    `set_up` gets each new client before it is active, `ready` once it is.
    """

    def __init__(
        self,
        name: str,
        set_up: Callable[[Any], None],
        ready: Callable[[Any], None] = lambda client: None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._jack = load()
        self._name, self._set_up, self._ready, self._say = name, set_up, ready, say
        self._gone = threading.Event()
        self._ending = threading.Event()
        self.client: Any = self._open()
        self._thread = threading.Thread(target=self._attend, name=f"{name}-attend", daemon=True)
        self._thread.start()

    @property
    def here(self) -> bool:
        """Whether the server runs.  [any]"""
        return not self._gone.is_set()

    def close(self) -> None:
        """Disconnect from the server, if it is there. May be called twice.  [main]"""
        self._ending.set()
        self._gone.set()
        self._thread.join()
        client, self.client = self.client, None
        if client is not None:
            client.deactivate()
            client.close()

    def _open(self) -> Any:
        try:
            client = self._jack.Client(self._name, no_start_server=True)
        except self._jack.JackOpenError:
            raise JackError("no JACK server runs") from None
        self._gone.clear()
        client.set_shutdown_callback(self._ended)
        try:
            self._set_up(client)
            client.activate()
            self._ready(client)
        except self._jack.JackError as fault:
            client.close()
            raise JackError(f"JACK does not take {self._name}: {fault}") from None
        except BaseException:
            client.close()
            raise
        return client

    def _ended(self, status: Any, reason: str) -> None:
        """JACK's callback, on a thread that ends after it.  [any]"""
        keep_thread()
        self._gone.set()

    def _attend(self) -> None:
        while True:
            self._gone.wait()
            if self._ending.is_set():
                return
            client, self.client = self.client, None
            time.sleep(DRAIN_SECONDS)  # closing cancels the audio thread, which may be in Python: see keep_thread
            client.close()  # now: at the end of the program it is too late for JACK's library
            self._say(f"JACK has ended: {self._name} waits for it")
            while self.client is None and not self._ending.wait(RETRY_SECONDS):
                try:
                    self.client = self._open()
                    self._say(f"JACK is back: {self._name} goes on")
                except SegueError:
                    self._gone.set()
