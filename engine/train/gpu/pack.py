"""Puts what a lent machine lacks into a folder that travels with the working tree: sounds, wheels, first weights.

    python -m engine.train.gpu.pack --out .gpu [--brought FOLDER] [--wheels FOLDER] [--limit-mib 64]

    .gpu/sounds    small soundfonts, CC0 drum samples and loops, freedoom's songs: SEGUE_TRAIN_SOUNDS names it there
    .gpu/whl       wheels of packages that are missing there
    .gpu/brought   the codec to begin with, and what an earlier run gave back (in 8 bits)

It counts the files of the working tree too, and says what is over the limit. Loops that are held out stay here.

All of it [main].
"""

import argparse
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bridge.system.whole_file import put
from engine.models.embedded_model import FOLDER, read_shards
from engine.train.genres import GENRES
from engine.train.gpu.font import small
from engine.train.gpu.shards import Progress, eighths, halves, load_shards, save_shards
from engine.train.parts import arrange, corpus
from engine.train.parts.hits import HELD_OUT, SHOTS, SONIC_PI
from engine.train.parts.stems import KITS
from engine.train.render import SOUNDFONTS, SOUNDS

MIB = 1 << 20


def programs() -> set[int]:
    """All General MIDI programs that a piece can be played on; freedoom's songs have others, which become pianos."""
    own = {*arrange.LEADS, *arrange.CHORDS, *arrange.PADS, *arrange.BASSES, *arrange.RIFFS}
    for genre in GENRES:
        own |= {*genre.melody_programs, *genre.chord_programs, *genre.bass_programs, *genre.pad_programs}
    for song in corpus.freedoom_songs():
        own |= set(song.programs.values())
    return own


def place(out: Path, path: Path) -> Path:
    """Where a file below SOUNDS goes."""
    there = out / "sounds" / path.relative_to(SOUNDS)
    there.parent.mkdir(parents=True, exist_ok=True)
    return there


def pack_fonts(out: Path, compression: float, count: int) -> None:
    """The first `count` soundfonts, those that are installed, small."""
    kits = {*KITS, *(genre.drum_kit for genre in GENRES)}
    for font in SOUNDFONTS[:count]:
        if font.is_file():
            put(place(out, font), small(font.read_bytes(), programs(), kits, compression))


def pack_samples(out: Path) -> None:
    """Drum samples and loops of `hits` and `corpus`, none of them held out."""
    names = {name for each in SHOTS.values() for name in each} | {name for name, _ in corpus.LOOPS}
    for name in sorted(names):
        if (SONIC_PI / f"{name}.flac").is_file() and not name.startswith(HELD_OUT):
            shutil.copyfile(SONIC_PI / f"{name}.flac", place(out, SONIC_PI / f"{name}.flac"))


def songs_only(lumps: Iterable[tuple[str, bytes]]) -> bytes:
    """A .wad file of the songs of another."""
    songs = [(name, data) for name, data in lumps if name.startswith("D_") and data[:4] == b"MThd"]
    body, rows = b"", b""
    for name, data in songs:
        rows += struct.pack("<ii8s", 12 + len(body), len(data), name.encode("latin1"))
        body += data
    return struct.pack("<4sii", b"PWAD", len(songs), 12 + len(body)) + body + rows


def pack_songs(out: Path) -> None:
    """freedoom's songs, in their order."""
    for wad in corpus.WADS:
        if wad.is_file():
            put(place(out, wad), songs_only(corpus.lumps_of(wad)))


def pack_weights(out: Path, brought: Path | None) -> None:
    """The shipped codec, or that of an earlier run; and that run's language model in 8 bits."""
    found = None if brought is None else load_shards(brought, "codec")
    if found is None:
        shipped = {name.removeprefix("codec."): value for name, value in read_shards(FOLDER).items()
                   if name.startswith("codec.")}  # fmt: skip
        found = shipped, Progress()
    save_shards(out / "brought", "codec", halves(found[0]), found[1])
    model = None if brought is None else load_shards(brought, "lm")
    if model is not None:
        save_shards(out / "brought", "lm", eighths(model[0]), model[1])


def travelling_bytes(out: Path) -> tuple[int, int]:
    """Bytes of the working tree that travel, and of the pack."""
    named = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                           capture_output=True).stdout.decode().split("\0")  # fmt: skip
    inside = {path.resolve() for path in out.rglob("*") if path.is_file()}
    tree = {Path(name).resolve() for name in named if name and Path(name).is_file()} - inside
    return sum(path.stat().st_size for path in tree), sum(path.stat().st_size for path in inside)


def fill(args: argparse.Namespace) -> None:
    """Write the pack anew."""
    shutil.rmtree(args.out, ignore_errors=True)
    pack_fonts(args.out, args.compression, args.fonts)
    pack_samples(args.out)
    pack_songs(args.out)
    pack_weights(args.out, args.brought)
    if args.wheels is not None:
        shutil.copytree(args.wheels, args.out / "whl")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(".gpu"))
    parser.add_argument("--brought", type=Path, default=None, help="what an earlier run gave back")
    parser.add_argument("--wheels", type=Path, default=None)
    parser.add_argument("--compression", type=float, default=1.0, help="of soundfonts: 0 large, 1 small")
    parser.add_argument("--fonts", type=int, default=len(SOUNDFONTS), help="how many of the soundfonts")
    parser.add_argument("--count", action="store_true", help="only count what travels now")
    parser.add_argument("--limit-mib", type=float, default=64.0)
    args = parser.parse_args()
    if not args.count:
        fill(args)
    tree, packed = travelling_bytes(args.out)
    print(f"{tree / MIB:.1f} MiB of working tree, {packed / MIB:.1f} MiB in {args.out}, of {args.limit_mib:g}")
    if tree + packed > args.limit_mib * MIB:
        over = (tree + packed) / MIB - args.limit_mib
        raise SystemExit(f"{over:.1f} MiB too much: leave out what training does not read (docs/training.md)")


if __name__ == "__main__":
    main()
