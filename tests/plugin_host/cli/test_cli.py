"""The command line: fast help, clear errors, the documented exit codes. No engine runs here."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from packaging.requirements import Requirement

from bridge.control.messages import PRECISIONS
from bridge.control.parameters import PARAMETERS
from bridge.time.transport import Grid
from engine.serve import options
from plugin_host.bench import bench
from plugin_host.cli import guard, main
from plugin_host.cli.options import Weights, values_of
from plugin_host.console.screen import Screen
from plugin_host.demo import demo
from plugin_host.demo.picture import save_picture
from plugin_host.doctor import doctor, libraries
from plugin_host.host.headless import Column, HostRecording
from plugin_host.run.region_layout import RegionRequest, lay_out_region
from plugin_host.run.report import MusicStretch

ROOT = Path(__file__).parents[3]
COMMANDS = ("demo", "host", "load", "unload", "doctor", "bench", "version", "engine", "models")


def segue(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [sys.executable, "-m", "plugin_host.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=110)


ODD = os.fsdecode(b"g\xff\x1b[31m$x^{_\xe3\x82\xae.wav")  # not UTF-8, an escape sequence, half a formula, a letter


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_no_terminal_shows_end_nothing_in_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    for arguments, code in (
        (("open", "--show", str(tmp_path / ODD)), 4),
        (("export", str(tmp_path / ODD)), 4),
        (("demo", "--region", str(tmp_path / ODD), "--out", str(tmp_path / f"out{ODD}")), 4),
        (("scripts", "reaper", "--folder", str(tmp_path / f"scripts{ODD}")), 0),
    ):
        done = segue(*arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        assert any(name in done.stdout + done.stderr for name in ("g\\", "g?")), "it is named all the same"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_region_whose_path_cannot_be_sent_is_handed_over_as_a_copy(tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(96_000) / 48_000)
    soundfile.write(tmp_path / "a.wav", tone, 48_000)
    odd = (tmp_path / "a.wav").rename(tmp_path / ODD)
    layout = lay_out_region(RegionRequest(region=odd, bpm=120.0), tmp_path)
    assert layout.region is not None
    assert layout.region.path == tmp_path / "region.wav"
    assert np.abs(soundfile.read(layout.region.path)[0][:, 0] - tone).max() < 1e-4


def test_picture_takes_any_name(tmp_path: Path) -> None:
    take = HostRecording(np.zeros((48_000, 2), np.float32), np.zeros((1, len(Column)), np.int64))
    save_picture(tmp_path / "demo.png", take, MusicStretch(Grid(48_000, 120.0), 0, 1), ODD, None)
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_full_disk_of_scratch_files_is_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/segue-1/region-0.flac")

    monkeypatch.setattr(guard.signal, "signal", lambda *_: None)
    with pytest.raises(typer.Exit) as end:
        guard.guarded(full)()
    assert end.value.exit_code == guard.EXIT_OUTPUT
    assert "No space left on device: '/tmp/segue-1/region-0.flac'" in capsys.readouterr().err


def test_segue_alone_says_in_five_lines_what_to_do() -> None:
    done = segue()
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (0, "", 5)
    assert max(len(line) for line in lines) < 80
    helped = segue("--help").stdout
    for line in lines[:-1]:
        assert f"\n  {line.split()[1]} " in helped


def test_help_names_every_command_and_its_exit_codes() -> None:
    done = segue("--help")
    assert done.returncode == 0
    for word in (*COMMANDS, "Exit codes", "130", "143"):
        assert word in done.stdout
    assert "..." not in done.stdout.split("Commands:")[1], "a command's help is cut off"
    for code in ("0 done", "2 wrong option", "4 region unusable", "5 no sound card", "6 result not writable"):
        assert code in " ".join(done.stdout.split())


def test_help_loads_nothing_heavy() -> None:
    """`--help` imports none of these, so it is fast."""
    code = (
        "import sys; sys.argv = ['segue', '--help']\n"
        "from plugin_host.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'soundfile', 'sounddevice', 'engine', 'rich'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert "heavy: []" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = segue(command, "--help")
    assert done.returncode == 0
    assert "sage" in done.stdout


def test_demo_offers_what_the_readme_says() -> None:
    text = segue("demo", "--help").stdout
    for option in ("--bpm", "--bars", "--prompt", "--seed", "--region", "--reference", "--out", "--play",
                   "--device", "--precision", "--port", "--offline"):  # fmt: skip
        assert option in text
    assert "continue|melody|style" in text


@pytest.mark.parametrize("precision", PRECISIONS)
def test_demo_hands_its_precision_to_its_engine(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[demo.DemoOptions] = []
    monkeypatch.setattr(demo, "run_demo", lambda wanted, screen: asked.append(wanted))
    monkeypatch.setattr(sys, "argv", ["segue", "demo", "--precision", precision])
    monkeypatch.setattr(guard.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match=r"^0$"):
        main.main()
    assert options.parse(asked[0].engine_arguments).precision == precision
    assert tuple(Weights) == PRECISIONS


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--bars", "0"),
        ("demo", "--bpm", "nan"),
        ("demo", "--bpm", "5"),
        ("demo", "--seed", "16777216"),
        ("demo", "--reference", "solo"),
        ("demo", "--precision", "float8"),
        ("demo", "--play", "--offline"),
        ("host", "--signature", "7/9", "--bars", "1"),
        ("host", "--signature", "waltz", "--bars", "1"),
        ("host", "--out", "x.wav"),
        ("host", "--set", "temprature=1.2"),
        ("take", "--set", "temperature"),
        ("no-such-command",),
    ],
)
def test_wrong_options_are_code_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = segue(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("temperature", "a name and a value are needed, as in temperature=1.2"),
        ("=1.2", "there is no parameter ''; there is bars, bend, "),
        ("temprature=1.2", "there is no parameter 'temprature'; there is temperature"),
        ("temperature=hot", "temperature is a number, got 'hot': randomness: 0 always the likeliest"),
        ("temperature=", "temperature is a number, got '': randomness"),
        ("temperature=9", "temperature is 9, must be 0 to 4"),
        ("temperature=nan", "temperature is nan, must be 0 to 4"),
        ("top_k=1.5", "top_k is 1.5, must be a whole number (0 to 4096)"),
    ],
)
def test_a_parameter_that_cannot_be_says_what_can(pair: str, said: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        values_of(["cfg=4", pair])
    assert refused.value.message.startswith(f"--set {pair}: {said}")


def test_parameters_are_those_of_the_table() -> None:
    """Each by its name, and by that of the plugin's knob; the last of two of one name counts."""
    for name, row in PARAMETERS.items():
        assert values_of([f"{name}={row.default}"]) == {name: float(row.default)}
    assert values_of(["creativity=0.5", "cfg = 4", "cfg=2"]) == {"creativity": 0.5, "cfg": 2.0}
    assert values_of(None) == {}


def write(path: Path, audio: np.ndarray, rate: int = 48_000) -> Path:
    soundfile.write(path, audio, rate)
    return path


def test_regions_that_cannot_be_used_are_code_4(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (48_000, 1)).astype(np.float32)
    broken = noise.copy()
    broken[500] = np.nan
    text = tmp_path / "text.wav"
    text.write_text("not audio at all")
    soundfile.write(tmp_path / "nan.wav", broken, 48_000, subtype="FLOAT")
    cases = {
        tmp_path / "missing.wav": "cannot be opened",
        text: "no audio",
        tmp_path: "folder",
        write(tmp_path / "silent.wav", 0 * noise): "silent",
        write(tmp_path / "short.wav", noise[:100]): "lasts",
        tmp_path / "nan.wav": "NaN",
    }
    for path, said in cases.items():
        done = segue("demo", "--region", str(path), "--out", str(tmp_path / "out"))
        assert done.returncode == 4, (path, done.stderr)
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_results_that_cannot_be_written_are_code_6(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = segue("demo", "--out", str(tmp_path / "file" / "out"))
    assert done.returncode == 6
    assert "cannot be written" in done.stderr


def test_no_engine_is_code_3() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))  # bound, so that no engine answers there
        port = str(taken.getsockname()[1])
        done = segue("host", "--port", port, "--out", "x.wav", "--bars", "1")
        assert done.returncode == 3
        assert "is it running? (segue engine)" in done.stderr
        assert "in use" in next(f.text for f in doctor._ports(int(port)))


def test_engine_options_go_through() -> None:
    done = segue("engine", "--port", "99999")
    assert done.returncode == 2
    assert "0 to 65535" in done.stderr


def test_version() -> None:
    assert segue("version").stdout.startswith("segue ")


# -- doctor -------------------------------------------------------------------------------------------


def test_doctor_says_what_is_there_and_its_code_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor.examine(0)
    shown = {finding.what for finding in found}
    assert shown >= {"computer", "torch", "GPU", "ONNX Runtime", "model", "sound card", "MIDI"}
    assert shown >= {"UDP port", "shared memory", "regions"}
    assert all(f.mark in (doctor.GOOD, doctor.NOTE, doctor.BAD) for f in found)
    assert all(f.advice for f in found if f.mark == doctor.BAD)
    from typer.testing import CliRunner

    for marks, code in ((("ok", "--"), 0), (("ok", "!!"), 1)):
        made = [doctor.Finding(mark, "thing", "text", "advice") for mark in marks]
        monkeypatch.setattr(doctor, "examine", lambda port, made=made: made)
        result = CliRunner().invoke(main.app, ["doctor"])
        assert result.exit_code == code
        assert "-> advice" in result.stdout


def test_doctor_names_the_library_that_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "site-packages" / "torchaudio"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("raise OSError('undefined symbol: torch_exception')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(module.parent), str(Path(__file__).parents[3]))))
    monkeypatch.setattr(libraries, "requirements", lambda: [Requirement("torchaudio==2.11.0"), Requirement("numpy>=2")])
    broken, line = doctor._libraries()
    assert broken.mark == doctor.NOTE
    assert "torchaudio" in broken.text
    assert "undefined symbol: torch_exception" in broken.text
    assert "pip install" in broken.advice
    assert line.text == "1 of 2 load"


def test_doctor_survives_libraries_that_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    for probe, said in (
        ("import os; os.abort()", "code -6"),
        ("raise RuntimeError('broken')", "broken"),
        ("", "no answer"),
    ):
        monkeypatch.setattr(doctor, "TORCH_PROBE", probe)
        finding = doctor._torch()[0]
        assert finding.mark == doctor.BAD
        assert said in finding.text
        assert "pip install" in finding.advice


@pytest.mark.parametrize(
    ("state", "mark", "advice"),
    [
        (["works", "in: none"], doctor.GOOD, ""),
        (["missing", "is nowhere"], doctor.NOTE, "pip install 'segue[link]'"),
        (["broken", "not installed"], doctor.NOTE, ""),
    ],
)
def test_doctor_advises_what_is_missing_and_not_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, state: list[str], mark: str, advice: str
) -> None:
    monkeypatch.setattr(doctor, "SYNC_PROBE", f"print('{json.dumps({'link': state})}')")
    finding = doctor._sync()[0]
    assert (finding.mark, finding.text, finding.advice) == (mark, f"--sync link: {state[1]}", advice)


def test_doctor_reads_what_nvidia_smi_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setattr(doctor.shutil, "which", lambda name: str(tool))
    for script, mark, said in (
        ("echo 'NVIDIA H200, 143771 MiB, 570.1'", doctor.GOOD, "H200, 143771 MiB, 570.1; MusicGen models run on it"),
        ("echo 'NVIDIA-SMI has failed' >&2; exit 9", doctor.NOTE, "has failed"),
        ("exit 1", doctor.NOTE, "nvidia-smi ended with code 1"),
    ):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        finding = doctor._gpu()[0]
        assert finding.mark == mark
        assert said in finding.text


def test_doctor_tells_little_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shared_memory, "available_bytes", lambda: 2**20)
    finding = doctor._shared_memory()[0]
    assert finding.mark == doctor.BAD
    assert "1.0 MB" in finding.text
    assert "--shm-size" in finding.advice


# -- bench --------------------------------------------------------------------------------------------


def test_quick_bench_writes_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "BLOCKS", 50)
    rows = bench.run_bench(tmp_path / "b.json", "cpu", True, Screen())
    written = json.loads((tmp_path / "b.json").read_text())
    shown = capsys.readouterr().out
    assert [row["name"] for row in written["rows"]] == [row.name for row in rows]
    assert all(row.name in shown and row.value > 0 for row in rows)


def test_a_plugin_takes_a_negative_value_as_it_is_typed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = segue("plugin", "set", "level", "-6", "--port", str(port))
    assert "No such option" not in done.stderr
    assert f"{port}" in done.stderr, "nobody is at that port, which is all that is wrong"
