"""The context of every `segue` command: errors in one line and an exit code, never a traceback."""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import typer

EXIT_FAULT, EXIT_OPTION, EXIT_ENGINE, EXIT_REGION, EXIT_SOUND_CARD, EXIT_OUTPUT = 1, 2, 3, 4, 5, 6
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)  # of scratch files: faults of the disk


class _Terminated(SystemExit):
    """SIGTERM, as an exception that unwinds and cleans up."""


def _on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(EXIT_TERMINATED)


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Errors in one line and an exit code instead of a traceback; Ctrl-C and SIGTERM unwind.  [main]"""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        from bridge.errors import SegueError
        from bridge.system.dependencies import broken_library
        from plugin_host.console.screen import complain

        signal.signal(signal.SIGTERM, _on_sigterm)
        try:
            return command(*arguments, **options)
        except KeyboardInterrupt:
            complain("\nstopped")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:  # the reader has ended: `segue demo | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_FAULT) from None
        except SegueError as error:
            complain(f"segue: {error}")
            raise typer.Exit(_exit_code(error)) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                complain(f"segue: {error}")
                raise typer.Exit(EXIT_OUTPUT) from None
            broken = broken_library(error)
            if broken is None:
                raise
            complain(f"segue: {broken}")
            raise typer.Exit(EXIT_FAULT) from None

    return run


def _exit_code(error: Exception) -> int:
    from bridge.errors import RegionError
    from plugin_host.console.output import OutputError
    from plugin_host.history.errors import HistoryError
    from plugin_host.host.jack_client import JackError
    from plugin_host.host.soundcard import SoundCardError
    from plugin_host.jam.errors import JamError
    from plugin_host.midi.errors import MelodyError, MidiMapError
    from plugin_host.takes.errors import TakeError

    unusable = (RegionError, TakeError, HistoryError, JamError, MelodyError)
    kinds = ((unusable, EXIT_REGION), ((SoundCardError, JackError), EXIT_SOUND_CARD), ((OutputError,), EXIT_OUTPUT),
             ((MidiMapError,), EXIT_OPTION))  # fmt: skip
    return next((code for kind, code in kinds if isinstance(error, kind)), EXIT_ENGINE)
