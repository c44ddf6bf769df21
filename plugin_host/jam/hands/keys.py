"""Keys of the terminal to presses.

    space play or stop   t, Enter take over   a again   k keep   h hold   r record (4 r: four bars)   u undo
    c, Backspace, Escape cancel   q quit

Other keys, arrows and the like do nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from plugin_host.console.keys import SEQUENCE
from plugin_host.jam.hands.switches import BARS_MAX
from plugin_host.jam.state import Press, Verb

QUIT = "q"
VERB_OF: dict[str, Verb] = {
    " ": "play_stop",
    "t": "take_over", "\r": "take_over", "\n": "take_over",
    "a": "again",
    "k": "keep",
    "h": "hold",
    "r": "record",
    "u": "undo",
    "c": "cancel", "\x1b": "cancel", "\x7f": "cancel", "\x08": "cancel",
}  # fmt: skip
HELP = (
    ("space", "play/stop"), ("t", "take over"), ("a", "again"), ("k", "keep"), ("h", "hold"), ("4 r", "record 4 bars"),
    ("u", "undo"), ("c", "cancel"), ("q", "quit"),
)  # fmt: skip
NUMBER_SECONDS = 3.0  # after which a typed number is forgotten


class KeyReader:
    """Text from a terminal to presses; `quit` is called for the key that ends the jam.

    [any: one thread]
    """

    def __init__(
        self,
        press: Callable[[Press], None],
        quit_jam: Callable[[], None] = lambda: None,
        sample_at: Callable[[float], int | None] = lambda seconds: None,
    ) -> None:
        self._press, self._quit, self._sample_at = press, quit_jam, sample_at
        self._number, self._number_at = "", 0.0

    def read(self, text: str, seconds: float) -> None:
        """Characters that came at a monotonic second."""
        for key in SEQUENCE.sub("", text):
            self._key(key if len(key) == 1 and key in VERB_OF else key.lower(), seconds)

    def _key(self, key: str, seconds: float) -> None:
        number = self._number if seconds - self._number_at < NUMBER_SECONDS else ""
        self._number = ""
        if key in "0123456789":
            self._number, self._number_at = (number + key)[-2:], seconds
        elif key == QUIT:
            self._quit()
        elif key in VERB_OF:
            bars = min(int(number), BARS_MAX) if number and VERB_OF[key] == "record" and int(number) else None
            self._press(Press(VERB_OF[key], bars, "key", self._sample_at(seconds)))
