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
START_SECONDS = 20.0


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


def run_jam_process(out: Path, seconds: float, *options: str) -> str:
    """Run a jam to its end; returns what it printed. JackError if it fails, or lasts longer than `seconds`.  [main]"""
    command = jam_command(out, *options)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise JackError(f"the jam did not end in {seconds:.0f} s") from None
    if done.returncode:
        raise JackError(f"the jam failed: {done.stderr[-500:]}")
    return done.stdout
