"""Audacity without a screen: Apply renders faster than real time and reports to a plugin that it plays, always at
sample 0."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.plugin_host.plugin.counting_engine import value_at
from tests.plugin_host.plugin.plugin_rig import PATIENCE_SECONDS, CountingProcess, environment

MODULE = Path("/usr/lib/audacity/modules/mod-script-pipe.so")
RATE, SECONDS = 48_000, 6
# The settings that its dialog stores: an Apply by script uses these. Every parameter must be there.
KNOBS = {"Generate": 1, "Output": 1, "Bars": 0, "Capture": 0, "Capture_bars": 0, "Clear": 0, "Creativity": 0.9,
         "Jam": 0, "Guidance": 2.5, "Lane": -1, "Level": 0, "Mode": 0, "Offline": 0, "Own_tempo": 120,
         "Preset": 0, "Seconds_ahead": 2, "Take": 0, "Time": 0, "Jam__play_or_stop": 0, "Jam__take_over": 0,
         "Jam__again": 0, "Jam__keep": 0, "Jam__hold": 0, "Jam__record": 0, "Jam__undo": 0,
         "Jam__cancel": 0}  # fmt: skip


class Audacity:
    """One Audacity with its own home folder, controlled by its script pipe."""

    def __init__(self, home: Path, bundles: Path, port: int) -> None:
        self._settings(home / ".config" / "audacity", home)
        (home / "lv2").mkdir()
        (home / "lv2" / "Segue.lv2").symlink_to(bundles / "Segue.lv2")
        seen, number = os.pipe()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.screen = subprocess.Popen(["Xvfb", "-displayfd", str(number)], pass_fds=[number], **quiet)
        os.close(number)
        with os.fdopen(seen) as answers:
            display = f":{answers.readline().strip()}"
        known = {name: value for name, value in environment(port).items() if not name.startswith("XDG_")}
        mine = {"HOME": str(home), "LV2_PATH": str(home / "lv2"), "DISPLAY": display, "XDG_RUNTIME_DIR": str(home)}
        self.pipes = [Path(f"/tmp/audacity_script_pipe.{way}.{os.getuid()}") for way in ("to", "from")]
        for pipe in self.pipes:
            pipe.unlink(missing_ok=True)
        self.process = subprocess.Popen(["audacity"], env={**known, **mine}, **quiet)
        self._connect()

    def _settings(self, folder: Path, home: Path) -> None:
        """No splash screen, the script pipe on; and Segue's parameters."""
        folder.mkdir(parents=True)
        built = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(MODULE.stat().st_mtime))
        (folder / "audacity.cfg").write_text(
            "PrefsVersion=1.1.1r1\n[Version]\nMajor=3\nMinor=2\nMicro=4\n[GUI]\nShowSplashScreen=0\n"
            f"[Directories]\nTempDir={home}/session\n"
            f"[Module]\nmod-script-pipe=1\n[ModulePath]\nmod-script-pipe={MODULE}\n"
            f"[ModuleDateTime]\nmod-script-pipe={built}\n"
        )
        knobs = " ".join(f'{name}="{value}"' for name, value in KNOBS.items())
        group = r"pluginsettings/base64\:RWZmZWN0X0xWMl9TZWd1ZV9TZWd1ZQ\=\=/private"  # Effect_LV2_Segue_Segue
        (folder / "pluginsettings.cfg").write_text(
            f"pluginsettingsversion=1.0\n[pluginsettings]\n[{group}/FactoryDefaults]\nParameters={knobs}\nInitialized=1\n"
            f"[{group}/CurrentSettings]\nParameters={knobs}\n"
        )

    def _connect(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(pipe.exists() for pipe in self.pipes):
            assert self.process.poll() is None
            assert time.monotonic() < deadline, "Audacity offers no script pipe"
            time.sleep(0.05)
        self.to, self.answers = self.pipes[0].open("w"), os.open(self.pipes[1], os.O_RDONLY)

        while b"finished: OK" not in self._ask(
            "Message: Text=ready", 0.5
        ):  # its answers are empty until its window is open
            assert time.monotonic() < deadline, "Audacity answers nothing"
        while select.select([self.answers], [], [], 1.0)[0]:  # earlier commands are answered now
            os.read(self.answers, 4096)

    def _ask(self, command: str, seconds: float) -> bytes:
        """Its answer: complete, or as far as it arrived before this many seconds without more."""
        self.to.write(f"{command}\n")
        self.to.flush()
        answer = b""
        while b"BatchCommand finished:" not in answer or not answer.endswith(b"\n\n"):
            if not select.select([self.answers], [], [], seconds)[0]:
                break
            answer += os.read(self.answers, 4096) or b"Audacity has ended. BatchCommand finished:\n\n"
        return answer

    def do(self, command: str) -> None:
        """One command, which must succeed."""
        answer = self._ask(command, PATIENCE_SECONDS)
        assert b"finished: OK" in answer, (command, answer)

    def end(self) -> None:
        """End it without the question whether to save."""
        for process in (self.process, self.screen):
            process.kill()
            process.wait()


@pytest.fixture
def engine(bundles: Path) -> Iterator[CountingProcess]:
    missing = [program for program in ("audacity", "Xvfb") if not shutil.which(program)]
    if missing or not MODULE.exists():
        pytest.skip(f"{' and '.join(missing) or MODULE} not there (apt install audacity xvfb)")
    made = CountingProcess()
    yield made
    made.kill()


def test_apply_with_generate_is_music_from_the_first_sample_on(
    bundles: Path, engine: CountingProcess, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros((SECONDS * RATE, 2), np.float32), RATE)
    audacity = Audacity(tmp_path, bundles, engine.port)
    try:
        audacity.do(f'Import2: Filename="{tmp_path / "in.wav"}"')
        audacity.do("SelectAll:")
        audacity.do("Segue:")
        audacity.do(f'Export2: Filename="{tmp_path / "out.wav"}" NumChannels=2')
    finally:
        audacity.end()
    heard, rate_hz = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate_hz == RATE
    wanted = value_at(np.arange(SECONDS * RATE))
    assert np.abs(heard - wanted[:, None]).max() < 4e-4  # Audacity writes 16 bits, with its dither
