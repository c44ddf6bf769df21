"""Result files are complete or absent: on a full disk, after a kill at any step, with a name in use."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bridge.system import whole_file
from engine.audio import audio_file
from engine.errors import AudioError
from plugin_host.console import output
from plugin_host.console.output import OutputError, add_line, put, read_note, ready_file, ready_folder, save_wav
from plugin_host.takes.finish import finish
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.take import save_take, span_of

RATE = 48_000
NOISE = np.random.default_rng(4).normal(0, 0.1, (20 * RATE, 2)).astype(np.float32)


def test_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    path.chmod(0o640)
    with pytest.raises(ZeroDivisionError), whole_file.writing(path) as file:
        file.write(bytes(5 // file.write(b"")))
    assert path.read_text() == "before"
    whole_file.put(path, b"after")
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.txt"]


def test_flushed_before_it_has_its_name_and_its_name_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[str] = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)

        def spy(*given: object, name: str = name, real: Callable[..., object] = real) -> object:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(given[0]).st_mode)  # type: ignore[arg-type]
            did.append("fsync of the folder" if folder else name)
            return real(*given)

        monkeypatch.setattr(whole_file.os, name, spy)
    whole_file.put(tmp_path / "a", b"x")
    assert did == ["write", "fsync", "replace", "fsync of the folder"]


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none, as on FAT"])
def test_new_file_takes_nobodys_place(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(whole_file.os, "link", refuse)
    whole_file.put(tmp_path / "a", b"first", new=True)
    with pytest.raises(FileExistsError):
        whole_file.put(tmp_path / "a", b"second", new=True)
    assert (tmp_path / "a").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]


def something_else(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "symbolic link":
        (path.parent / "mine.txt").write_text("mine")
        path.symlink_to(path.parent / "mine.txt")
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes device nodes")


@pytest.mark.parametrize("kind", ["folder", "pipe", "symbolic link", "device"])
def test_only_plain_files_are_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out.wav"
    something_else(path, kind)
    before = os.lstat(path)
    with pytest.raises(OSError, match=f"it is a {kind}"):
        whole_file.put(path, b"x")
    with pytest.raises(OutputError, match=rf"out\.wav cannot be written: it is a {kind}"):
        save_wav(path, NOISE, RATE)
    with pytest.raises(AudioError, match=f"it is a {kind}"):
        audio_file.audio_write(path, torch.zeros(1, 800), RATE, add_suffix=False)
    with pytest.raises(OutputError, match=f"it is a {kind}"):
        ready_file(path)
    with pytest.raises(OutputError):
        add_line(path, "x")
    assert (os.lstat(path).st_ino, os.lstat(path).st_mode) == (before.st_ino, before.st_mode)
    if kind == "symbolic link":
        assert (tmp_path / "mine.txt").read_text() == "mine"
        assert read_note(path) == "", "not followed either"


def test_pipes_are_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_note(tmp_path / "pipe") == ""
    with pytest.raises(OutputError):
        add_line(tmp_path / "pipe", "x")


def test_parts_of_the_killed_are_swept_a_day_later(tmp_path: Path) -> None:
    for name, age in ((".segue-1.part", 2 * 86_400), (".segue-2.part", 60), ("other.part", 2 * 86_400)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    ready_folder(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".segue-2.part", "other.part"]


# -- a full disk --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True) if sys.platform == "linux" else None
    if done is None or done.returncode:
        pytest.skip(f"a small file system needs root on Linux: {done.stderr.strip() if done else sys.platform}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def take_of(folder: Path) -> Path:
    recipe = Recipe(bpm=120.0, bars=1, seed=1)
    start, end = span_of(recipe)
    return save_take(folder, recipe, finish(NOISE[: end - start], RATE, "off", 24), name="take")


WRITERS: dict[str, Callable[[Path], object]] = {
    "demo.wav": lambda path: save_wav(path, NOISE, RATE),
    "take.wav": lambda path: take_of(path.parent),
    "song.dawproject": lambda path: put(path, bytes(2**20)),
    **{
        f"a.{kind}": lambda path, kind=kind: audio_file.audio_write(  # type: ignore[misc]
            path.with_suffix(""), torch.from_numpy(NOISE.T.copy()), RATE, format=kind
        )
        for kind in audio_file.FORMATS
    },
}


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_leaves_no_cut_file_and_is_named(small_disk: Path, name: str) -> None:
    with pytest.raises((OutputError, AudioError), match=r"cannot be written: No space left on device"):
        WRITERS[name](small_disk / name)
    assert os.listdir(small_disk) == []


def test_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    save_wav(small_disk / "demo.wav", NOISE[:4800], RATE)
    before = (small_disk / "demo.wav").read_bytes()
    with pytest.raises(OutputError, match="No space left"):
        save_wav(small_disk / "demo.wav", NOISE, RATE)
    assert (small_disk / "demo.wav").read_bytes() == before


def test_line_that_does_not_fit_is_not_added_by_half(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(246 * 1024))
    line = "x" * 7000
    fitted = 0
    with suppress(OutputError):
        while fitted < 10:
            add_line(small_disk / "takes.txt", line)
            fitted += 1
    assert 0 < fitted < 10
    assert (small_disk / "takes.txt").read_text() == f"{line}\n" * fitted


def test_limit_on_file_sizes_is_like_a_full_disk(tmp_path: Path) -> None:
    """Works without root: the system limits files to 100 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            save_wav(tmp_path / "demo.wav", NOISE, RATE)
        with pytest.raises(AudioError, match="File too large"):
            audio_file.audio_write(tmp_path / "a", torch.from_numpy(NOISE.T.copy()), RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


# -- a kill -------------------------------------------------------------------------------------------

KILLED = """
    import itertools, os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    import numpy, soundfile
    from plugin_host.takes.finish import finish
    from plugin_host.takes.recipe import Recipe
    from plugin_host.takes.take import read_take, save_take

    folder, done = Path({folder!r}), finish(numpy.zeros((96_000, 2), "f4"), 48_000, "off", 24)
    names = ("open", "write", "fsync", "link", "replace", "rename", "unlink", "close")
    for count in itertools.count(1):
        child = os.fork()
        if child == 0:
            left = [count]
            def tick():
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            def watched(real):
                def call(*given, **more):
                    tick()
                    found = real(*given, **more)
                    tick()
                    return found
                return call
            for name in names:
                setattr(os, name, watched(getattr(os, name)))
            save_take(folder, Recipe(bpm=120.0, bars=1, seed=count), done)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for path in folder.iterdir():
            if not path.name.startswith("."):
                assert read_take(path).recipe.seed == count, "a take under its name is whole"
            path.unlink()
        if code == 0:
            print(count - 1, "kills")
            break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_take_that_is_killed_at_any_step_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    script = textwrap.dedent(KILLED).format(root=str(Path(output.__file__).parents[1]), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 12, "each file call before and after"


def test_bytes_are_those_of_a_direct_write(tmp_path: Path) -> None:
    save_wav(tmp_path / "a.wav", NOISE, RATE)
    soundfile.write(tmp_path / "b.wav", NOISE, RATE, subtype="PCM_24")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
