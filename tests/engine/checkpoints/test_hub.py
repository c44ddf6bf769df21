"""The hub, with a stand-in on this machine: downloads, licence, disk space, resuming, damage, offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
from hub_server import COMMIT, Hub
from tiny import TINY

from engine.checkpoints import __main__ as command
from engine.checkpoints import cache, hub, licence
from engine.checkpoints.convert import convert
from engine.checkpoints.find import find, find_here, is_whole, snapshots
from engine.checkpoints.make_random import Noise, write_audiocraft, write_codec, write_t5, write_transformers
from engine.errors import CheckpointError
from engine.models.load import load_model

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def repos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny checkpoints under the published names, with unneeded files beside the weights."""
    root, noise = tmp_path_factory.mktemp("repos"), Noise()
    places = {
        name: root / name.replace("/", "--")
        for name in ("facebook/musicgen-small", "facebook/musicgen-medium", "facebook/musicgen-style")
    }
    places |= {name: root / name.replace("/", "--") for name in ("google-t5/t5-base", "facebook/encodec_32khz")}
    write_transformers(places["facebook/musicgen-small"], TINY, noise, shard_bytes=150_000)
    write_audiocraft(places["facebook/musicgen-small"], TINY, noise)
    write_audiocraft(places["facebook/musicgen-medium"], TINY, noise, pointer=True)
    places["facebook/musicgen-style"].mkdir()
    (places["facebook/musicgen-style"] / "README.md").write_text("nothing here")
    write_t5(places["google-t5/t5-base"], TINY.t5, noise)
    write_codec(places["facebook/encodec_32khz"], TINY, noise)
    for name in ("README.md", "pytorch_model.bin", "flax_model.msgpack"):
        (places["facebook/musicgen-small"] / name).write_bytes(b"x" * 100)
    return places


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All folders in which something could be stored, empty."""
    for name, place in (("HF_HOME", "hf"), ("SEGUE_CONFIG", "config"), ("SEGUE_CACHE", "cache")):
        monkeypatch.setenv(name, str(tmp_path / place))
    for name in ("SEGUE_MODELS", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(cache, "_run_child", lambda source, part, report: convert(source, part))
    return tmp_path


@pytest.fixture
def server(home: Path, repos: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    served = Hub(repos)
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    yield served
    served.close()


def test_one_format_is_fetched_and_plays(server: Hub, home: Path) -> None:
    licence.accept("CC-BY-NC-4.0")
    reports: list[tuple[str, float, float]] = []
    model = load_model("small", on_progress=lambda *what: reports.append(what))
    assert model.takes == {"text", "continue"}
    names = set(server.downloads())
    assert {"config.json", "tokenizer.json", "model.safetensors.index.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".msgpack", ".md"))]
    downloading = [(done, total) for stage, done, total in reports if stage == "downloading"]
    files = server.repos["facebook/musicgen-small"]
    assert downloading[-1][0] == downloading[-1][1] == sum((files / name).stat().st_size for name in names)
    assert [done for done, _ in downloading] == sorted(done for done, _ in downloading)
    assert reports[-1][0] == "reading"
    server.asked.clear()
    load_model("facebook/musicgen-small")
    assert server.asked == []


def test_pickles_bring_their_companions(server: Hub) -> None:
    """T5 always, the codec's repository if the codec's file only refers to it."""
    licence.accept("CC-BY-NC-4.0")
    assert load_model("medium").codec.n_codebooks == 4
    names = server.downloads()
    assert {"state_dict.bin", "compression_state_dict.bin", "tokenizer.json", "model.safetensors"} <= set(names)
    assert is_whole(find("t5-base"))
    assert find("t5-base") == find("google-t5/t5-base")
    assert is_whole(find("facebook/encodec_32khz"))


def test_the_licence_comes_first(server: Hub, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)not been accepted.*NonCommercial.*segue models get small --accept"):
        load_model("small")
    assert command.main(["get", "small"]) == 3
    assert "segue models get small --accept-license" in capsys.readouterr().err
    assert server.asked == []
    assert not licence.accepted("CC-BY-NC-4.0")
    assert command.main(["get", "small", "--accept-license"]) == 0
    kept = json.loads((home / "config" / "licences.json").read_text())
    assert list(kept) == ["CC-BY-NC-4.0"]
    assert command.main(["get", "t5-base"]) == 0, "a free licence asks for nothing"


def test_a_cut_connection_is_taken_up_again(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1 << 12)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    licence.accept("CC-BY-NC-4.0")
    server.cuts = [20_000, 30_000, 1 << 30]
    reports: list[float] = []
    hub.fetch("small", lambda stage, done, total: reports.append(done))
    assert len(_resumed(server)) == 2
    assert reports == sorted(reports)
    assert is_whole(find("small"))


def test_a_broken_download_goes_on_where_it_was(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library tries five times; then the user repeats the command, and the received part is still there."""
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1 << 12)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    licence.accept("CC-BY-NC-4.0")
    server.cuts = [20_000, 0]
    with pytest.raises(CheckpointError, match=r"failed .*goes on from there"):
        hub.fetch("small")
    assert find_here("small") is None
    assert snapshots("small")
    with pytest.raises(CheckpointError, match="no checkpoint 'small' on this machine"):
        find("small")
    server.cuts = []
    server.asked.clear()
    hub.fetch("small")
    (start,) = _resumed(server)
    assert start >= 16_000
    for name in server.repos["facebook/musicgen-small"].glob("*.safetensors"):
        assert (find("small") / name.name).read_bytes() == name.read_bytes()


def _resumed(server: Hub) -> list[int]:
    """The offsets at which downloads resumed."""
    return [int(asked[6:].rstrip("-")) for method, _, asked in server.asked if method == "GET" and asked]


def test_damaged_content_is_not_kept(server: Hub) -> None:
    licence.accept("CC-BY-NC-4.0")
    server.wrong_content = True
    with pytest.raises(CheckpointError, match=r"t5-base/.* arrived damaged and was deleted"):
        hub.fetch("t5-base")
    server.wrong_content = False
    assert is_whole(hub.fetch("t5-base"))


def test_a_token_goes_to_the_hub_only(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files are on another host: the token goes with the request for their address, not to that host."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fetch("t5-base")
    sent = {path: token for path, token in server.tokens.items() if path.endswith("model.safetensors")}
    assert {path.startswith("/stored/"): token for path, token in sent.items()} == {False: "Bearer hf_secret", True: ""}


def test_room_is_looked_at_first(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    licence.accept("CC-BY-NC-4.0")
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(CheckpointError, match=r"0\.2 GB are needed in .*0\.0 GB are free"):
        hub.fetch("small")
    assert server.downloads() == []


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_asks_nobody(server: Hub, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    licence.accept("CC-BY-NC-4.0")
    monkeypatch.setenv(variable, "1")
    with pytest.raises(CheckpointError, match=r"HF_HUB_OFFLINE forbids .*SEGUE_MODELS"):
        load_model("melody")
    assert server.asked == []


def test_what_the_hub_has_not(server: Hub) -> None:
    licence.accept("CC-BY-NC-4.0")
    with pytest.raises(CheckpointError, match="the hub has no facebook/musicgen-large"):
        load_model("large")
    with pytest.raises(CheckpointError, match="musicgen-style on the hub has no weights known here"):
        load_model("style")


def test_no_network_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    licence.accept("CC-BY-NC-4.0")
    with pytest.raises(CheckpointError, match=r"downloading facebook/musicgen-small failed .*give its path"):
        load_model("small")


def test_remove_deletes_what_was_downloaded_and_converted(
    server: Hub, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    licence.accept("CC-BY-NC-4.0")
    load_model("medium")
    assert list((home / "cache" / "checkpoints").glob("*.safetensors"))
    repo = snapshots("medium")[0].parents[1]
    assert command.main(["list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("medium"))
    assert "GB" in line
    assert COMMIT in line
    assert command.main(["remove", "medium"]) == 0
    assert not repo.exists()
    assert not list((home / "cache" / "checkpoints").glob("*.safetensors"))
    assert find_here("medium") is None
    assert find_here("t5-base") is not None
    own = home / "own" / "musicgen-medium"
    own.mkdir(parents=True)
    monkeypatch.setenv("SEGUE_MODELS", str(home / "own"))
    assert command.main(["remove", "medium"]) == 0
    assert own.exists()
    for name in ("../../etc", "", "embedded"):
        assert command.main(["remove", name]) == 3


def test_the_command_itself(server: Hub, home: Path) -> None:
    """`segue models get` as a process: progress on stderr, the folder on stdout, no question without a terminal."""
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-m", "plugin_host.cli", "models", "get", "small", "--accept-license"],
        cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("small: ")
    assert "100.0 %" in done.stderr
    assert is_whole(find("small"))
