"""Row 17: broken audio files, read in a process with a limit of memory: each a region or a RegionError within 2 s.

    python -m plugin_host.bench.trust.bad_sound FOLDER FIRST COUNT [naive]

The twin reads WAV files with Python's own module, and believes what is in them.
"""

from __future__ import annotations

import io
import random
import resource
import struct
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np

from bridge.errors import RegionError
from bridge.region.region_file import read_region
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.stage import Stage
from plugin_host.console.screen import print_line

RATE_HZ, SECONDS_MAX, MEMORY_MAX = 16_000, 2.0, 512 * 2**20
KINDS = ("WAV", "RF64", "AIFF", "CAF", "AU", "FLAC", "OGG", "MP3")
WORDS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFF000, 0x10000)
ENDS_MAX = 5


def wholes() -> list[bytes]:
    """A small file of each kind, and a MIDI file.  [main]"""
    import soundfile

    music = (0.1 * np.random.default_rng(1).standard_normal((RATE_HZ // 2, 2))).clip(-1, 1).astype(np.float32)
    files = []
    for kind in KINDS:
        memory = io.BytesIO()
        soundfile.write(memory, music, RATE_HZ, format=kind, subtype=None if kind in ("MP3", "OGG") else "PCM_16")
        files.append(memory.getvalue())
    return [*files, b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\x0c\0\x90\x3c\x40\x60\x80\x3c\0\0\xff\x2f\0"]


def broken(number: int, files: list[bytes]) -> bytes:
    """The file of a number: cut, with other bytes or words, mostly in its header.  [main]"""
    rng = random.Random(number)
    whole = files[number % len(files)]
    data = bytearray(whole[: rng.randrange(1, len(whole))] if rng.random() < 0.3 else whole)
    for _ in range(rng.randrange(1, 5)):
        near = min(len(data), 120) if rng.random() < 0.7 else len(data)
        place = rng.randrange(near)
        if rng.random() < 0.5:
            data[place] = rng.choice((0, 255, rng.randrange(256)))
        else:
            word = struct.pack(rng.choice("<>") + "I", rng.choice(WORDS))
            data[place : place + 4] = word[: len(data) - place]
    return bytes(data)


def naive(path: str) -> None:
    """What believes a file.  [main]"""
    with wave.open(path) as file:
        file.readframes(file.getnframes())


def read_all(folder: Path, first: int, count: int, believing: bool) -> None:
    """Read the files of these numbers; a line for each fault, and one every 100 files.  [main]"""
    files, path = wholes(), folder / "broken.wav"
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY_MAX, used + MEMORY_MAX))
    for number in range(first, first + count):
        path.write_bytes(broken(number, files))
        fault, began = "", time.thread_time()
        try:
            if believing:
                naive(str(path))
            else:
                read_region(str(path), "continue", 120.0, 0.0)
        except RegionError:
            pass
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        took = time.thread_time() - began
        if took > SECONDS_MAX:
            fault = fault or f"took {took:.1f} s"
        if fault:
            print_line(f"fault {number} {fault[:150]}")
        print_line(f"done {number}")


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count, at, faults = stage.count(1_000, 10_000, 20_000), 0, list[str]()
    while at < count and len(faults) < count and sum("ended" in each for each in faults) < ENDS_MAX:
        words = [str(stage.folder), str(at), str(count - at), *["naive"] * stage.twin]
        command = [sys.executable, "-m", "plugin_host.bench.trust.bad_sound", *words]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")  # noqa: S603 - our own command
        lines = done.stdout.splitlines()
        faults += [line for line in lines if line.startswith("fault")]
        at += sum(line.startswith("done") for line in lines)
        if at < count:
            faults.append(f"the process ended with {done.returncode} at file {at}: {done.stderr[-200:]}")
            at += 1
    return counted(count, "broken files", faults, f"{', '.join(KINDS)} and MIDI, {MEMORY_MAX >> 20} MB each")


if __name__ == "__main__":
    read_all(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["naive"])
