"""safetensors headers: what is read; anything else is refused with the tensor's name, in little time and memory."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import tracemalloc
from io import BufferedReader
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.checkpoints.find import is_whole
from engine.checkpoints.header import MAX_HEADER_BYTES, Header, HeaderFault, read_here
from engine.checkpoints.load import load_model
from engine.checkpoints.plain_file import header_of
from engine.checkpoints.safetensors_file import MappedFile
from engine.conditions.text_t5 import load_tokenizer
from engine.errors import CheckpointError
from engine.serve.models.memory import need_mb

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def in_this_process(file: BufferedReader, path: Path) -> Header:
    """The child's reader in this process, for the thousands of files below; other tests check that the child is
    used."""
    try:
        return read_here(file.fileno())
    except HeaderFault as fault:
        raise CheckpointError(f"{path}: {fault}") from fault


def write(path: Path, header: object, data: bytes = bytes(8)) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_every_type_is_a_view_and_equal(tmp_path: Path) -> None:
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32]
    kinds += [torch.int16, torch.int8, torch.uint8, torch.bool]
    stored = {str(kind): torch.arange(24).view(2, 3, 4).to(kind) for kind in kinds}
    stored |= {"none": torch.zeros(0, 5), "number": torch.tensor(2.5)}
    save_file(stored, tmp_path / "a.safetensors", metadata={"what": "é"})
    file = MappedFile(tmp_path / "a.safetensors")
    assert file.metadata == {"what": "é"}
    assert file.tensors.keys() == stored.keys()
    for name, tensor in stored.items():
        assert file.tensors[name].dtype == tensor.dtype
        assert torch.equal(file.tensors[name], tensor), name


def test_tensors_outlive_the_file_and_what_is_released_comes_back(tmp_path: Path) -> None:
    save_file({"a": torch.arange(100_000.0)}, tmp_path / "a.safetensors")
    file = MappedFile(tmp_path / "a.safetensors")
    tensor = file.tensors["a"]
    before = tensor.sum()
    file.release()
    (tmp_path / "a.safetensors").unlink()
    del file
    assert tensor.sum() == before


def test_writing_to_a_tensor_leaves_the_file_alone(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(8)}, tmp_path / "a.safetensors")
    whole = (tmp_path / "a.safetensors").read_bytes()
    MappedFile(tmp_path / "a.safetensors").tensors["a"].fill_(1)
    assert (tmp_path / "a.safetensors").read_bytes() == whole


def test_odd_places_are_copied(tmp_path: Path) -> None:
    header = {"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}
    header["b"] = {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]}
    data = b"\x07" + torch.tensor([1.5, -2.0]).numpy().tobytes()
    file = MappedFile(write(tmp_path / "a.safetensors", header, data))
    assert file.tensors["b"].tolist() == [1.5, -2.0]


BAD = [
    ({"a": {**F32, "dtype": "F31"}}, "tensor 'a' is of type 'F31'"),
    ({"a": {**F32, "dtype": 5}}, "tensor 'a' is of type"),
    ({"a": {**F32, "shape": [3]}}, r"tensor 'a' has 8 bytes, its shape \[3\] needs 12"),
    ({"a": {**F32, "shape": [-2]}}, "shape that no tensor has"),
    ({"a": {**F32, "shape": [2.0]}}, "shape that no tensor has"),
    ({"a": {**F32, "shape": [True, 2]}}, "shape that no tensor has"),
    ({"a": {**F32, "shape": "2"}}, "shape that no tensor has"),
    ({"a": {**F32, "shape": [1] * 9}}, "shape that no tensor has"),
    ({"a": {**F32, "shape": [1 << 40, 1 << 40]}}, "tensor 'a' has 8 bytes"),
    ({"a": {**F32, "shape": [1 << 62, 4]}}, "shape that no tensor has"),
    ({"a": {**F32, "data_offsets": [0, 8, 9]}}, "two whole numbers"),
    ({"a": {**F32, "data_offsets": [8, 0]}}, "has -8 bytes"),
    ({"a": {**F32, "data_offsets": [-8, 0]}}, "two whole numbers"),
    ({"a": {**F32, "data_offsets": [4, 12]}}, "leaves a gap before it"),
    ({"a": F32, "b": F32}, "tensor 'b' overlaps the tensor before it"),
    ({"a": F32, "b": {**F32, "data_offsets": [4, 12]}}, "tensor 'b' overlaps"),
    ({"a": F32, "b": {**F32, "data_offsets": [8, 16]}}, "cut short: 8 bytes of tensors, the header has 16"),
    ({}, "cut short: 8 bytes of tensors, the header has 0"),
    ({"a": {**F32, "more": 1}}, "nothing else"),
    ({"a": {"dtype": "F32", "shape": [2]}}, "must have dtype, shape and data_offsets"),
    ({"a": [1, 2]}, "must have dtype, shape"),
    ({"a": F32, "__metadata__": {"x": 1}}, "text only"),
    ({"a": F32, "__metadata__": []}, "text only"),
    (b'{"a": {"dtype":"F32","shape":[2],"data_offsets":[0,8]}, "a": {}}', "has 'a' twice"),
    (b'{"a": {"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}', "has 'dtype' twice"),
    (b'{"a": NaN}', "must have dtype"),
    (b'{"a": {"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}', "shape that no tensor has"),
    (b"\xff\xfe{}", "not JSON"),
    (b"[" * 3000, "not JSON"),
    (b"{" + b'"a":[' * 100_000, "more than 20000 tensors"),
    (b'"text"', "header is a str"),
    (b" " * 10, "not JSON"),
]


@pytest.mark.parametrize(("header", "reason"), BAD, ids=range(len(BAD)))
def test_bad_headers_are_refused(tmp_path: Path, header: object, reason: str) -> None:
    path = write(tmp_path / "bad.safetensors", header)
    with pytest.raises(CheckpointError, match=reason) as caught:
        MappedFile(path)
    assert "bad.safetensors" in str(caught.value)


def test_lengths_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for length in (0, 1, 3, 100, MAX_HEADER_BYTES + 1, 1 << 40, (1 << 64) - 1):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        with pytest.raises(CheckpointError, match="header of"):
            MappedFile(path)
    for data in (b"", b"1234567"):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="header of"):
            MappedFile(path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.arange(50.0), "b": torch.ones(3, 3).half()}, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            MappedFile(tmp_path / "cut.safetensors", in_this_process)


def test_a_huge_header_costs_little(tmp_path: Path) -> None:
    """An eighth of the costliest JSON that is read: refused with under 25 MB of objects, all freed."""
    header = b"{" + b",".join(b'"%d":{}' % index for index in range(45_000)) + b"}"
    assert len(header) > MAX_HEADER_BYTES / 10
    path = write(tmp_path / "huge.safetensors", header)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="45000 tensors in the header"):
        MappedFile(path, in_this_process)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25e6
    assert left < 1e6


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    from engine.checkpoints.opened import Opened, read_json

    os.mkfifo(tmp_path / "model.safetensors")
    os.mkfifo(tmp_path / "config.json")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "model.safetensors", Path("/dev/zero"), tmp_path):
        with pytest.raises(CheckpointError, match="is not a file"):
            Opened().safetensors(path)
        with pytest.raises(CheckpointError, match="is not a file"):
            Opened(tmp_path).pickled(path)
    with pytest.raises(CheckpointError, match="is not a file"):
        Opened().folder(tmp_path)
    with pytest.raises(CheckpointError, match="is not a file"):
        read_json(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="cannot read"):
        Opened().safetensors(tmp_path / "loop")


@pytest.fixture(scope="module")
def seed_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("seed")
    save_file({"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4).half()}, folder / "seed.safetensors")
    return folder, (folder / "seed.safetensors").read_bytes()


def agrees_with_the_library(path: Path, data: bytes) -> bool:
    """Our reader accepts nothing that the library refuses, and gives equal tensors; it raises only CheckpointError."""
    path.write_bytes(data)
    try:
        ours = MappedFile(path, in_this_process).tensors
    except CheckpointError:
        return False
    try:
        with safe_open(path, framework="pt") as file:
            theirs = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as fault:
        raise AssertionError(f"the library refuses what was read: {fault}") from fault
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype
        assert ours[name].shape == tensor.shape
    return True


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 300), piece=st.binary(max_size=6), drop=st.integers(0, 6))
@example(at=0, piece=b"", drop=0)
def test_mutated_files_are_read_or_refused(seed_file: tuple[Path, bytes], at: int, piece: bytes, drop: int) -> None:
    folder, data = seed_file
    agrees_with_the_library(folder / "mutated.safetensors", data[:at] + piece + data[at + drop :])


def test_thousands_of_mutations(seed_file: tuple[Path, bytes]) -> None:
    """3,000 headers with changed digits and signs, always the same ones."""
    folder, data = seed_file
    length = int.from_bytes(data[:8], "little")
    source, read = random.Random(1), 0
    for _ in range(3000):
        bad = bytearray(data)
        for _ in range(source.randint(1, 3)):
            bad[8 + source.randrange(length)] = source.choice(b'0123456789-+.eE[]{},:"FIBU ')
        read += agrees_with_the_library(folder / "mutated.safetensors", bytes(bad))
    assert 0 < read < 600  # a changed letter of a name is still a file


COSTLY = {
    "a shape of 1.3 million": b'{"a":{"dtype":"F32","shape":[' + b"1," * 1_300_000 + b'2],"data_offsets":[0,8]}}',
    "numbers of 4,290 digits": b'{"a":[' + b",".join([b"9" * 4290] * 900) + b"]}",
    "a number of a million digits": b'{"a":' + b"9" * 1_000_000 + b"}",
    "beyond every float": b'{"a":{"dtype":"F32","shape":[281474976710655,281474976710655],"data_offsets":[0,8]}}',
    "nested": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "empty lists": b'{"a":[' + b"[]," * 1_000_000 + b"[]]}",
    "a key twice among many": b"{" + b",".join(b'"%d":1' % (n // 2) for n in range(100_000)) + b"}",
}


@pytest.mark.parametrize("name", COSTLY)
def test_costly_headers_are_refused_in_the_child_and_by_the_estimate(tmp_path: Path, name: str) -> None:
    """They cost this process neither memory nor time; the memory estimate, which reads the same header, raises
    nothing."""
    path = write(tmp_path / "model.safetensors", COSTLY[name])
    before = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: "):
        MappedFile(path)
    assert need_mb(str(tmp_path), 4.0) < 200
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 1.0
    assert (after.ru_maxrss - before.ru_maxrss) / 1024 < 40


def test_a_header_is_read_by_a_child_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *given, **named: started.append(given) or run(*given, **named))
    path = tmp_path / "a.safetensors"
    for count in (2, 3):
        save_file({"a": torch.arange(float(count))}, path)
        assert header_of(path).n_parameters == count
        assert MappedFile(path).tensors["a"].tolist() == list(range(count))
        assert len(started) == count - 1
    assert started[0][0][1:3] == ["-I", "-S"]


def test_a_header_that_kills_its_child_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.safetensors", {"a": F32})
    monkeypatch.setattr("engine.checkpoints.header.__file__", str(tmp_path / "none.py"))
    with pytest.raises(CheckpointError, match="could not be read within memory and time"):
        MappedFile(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_the_folder_blocks_nothing(tmp_path: Path) -> None:
    """Under any name: the estimate ignores it, loading names it."""
    save_file({"a": torch.zeros(1000, 1000)}, tmp_path / "model.safetensors")
    alone = need_mb(str(tmp_path), 4.0)
    for name in ("more.safetensors", "x.bin", "config.json", "model.safetensors.index.json", "tokenizer.json"):
        os.mkfifo(tmp_path / name)
    assert need_mb(str(tmp_path), 4.0) == alone
    with pytest.raises(CheckpointError, match=r"config\.json is not a file"):
        load_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert not is_whole(tmp_path)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not a file"):
        load_tokenizer(tmp_path)
