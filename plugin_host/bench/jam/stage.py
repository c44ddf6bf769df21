"""A JACK server without a sound card, its clients, and jams as the command runs them, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from plugin_host.host.jack_client import JackError

SERVER = "segue-bench"
BLOCK = 1024
STALLED_SECONDS = 180.0  # also while the engine starts


@contextmanager
def jack_server(log: Path, rate_hz: int) -> Iterator[None]:
    """A server in simulated time, the default one of this process and its children; JackError.  [main]"""
    program = shutil.which("jackd")
    if program is None:
        raise JackError("jackd is not installed: on Debian and Ubuntu `sudo apt install jackd2`")
    name = f"{SERVER}-{os.getpid()}"
    form = ["-r", str(rate_hz), "-p", str(BLOCK), "-C", "2", "-P", "2"]
    os.environ |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1"}
    with log.open("wb") as file:
        server = subprocess.Popen([program, "-r", "-S", "-n", name, "-d", "dummy", *form], stdout=file, stderr=file)  # noqa: S603
    try:
        time.sleep(1.0)
        if server.poll() is not None:
            raise JackError(f"jackd does not start: see {log}")
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def client(*arguments: str) -> Iterator[None]:
    """One of the clients, running.  [main]"""
    command = [sys.executable, "-m", "plugin_host.bench.jam.clients", *arguments]
    with ExitStack() as stack:
        made = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))  # noqa: S603
        stack.callback(made.kill)
        assert made.stdout is not None
        if made.stdout.readline().strip() != b"ready":
            raise JackError(f"the client {arguments[0]} does not start")
        yield


def jam_command(out: Path, *options: str) -> list[str]:
    """The command of a jam without keys, that records into a new folder.  [any]"""
    shutil.rmtree(out, ignore_errors=True)
    return [sys.executable, "-m", "plugin_host.cli", "jam", "--out", str(out), "--control-port", "0", *options]


def run_jam_process(out: Path, *options: str) -> str:
    """Run a jam to its end, however long; returns what it printed, which also stands in a file beside its folder.

    JackError if it fails, or its recording does not grow for three minutes.  [main]
    """
    command, log = jam_command(out, *options), out.with_suffix(".txt")
    with log.open("wb") as file:
        jam = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)  # noqa: S603
        try:
            _wait(jam, out / "input.wav")
        finally:
            jam.kill()
            jam.wait()
    said = log.read_text(errors="replace")
    if jam.returncode:
        raise JackError(f"the jam failed: {said[-500:]}")
    return said


def _wait(jam: subprocess.Popen[bytes], recording: Path) -> None:
    size, grew_at = -1, time.monotonic()
    while jam.poll() is None:
        now = recording.stat().st_size if recording.exists() else 0
        if now != size:
            size, grew_at = now, time.monotonic()
        if time.monotonic() - grew_at > STALLED_SECONDS:
            raise JackError(f"the jam's recording did not grow for {STALLED_SECONDS:.0f} s")
        time.sleep(0.1)
