"""Jams with a real engine: the same twice, on their bar lines, and played by OSC."""

from __future__ import annotations

import errno
import os
import random
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from engine_rig import Engine, wait_for
from typer.testing import CliRunner

from bridge.control.jam_rows import JAM_ERROR, JAM_LISTEN, JAM_OK, JAM_PRESS, JAM_ROOT, JAM_STATE
from bridge.control.packet import encode, parse
from plugin_host.cli.main import app
from plugin_host.client.engine_process import free_port
from plugin_host.client.engine_request import EngineRequest
from plugin_host.jam.jam import Jam
from plugin_host.jam.options import JamOptions
from plugin_host.jam.osc import JamPort
from plugin_host.jam.recording.journal import read_journal
from plugin_host.jam.recording.wave_file import BITS, Disk
from plugin_host.jam.run import JamLines, run_jam
from plugin_host.jam.session import JamSession
from plugin_host.jam.timing import UNKNOWN_SECONDS

RATE, BAR = 48_000, 48_000  # a bar a second at 240 bpm
FADE = 480  # behind the end of Segue's music
COUNT, AT_ONCE = 8_000, 50  # datagrams
VALID = (
    encode(f"{JAM_ROOT}record", [2]), encode(f"{JAM_ROOT}take_over", []), encode(f"{JAM_ROOT}listen", [0, 20.0]),
    encode(f"{JAM_ROOT}hold", []),
)  # fmt: skip


@pytest.fixture
def player(tmp_path: Path) -> Path:
    """Six bars of a tone that begins anew on each beat."""
    seconds = np.arange(6 * BAR) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * seconds) * np.exp(-6 * (seconds % 0.25))
    soundfile.write(tmp_path / "player.wav", tone.astype(np.float32), RATE, subtype="FLOAT")
    return tmp_path / "player.wav"


def wish(player: Path, out: Path, engine: Engine, **values: Any) -> JamOptions:
    usual = {"bars": 1, "bpm": 240.0, "seed": 5, "offline": True, "generation_seconds": 0.1}
    return JamOptions(source=player, out=out, engine=EngineRequest(engine.port), **{**usual, **values})


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in read_journal(folder / "session.jsonl") if line["kind"] == kind]


def test_a_jam_from_a_file_is_the_same_twice_and_on_its_bar_lines(player: Path, engine: Engine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_jam(wish(player, tmp_path / name, engine))
    for file in ("input.wav", "segue.wav", "mix.wav", "session.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    music, _ = soundfile.read(tmp_path / "one" / "segue.wav", always_2d=True)
    assert len(music) == 6 * BAR
    for bar in range(6):
        part = music[bar * BAR : (bar + 1) * BAR]
        if bar % 2 == 0:
            assert not part[FADE:].any(), "Segue plays in the player's bar"
        else:
            assert part[:100].any(), "the answer begins late"
            assert part[-RATE // 10 :].any(), "the answer ends early"
    heard, _ = soundfile.read(tmp_path / "one" / "input.wav", always_2d=True)
    played, _ = soundfile.read(player, always_2d=True)
    np.testing.assert_allclose(heard[:, :1], played, atol=1e-4)
    figures = lines(tmp_path / "one", "figures")[0]
    assert (figures["missed_samples"], figures["muted_samples"]) == (0, 0)


def test_a_full_disk_ends_the_recording_in_one_sentence_and_not_the_music(
    player: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = Disk.write

    def full(disk: Disk, handle: int, data: memoryview, at: int) -> int:
        if at > 2 * BAR * 2 * BITS // 8:  # in the third bar
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(disk, handle, data, at)

    monkeypatch.setattr(Disk, "write", full)
    jam = Jam(wish(player, tmp_path / "full", engine), JamLines())
    fault = jam.run().fault
    assert "No space left on device" in fault
    assert "The music goes on" in fault
    assert capsys.readouterr().out.count(fault) == 1
    assert sum(each.counters.played_samples for each in jam.processors) == 3 * BAR, "three answers of a bar"
    recorded = [len(soundfile.read(tmp_path / "full" / f"{name}.wav")[0]) for name in ("input", "segue", "mix")]
    assert len(set(recorded)) == 1
    assert 0 < recorded[0] <= 3 * BAR


def test_presses_are_repeated_from_a_journal_and_the_first_loop_sets_the_tempo(
    player: Path, engine: Engine, tmp_path: Path
) -> None:
    journal = tmp_path / "presses.jsonl"
    presses = ((12_000, "record"), (12_000 + 2 * BAR, "record"))
    journal.write_text(
        "".join(f'{{"sample": {at}, "beat": 0.0, "kind": "press", "verb": "{verb}"}}\n' for at, verb in presses)
    )
    folder = tmp_path / "loop"
    run_jam(wish(player, folder, engine, mode="loop", bpm=None, bars=1, script=journal, total_bars=3))
    assert lines(folder, "timeline")[0]["bpm"] == 120.0
    assert [line["text"] for line in lines(folder, "press")][1] == "1 bar at 120.0 bpm"
    heard, music = (soundfile.read(folder / f"{name}.wav", always_2d=True)[0] for name in ("input", "segue"))
    loop = heard[12_000 : 12_000 + 2 * BAR]
    begin = 12_000 + 2 * BAR
    np.testing.assert_array_equal(music[begin + 1_000 : begin + 2 * BAR], loop[1_000:])
    assert not music[:begin].any()
    assert music[begin + 2 * BAR :].any()


def test_kept_turns_are_takes_that_hold_what_was_heard(player: Path, tmp_path: Path) -> None:
    def segue(*words: object) -> str:
        said = CliRunner().invoke(app, [str(word) for word in words])
        assert said.exit_code == 0, said.output
        return said.output

    folder, out = tmp_path / "jam", tmp_path / "turn.wav"
    quick = ("--offline", "--bpm", 240, "--bars", 1, "--total-bars", 2, "--seed", 5, "--prompt", "answer")
    segue("jam", "--in", player, "--out", folder, "--keep", *quick)
    assert "1  A  bars 2 to 2  seed 5  lane-0  live" in segue("takes", "list", "-s", folder)
    segue("takes", "export", "--take", 1, "--out", out, "-s", folder)
    turn, made = (soundfile.read(path)[0] for path in (folder / "turn-001-bar-2.wav", out))
    assert np.abs(turn).max() > 0.01
    np.testing.assert_allclose(made, turn, rtol=0, atol=1.01 * 2**-23, err_msg="but for the rounding to 24 bits")


def test_a_jam_is_played_by_osc(player: Path, engine: Engine, tmp_path: Path) -> None:
    port, ended = free_port(), threading.Event()
    options = replace(
        wish(player, tmp_path / "osc", engine, offline=False, bars=8), control_port=port, count_in_beats=0
    )

    def play() -> None:
        run_jam(options)
        ended.set()

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    came: dict[str, list[Any]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(0.05)

        def receive(send: bytes = b"") -> dict[str, list[Any]]:
            if send:
                wire.sendto(send, ("127.0.0.1", port))
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                try:
                    packet = parse(wire.recv(65535))[0]
                    came.setdefault(packet.address, []).append(list(packet.values))
                except (TimeoutError, ConnectionRefusedError):
                    pass
            return came

        listen = encode(f"{JAM_ROOT}listen", [0, 20.0])
        wait_for(lambda: JAM_STATE.address in receive(listen), 60)
        wait_for(lambda: receive() and came[JAM_STATE.address][-1][4] >= 0)
        receive(encode(f"{JAM_ROOT}take_over", []))
        receive(encode(f"{JAM_ROOT}dance", []))
        wait_for(lambda: receive() and came[JAM_STATE.address][-1][1] == "playing")
        ended.wait(60)
    thread.join(60)
    address, accepted, bar, beat, text = next(each for each in came[JAM_OK.address] if len(each) == 5)
    assert (address, accepted, beat) == (f"{JAM_ROOT}take_over", 1, 4.0 * bar)
    assert text == f"Segue takes over, at bar {bar + 1}"
    assert came[JAM_PRESS.address][0][:4] == ["take_over", "osc", 1, bar]
    assert came[JAM_ERROR.address][0][1] == "unknown_address"
    begins = lines(tmp_path / "osc", "phase")[-1]["bar"]  # later than promised only if the engine was
    music, _ = soundfile.read(tmp_path / "osc" / "segue.wav", always_2d=True)
    assert begins >= bar
    assert not music[: begins * BAR].any()
    assert music[begins * BAR :][:100].any()


def mutated(dice: random.Random) -> bytes:
    """A valid message with up to three other bytes, often shortened or lengthened."""
    datagram = bytearray(dice.choice(VALID))
    for _ in range(dice.randint(1, 3)):
        datagram[dice.randrange(len(datagram))] = dice.randrange(256)
    end = dice.choice((len(datagram), dice.randrange(len(datagram) + 1)))
    return bytes(datagram[:end]) + dice.randbytes(dice.choice((0, 0, 4, dice.randrange(9))))


def test_mutated_datagrams_are_answered_and_the_jam_goes_on(engine: Engine, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "player.wav", np.full(60 * RATE, 0.01, np.float32), RATE)
    options = JamOptions(
        source=tmp_path / "player.wav", out=tmp_path / "jam", bars=1, bpm=240.0, seed=5, count_in_beats=0,
        engine=EngineRequest(engine.port),
    )  # fmt: skip
    jam, ports, recorded, timings = Jam(options, JamLines()), [], [], []

    def begin(session: JamSession, stack: ExitStack, client: object) -> None:
        ports.append(stack.enter_context(JamPort(0, jam.press, session.state)))
        timings.append(session.parts.timing.p95_seconds)

    thread = threading.Thread(target=lambda: recorded.append(jam.run(begin)), daemon=True)
    thread.start()
    wait_for(lambda: bool(ports) and jam.session is not None and jam.session.time.begun, 60)
    there, dice, answered = ("127.0.0.1", ports[0].port), random.Random(19), 0
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        stranger.setblocking(False)
        peer.settimeout(10)
        peer.bind(("127.0.0.1", 0))
        for _ in range(COUNT // AT_ONCE):
            for _ in range(AT_ONCE):
                stranger.sendto(mutated(dice) or b"\0", there)
            peer.sendto(encode(JAM_LISTEN.address, [0, 0.0]), there)
            assert parse(peer.recv(65535))[0].address == JAM_OK.address
            while True:
                try:
                    answered += parse(stranger.recv(65535))[0].address in (JAM_ERROR.address, JAM_OK.address)
                except BlockingIOError:
                    break
    assert jam.session is not None
    before = jam.session.state().beat
    wait_for(lambda: jam.session is not None and jam.session.state().beat > before + 1)
    jam.end()
    thread.join(60)
    assert answered > 0.9 * COUNT
    assert timings[0] != UNKNOWN_SECONDS, "the generation time is rehearsed before the first bar"
    assert recorded
    assert not recorded[0].fault
    assert recorded[0].samples / RATE * 4 > before, "the recording is as long as the jam, at 240 bpm"
