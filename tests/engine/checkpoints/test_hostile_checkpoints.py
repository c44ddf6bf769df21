"""Hostile checkpoints: gadgets, bombs, paths outside the folder. All are refused by name, and nothing runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tiny import TINY

from engine.bench.hostile import ATTACKS, text
from engine.checkpoints import cache
from engine.checkpoints.convert import MAX_CONFIG_BYTES, convert, describe
from engine.checkpoints.load import load_model
from engine.checkpoints.make_random import Noise, write_audiocraft, write_t5
from engine.checkpoints.pickle_reader import read_pickle
from engine.checkpoints.torch_zip import MAX_ENTRIES, TorchZip
from engine.errors import CheckpointError, UnsupportedError

ROOT = Path(__file__).parents[3]


def refusal(attempt: Callable[[], object]) -> str:
    """The refusal's message; empty if there was none."""
    try:
        attempt()
    except (CheckpointError, UnsupportedError) as fault:
        return str(fault)
    return ""


def test_no_gadget_gets_past_its_name() -> None:
    assert len(ATTACKS) > 700
    for call, way, data in ATTACKS:
        assert refusal(lambda data=data: read_pickle(data)), f"{call} by {way} was read"


def test_reading_attacks_does_nothing(tmp_path: Path) -> None:
    """Python's audit events while all of them are read: no import, no compile, no process, no file, no socket."""
    (tmp_path / "attacks.json").write_text(json.dumps([data.hex() for _, _, data in ATTACKS]))
    code = (
        "import json, sys; from engine.checkpoints.pickle_reader import read_pickle\n"
        "from engine.errors import CheckpointError\n"
        "attacks = [bytes.fromhex(one) for one in json.load(open(sys.argv[1]))]\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, arguments: seen.append(event))\n"
        "refused = 0\n"
        "for data in attacks:\n"
        "    try: read_pickle(data)\n"
        "    except CheckpointError: refused += 1\n"
        "seen, answer = [], set(seen)\n"
        "print(refused, sorted(answer))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "attacks.json")]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert answer == f"{len(ATTACKS)} []"


def test_known_names_are_labels_only() -> None:
    """A listed name cannot be called with arbitrary arguments, and has no attributes."""
    for data in (
        b"\x80\x02cbuiltins\nlist\n(" + text("ab") + b"tR.",
        b"\x80\x02ccollections\nOrderedDict\n(" + text("ab") + b"tR.",
        b"\x80\x02ctyping\nAny\n)R.",
        b"\x80\x02comegaconf.dictconfig\nDictConfig\n(K\x01t\x81.",
        b"\x80\x02comegaconf.dictconfig\nDictConfig\n)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02K\x03K\x04tR.",
        b"\x80\x02ctorch._utils\n_rebuild_parameter\n(K\x01tR.",
        b"\x80\x02ctorch\nHalfStorage\n(K\x01tR.",
        b"\x80\x02(" + text("module") + b"ctorch\nHalfStorage\n" + text("0") + text("cpu") + b"K\x01tQ.",
    ):
        with pytest.raises(CheckpointError):
            read_pickle(data)


@pytest.mark.parametrize("piece", [b"\x85", b"]\x94h\x00a", b"(", b"}", b")\x86", b"}\x85"])
def test_long_pickles_end(piece: bytes) -> None:
    """A hundred thousand levels, or as many values left over: no crash, no recursion error."""
    with pytest.raises(CheckpointError):
        describe({"best_state": {}, "x": read_pickle(b"\x80\x04N" + piece * 100_000 + b".")})


def in_this_process(source: Path, part: Path, report: object) -> str:
    try:
        return convert(source, part)
    except CheckpointError as fault:
        raise CheckpointError(f"{source}: {fault}") from fault


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole tiny checkpoint to spoil; converted without the child process, which has tests of its own."""
    monkeypatch.setattr(cache, "_run_child", in_this_process)
    write_audiocraft(tmp_path / "model", TINY, Noise())
    write_t5(tmp_path / "t5-base", TINY.t5, Noise())
    return tmp_path / "model"


def load(folder: Path) -> None:
    load_model(folder, t5=folder.parent / "t5-base", cache_dir=folder.parent / "cache")


def rewrite(path: Path, edit) -> None:
    """Write a zip archive again, each entry's name and content through `edit`."""
    with zipfile.ZipFile(path) as old:
        entries = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, data in entries:
            kept = edit(name, data)
            if kept is not None:
                new.writestr(*kept)


def test_names_in_the_archive_lead_nowhere(folder: Path) -> None:
    before = sorted(path for path in folder.parent.rglob("*"))
    for prefix in ("../../escaped/", "/tmp/escaped/"):
        write_audiocraft(folder, TINY, Noise())
        rewrite(folder / "state_dict.bin", lambda name, data, p=prefix: (p + name.partition("/")[2], data))
        refusal(lambda: load(folder))  # a name is only a key: read or refused, nothing is written there
    after = [path for path in folder.parent.rglob("*") if "cache" not in path.relative_to(folder.parent).parts]
    assert sorted(after) == before
    assert not (folder.parent.parent / "escaped").exists()
    assert not Path("/tmp/escaped").exists()


def test_two_entries_in_one_place(folder: Path) -> None:
    """A bomb without compression: many names for the same bytes, together more than the file."""
    path = folder / "state_dict.bin"
    with zipfile.ZipFile(path, "a") as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        for number in range(1000, 1400):
            copy = zipfile.ZipInfo(f"state_dict/data/{number}")
            copy.header_offset, copy.file_size = largest.header_offset, largest.file_size
            copy.compress_size, copy.CRC = largest.file_size, largest.CRC
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
        archive._didModify = True
    with pytest.raises(CheckpointError, match=r"state_dict\.bin: the archive claims more bytes than the file has"):
        load(folder)


def test_bombs_of_entries_and_of_compression(folder: Path) -> None:
    path = folder / "state_dict.bin"
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state_dict/data/9999", bytes(50 << 20))
    assert path.stat().st_size < 3 << 20
    with pytest.raises(CheckpointError, match=r"'state_dict/data/9999' is compressed"):
        load(folder)
    write_audiocraft(folder, TINY, Noise())
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(MAX_ENTRIES + 1):
            archive.writestr(f"more/{number}", b"")
    with pytest.raises(CheckpointError, match=f"the limit is {MAX_ENTRIES}"):
        load(folder)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LAUGHS, "more than 100000 values"),
        ("a: &a [*a]", "deeper than 64 levels"),
        ("[" * 500, "not YAML|deeper|recursion"),
        ("x: !!python/object/apply:os.system [touch ran]", "not YAML"),
        ("x: !!python/name:os.system", "not YAML"),
        ("a" * (MAX_CONFIG_BYTES + 1), "the limit is"),
        ("? [a, b]\n: 1", "xp.cfg|no '|not YAML|hash"),
    ],
    ids=range(7),
)
def test_hostile_configurations(folder: Path, config: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "safe_dump", lambda value: config)
    write_audiocraft(folder, TINY, Noise())
    with pytest.raises(CheckpointError, match=rf"state_dict\.bin.*({reason})|{reason}"):
        load(folder)
    assert not list(ROOT.glob("ran"))


def test_the_child_says_what_is_wrong_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(yaml, "safe_dump", lambda value: "x: .nan")
    write_audiocraft(folder, TINY, Noise())
    answer = refusal(lambda: load(folder))
    assert "state_dict.bin: the configuration is not YAML of plain data: Out of range float" in answer
    assert "\n" not in answer


def test_configurations_are_refused_with_their_file(folder: Path) -> None:
    """Files exchanged for one another, and a file in place of a folder."""
    write_audiocraft(folder, TINY, Noise())
    language, codec = folder / "state_dict.bin", folder / "compression_state_dict.bin"
    assert f"'{language}' is a file: give the folder" in refusal(lambda: load(language))
    kept = codec.read_bytes()
    codec.write_bytes(language.read_bytes())
    assert refusal(lambda: load(folder)).startswith(f"{codec}")
    codec.write_bytes(kept)
    language.write_bytes(kept)
    assert refusal(lambda: load(folder)).startswith(f"{language}")


def test_changed_bytes_are_refused_or_harmless(folder: Path) -> None:
    """100 spoiled copies of a whole checkpoint: CheckpointError with the file's name, or a model of the right shape."""
    path = folder / "state_dict.bin"
    whole, source, refused = path.read_bytes(), random.Random(2), 0
    with path.open("rb") as file:
        archive = TorchZip(file)
        pickle_at = whole.index(archive._read(f"{archive.prefix}data.pkl", 1 << 20))
    for count in range(100):
        bad = bytearray(whole)
        low, high = (pickle_at, pickle_at + 3000) if count % 2 else (0, len(whole))
        for _ in range(source.choice([1, 1, 4])):
            bad[source.randrange(low, high)] = source.randrange(256)
        if count % 5 == 0:
            del bad[source.randrange(len(bad)) :]
        path.write_bytes(bad)
        answer = refusal(lambda: load(folder))
        refused += bool(answer)
        assert not answer or "state_dict.bin" in answer or "configuration" in answer, answer
    assert refused > 90  # checksums notice nearly everything; a changed byte of an unused field may pass
