"""The engine's command line; loads no torch, so that a wrong option fails at once."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.control.messages import DEFAULT_PORT, LANES_MAX, PRECISIONS
from bridge.far import frames
from bridge.far.frames import FAR_PORT
from bridge.system import whole_file

EXIT_OK, EXIT_OPTION, EXIT_PORT, EXIT_MODEL = 0, 2, 3, 4
LANES = 8
MINUTES_MAX = 7 * 24 * 60
NO_MODEL = "none"


@dataclass(frozen=True)
class Options:
    """The engine's command-line options.  [main]"""

    port: int = DEFAULT_PORT
    model: str = "embedded"
    device: str = "auto"
    precision: str = "auto"
    memory_mb: int = 0
    t5: str | None = None
    threads: int = 0
    lanes: int = LANES
    host: str = "127.0.0.1"
    allow_network: bool = False
    secret: str = ""
    plain_secret: bool = False
    parent: int = 0
    journal: Path | None = None
    idle_exit_minutes: float = 0.0
    listen: tuple[str, int] | None = None  # address and TCP port for relays
    far_secret: str = ""


def default_threads() -> int:
    """Threads for the model: two; on a machine with two cores one, as the host needs the other.  [any]"""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(2, cores - 1))


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; prints help or an error and exits with EXIT_OPTION.  [main]"""
    parser = _parser()
    given = parser.parse_args(arguments)
    secret = ""
    if given.secret_file is not None:
        try:
            secret = given.secret_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            parser.error(f"--secret-file: {fault}")
        if not secret:
            parser.error(f"--secret-file: {given.secret_file} is empty")
    if given.listen is not None and not secret:
        parser.error("--listen needs --secret-file: a file with the secret that the relay has, too")
    return Options(
        port=given.port,
        model=given.model,
        device=given.device,
        precision=given.precision,
        memory_mb=given.memory_mb,
        t5=given.t5,
        threads=given.threads or default_threads(),
        lanes=given.lanes,
        host=given.host,
        allow_network=given.allow_network,
        secret=secret if given.listen is None or given.allow_network else "",
        plain_secret=given.plain_secret,
        parent=given.parent,
        journal=given.journal,
        idle_exit_minutes=given.idle_exit,
        listen=given.listen,
        far_secret=secret if given.listen is not None else "",
    )


_EPILOG = """\
  segue engine                                    the embedded model, OSC on port 9600 of this machine
  segue engine --model melody --device cuda       another model, on a GPU
  segue engine --host 192.168.1.5 --allow-network --secret-file secret.txt
  segue engine --listen 0.0.0.0 --secret-file secret.txt     for `segue relay` on another machine

Ctrl-C ends it cleanly. Exit codes: 0 ended, 2 wrong option, 3 port or address, 4 model."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segue engine",
        description="Segue's engine: keeps a model ready and streams its music into shared memory; controlled by OSC.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_whole(0, 65535), default=DEFAULT_PORT, metavar="N", help="UDP port for OSC (0: a free one)")
    add(
        "--model",
        default="embedded",
        metavar="NAME",
        help="embedded (comes with Segue), melody, style, small, ... or a checkpoint's folder; none: start without one",
    )
    add("--precision", choices=PRECISIONS, default="auto", help="of the model's weights (auto: what suits the device)")
    add(
        "--device",
        default="auto",
        help="cpu, cuda, cuda:1, mps; auto: a GPU if there is one, and for the embedded model the faster one",
    )
    add("--t5", metavar="FOLDER", help="text encoder for checkpoints without one")
    add("--threads", type=_whole(0, 256), default=0, metavar="N", help="CPU threads of the model (0: one or two)")
    add(
        "--memory-mb",
        type=_whole(0, 1 << 24),
        default=0,
        metavar="N",
        help="limit of memory for the process with its model (0: the free memory)",
    )
    add("--lanes", type=_whole(1, LANES_MAX), default=LANES, metavar="N", help="how many lanes may be open at once")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: only this machine)")
    add("--allow-network", action="store_true", help="allow --host to be reached from other machines")
    add("--secret-file", type=Path, metavar="FILE", help="file with the secret that clients, or relays, must prove")
    add(
        "--plain-secret",
        action="store_true",
        help="accept the secret itself from other machines; anybody who captures packets can then read it",
    )
    add(
        "--listen",
        type=_address,
        metavar="ADDRESS[:PORT]",
        help=f"take lanes for `segue relay` on other machines there, encrypted; TCP, port {FAR_PORT} by default",
    )
    _add_process_options(add)
    return parser


def _add_process_options(add: Callable[..., object]) -> None:
    """Options about what the process writes, and when it ends."""
    add(
        "--journal",
        type=_folder,
        metavar="FOLDER",
        help="write each lane's journal there: `segue render` makes again from it what was heard",
    )
    add(
        "--idle-exit",
        type=_minutes,
        default=0.0,
        metavar="MINUTES",
        help="end after so long without an open lane or a client (0: never)",
    )
    add("--parent", type=_whole(0, 2**31 - 1), default=0, metavar="PID", help="end when this process has ended")


def _address(text: str) -> tuple[str, int]:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, for argparse."""
    try:
        return frames.address_of(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _folder(text: str) -> Path:
    """A folder that can be written to, made if needed, for argparse."""
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
        whole_file.probe(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written to: {error.strerror}") from None
    return Path(text)


def _minutes(text: str) -> float:
    """Minutes from 0 to a week, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of minutes, 0 to {MINUTES_MAX}")
    return value


class _whole:
    """A whole number in a range, for argparse."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        """The number; argparse.ArgumentTypeError says what is allowed."""
        try:
            value = int(text)
        except ValueError:
            value = self._low - 1
        if not self._low <= value <= self._high:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, {self._low} to {self._high}")
        return value
