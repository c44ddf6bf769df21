"""From a region to audio on the beat: two processes, real UDP, real shared memory, a tiny real model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from engine_rig import BLOCK, RATE, PlayingHost, wait_for

from bridge.control import messages
from bridge.control.packet import parse
from bridge.errors import NoAnswer, SegueError
from bridge.ring import shared_memory
from bridge.ring.reader import RingReader
from bridge.time.transport import Grid
from plugin_host.client.client import EngineClient

BPM = 240.0  # a bar of 4/4 lasts a second


@pytest.fixture(scope="session")
def region_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("regions") / "region.wav"
    t = np.arange(2 * RATE) / RATE
    audio = 0.3 * np.stack([np.sin(2 * np.pi * 220 * t), np.sin(2 * np.pi * 331 * t)], axis=1)
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    return path


def expected_sound(options: list[str], region_path, seed: int, n_samples: int) -> np.ndarray:
    """The same continuation, made in this process at once."""
    from engine.audio.convert import at_model_rate
    from engine.audio.resample import StreamResampler
    from engine.core.sampling import Sampling
    from engine.model import Ask
    from engine.models.load import load_model
    from engine.serve.control.region_handlers import AHEAD_SAMPLES
    from engine.serve.lane_settings import ReferenceAudio
    from engine.serve.render.codec_output import CodecOutput
    from engine.serve.render.stream_settings import SPARE_FRAMES, make_prompt
    from engine.stream import StreamSettings, TokenStream, WindowSize

    torch.set_num_threads(1)
    model = load_model(options[1], "cpu", t5=options[3], dtype=torch.int8)  # as the engine uses it
    audio, rate = soundfile.read(region_path, dtype="float32")
    heard = at_model_rate(torch.from_numpy(audio.T.copy()), rate, 32_000, beyond=AHEAD_SAMPLES)
    region = ReferenceAudio(heard[:, :-AHEAD_SAMPLES], BPM, 0.0, ahead=heard[:, -AHEAD_SAMPLES:])
    prompt = make_prompt(model, region)
    frames = -(-n_samples * 50 // RATE)
    settings = StreamSettings(
        Sampling(top_k=min(250, model.lm.config.card)),
        size=WindowSize(model.window_frames, model.stride_frames),
        total_frames=prompt.codes.shape[1] + frames,
        spare_frames=SPARE_FRAMES,
        prepared=True,
    )

    def conditions(offset, count):
        with torch.no_grad():
            return model.conditioner([Ask(text="sad jazz")], settings.guidance, offset, count)[0]

    stream = TokenStream.begin(model.executor, conditions, prompt.codes, settings, seed)
    codes = stream.advance(frames)
    chain = CodecOutput(model.codec, StreamResampler(32_000, RATE), 2, prompt.audio, prompt.codes)
    chain.go_on_from(prompt.ahead)
    return chain.push(codes, last=True).numpy()[:n_samples]


def test_a_region_is_continued_on_the_bar_line(client, engine, tiny_model, region_path):
    lane, ring = client.open_lane(-1, RATE)
    assert ring in shared_memory.existing()
    host = PlayingHost(ring, BPM)
    understood = client.region_file(lane, "continue", region_path, BPM, 0.0)
    assert understood[:4] == (2.0, 2, RATE, 2.0)
    client.prompt(lane, "sad jazz")
    client.set(lane, "seed", 11)
    client.set(lane, "level_db", -12)  # far below the limiter's threshold
    client.set(lane, "loudness_match", 0)
    client.set(lane, "guard", 0)
    played = client.play(lane, 8.0, bars=4)  # from 2 s to 6 s: longer than the model's window of 3 s
    assert (played.start_beats, played.seed) == (8.0, 11)
    sound = host.render(7 * RATE)
    begin, end = 2 * RATE, 6 * RATE
    assert np.isnan(sound[:begin]).all()
    assert np.isfinite(sound[begin:end]).all()
    assert np.isnan(sound[end:]).all()
    want = 10 ** (-12 / 20) * expected_sound(tiny_model, region_path, 11, end - begin)
    fade = RATE // 50
    np.testing.assert_allclose(sound[begin : end - fade], want[:-fade], atol=2e-5)
    assert host.reader.counters.late_blocks == 0
    wait_for(lambda: client.lane_status(lane).state == "ended")
    assert client.lane_stats(lane).rolls >= 1
    host.close()
    client.close_lane(lane)
    assert ring not in shared_memory.existing()


def test_regions_in_chunks_are_the_same_as_by_file(client, region_path):
    audio, _ = soundfile.read(region_path, dtype="float32")
    lane, _ = client.open_lane(-1, RATE)
    by_file = client.region_file(lane, "continue", region_path, BPM, 0.0)
    by_chunks = client.region_audio(lane, "continue", audio[: RATE // 2 + 7], RATE, BPM, 0.0)
    assert by_chunks.seconds == pytest.approx(0.5, abs=1e-3)
    assert by_chunks[1:3] == by_file[1:3]
    client.close_lane(lane)


def bad_files(folder):
    t = np.arange(RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * t)
    soundfile.write(folder / "short.wav", tone[:100], RATE)
    soundfile.write(folder / "silence.wav", 0 * tone, RATE)
    soundfile.write(folder / "nan.wav", np.where(t > 0.5, np.nan, tone), RATE, subtype="FLOAT")
    soundfile.write(folder / "long.wav", np.zeros(30 * 60 * 8000), 8000, subtype="PCM_U8")
    (folder / "text.wav").write_text("this is not audio" * 100)
    (folder / "empty.wav").touch()
    os.mkfifo(folder / "pipe.wav")
    return {
        "short": "region_too_short",
        "silence": "region_silent",
        "nan": "region_not_finite",
        "long": "region_too_long",
        "text": "region_not_audio",
        "empty": "region_too_short",
        "pipe": "region_missing",
        "nowhere": "region_missing",
    }


def test_bad_input_is_answered_and_disturbs_nobody(client, engine, tmp_path, region_path):
    lane, ring = client.open_lane(-1, RATE)
    host = PlayingHost(ring, BPM)
    client.play(lane, 0.0)
    sounds = []
    rendering = threading.Thread(target=lambda: sounds.append(host.render(4 * RATE)))
    rendering.start()
    refused: dict[str, str] = {}

    def refuse(name, call, *arguments):
        with pytest.raises(SegueError) as fault:
            call(*arguments)
        refused[name] = fault.value.code

    wanted = bad_files(tmp_path)
    for name in wanted:
        refuse(name, client.region_file, lane, "continue", tmp_path / f"{name}.wav", BPM, 0.0)
    refuse("melody", client.region_file, lane, "melody", region_path, BPM, 0.0)
    refuse("lane", client.play, 63)
    refuse("parameter", client.set, lane, "loudness", 1.0)
    refuse("range", client.set, lane, "temperature", 99.0)
    refuse("card", client.set, lane, "top_k", 4000)
    refuse("preset", client.preset, lane, "no-such-preset")
    random_bytes = np.random.default_rng(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for size in random_bytes.integers(0, 300, 300):
            stranger.sendto(random_bytes.bytes(int(size)), ("127.0.0.1", engine.port))
    rendering.join()
    assert refused == {
        **wanted,
        "melody": "unsupported",
        "lane": "no_such_lane",
        "parameter": "out_of_range",
        "range": "out_of_range",
        "card": "out_of_range",
        "preset": "bad_preset",
    }
    assert np.isfinite(sounds[0]).all()  # not a sample was missed meanwhile
    assert client.status().state == "ready"
    host.close()
    client.close_lane(lane)


FLOOD = """
    import socket, struct, sys, time
    def text(word): return word + bytes(4 - len(word) % 4)
    ping = text(b"/segue/ping") + text(b",i") + struct.pack(">i", 0)
    turn = text(b"/segue/lane/set") + text(b",iisf") + struct.pack(">ii", 0, 0) + text(b"cfg") + struct.pack(">f", 3)
    endless = b"#bundle" + bytes(9) + struct.pack(">i", -4)
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    began, sent = time.time(), 0
    while sent < 20000:
        for message in (ping, turn, endless, b"/nope") * 25:
            stranger.sendto(message, ("127.0.0.1", int(sys.argv[1])))
        sent += 100
        time.sleep(max(0.0, sent / 10000 - (time.time() - began)))
"""


def test_ten_thousand_messages_a_second_disturb_nobody(client, engine):
    lane, ring = client.open_lane(-1, RATE)
    host = PlayingHost(ring, BPM)
    client.play(lane, 0.0)
    host.render(RATE // 2)
    before = client.stats().messages
    flood = subprocess.Popen([sys.executable, "-c", textwrap.dedent(FLOOD), str(engine.port)])
    sound = host.render(3 * RATE)
    assert flood.wait(30) == 0
    assert np.isfinite(sound).all()
    assert client.status().state == "ready"
    assert client.stats().messages - before >= 10_000
    host.close()
    client.close_lane(lane)


HOST = """
    import sys, time
    from bridge.ring.reader import RingReader
    from bridge.time.transport import Grid, Transport
    from plugin_host.client.client import EngineClient
    client = EngineClient(int(sys.argv[1]))
    client.connect()
    opened = client.open_lane(-1, 48000)
    reader = RingReader.attach(opened.ring)
    reader.publish(Transport(False, 0, Grid(48000)), 0, 256)
    client.play(opened.lane, 0.0)
    print(opened.ring, flush=True)
    time.sleep(600)
"""


def test_a_killed_host_frees_its_lane(client, engine):
    command = [sys.executable, "-c", textwrap.dedent(HOST), str(engine.port)]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    ring = host.stdout.readline().strip()
    assert ring in engine.segments()
    before = client.status().lanes_open
    host.send_signal(signal.SIGKILL)
    host.wait()
    wait_for(lambda: client.status().lanes_open == before - 1)
    assert ring not in shared_memory.existing()
    lane, ring = client.open_lane(-1, RATE)  # there is room again, and the engine plays on
    host = PlayingHost(ring, BPM)
    client.play(lane, 0.0)
    assert np.isfinite(host.render(RATE)).all()
    host.close()
    client.close_lane(lane)


def test_a_host_plays_on_when_its_client_has_left(client, engine):
    with EngineClient(engine.port) as other:
        lane, ring = other.open_lane(-1, RATE)
        host = PlayingHost(ring, BPM)
        other.play(lane, 0.0)
        host.render(RATE // 4)
    assert np.isfinite(host.render(RATE)).all()  # said bye, but the host still plays
    host.close()
    wait_for(lambda: client.status().lanes_open == 0)
    assert ring not in shared_memory.existing()


def test_a_change_is_heard_soon_and_measured(client):
    lane, ring = client.open_lane(-1, RATE)
    host = PlayingHost(ring, BPM)
    client.play(lane, 0.0)
    host.render(RATE)
    before = client.lane_status(lane).generation
    client.prompt(lane, "slow ambient drone")
    sound = host.render(2 * RATE)
    assert np.isfinite(sound).all()
    assert client.lane_status(lane).generation == before + 1
    lead = client.get(lane, "lead_seconds").value
    assert 0 < client.lane_stats(lane).change_seconds <= lead + 0.5
    host.close()
    client.close_lane(lane)


def render_both(hosts: list[PlayingHost], n_samples: int) -> list[np.ndarray]:
    """Two lanes of one host; the host waits for a slow engine."""
    sounds = [np.full((n_samples, 2), np.nan, np.float32) for _ in hosts]
    began = time.monotonic()
    for start in range(0, n_samples, BLOCK):
        time.sleep(max(0.0, began + start / RATE - time.monotonic()))
        for host, sound in zip(hosts, sounds, strict=True):
            host.transport = replace(host.transport, playing=True)
            wait_for(partial(has_block, host, sound[start : start + BLOCK]))
            host.transport = host.transport.advanced(len(sound[start : start + BLOCK]))
    return sounds


def filled(client: EngineClient, lane: int) -> bool:
    return client.lane_stats(lane).fill_seconds > 3.5


def has_block(host: PlayingHost, out: np.ndarray) -> bool:
    host.publish()
    position = host.transport.position_samples
    begun = int(np.isfinite(out[:, 0]).sum())
    host.reader.read(position + begun, out[begun:], 0)
    return bool(np.isfinite(out).all())


def test_a_prompt_at_a_bar_is_heard_from_its_first_sample_on(client, engine):
    bpm = 197.3  # no bar line coincides with a frame's start
    lanes = [client.open_lane(-1, RATE) for _ in range(2)]
    hosts = [PlayingHost(lane.ring, bpm) for lane in lanes]
    for lane in lanes:
        client.set(lane.lane, "seed", 5)
        client.set(lane.lane, "lead_seconds", 4.0)
        client.prompt(lane.lane, "sad jazz")
        client.play(lane.lane, 0.0)
    for lane in lanes:
        wait_for(partial(filled, client, lane.lane))
    first = render_both(hosts, RATE // 2)
    heard = []
    number = lanes[1].lane
    placed = client.prompt(number, "bright techno", at="bars 2", on_heard=heard.append)
    assert placed in ((8.0, 0), (16.0, 1))  # a machine that is busy may need the next one
    assert client.scheduled(number).list.endswith(f" prompt {placed.beats:g}")
    line = Grid(RATE, bpm).sample_at(placed.beats)
    rest = render_both(hosts, line + RATE // 2 - len(first[0]))
    alone, changed = (np.concatenate(parts) for parts in zip(first, rest, strict=True))
    off = np.abs(changed - alone).max(axis=1)
    assert int(np.flatnonzero(off > 1e-6)[0]) == line  # before it only rounding of other hops
    assert off[line:].max() > 1e-3
    wait_for(lambda: heard)
    assert heard[0][:4] == (number, heard[0].id, messages.LANE_PROMPT.address, placed.beats)
    assert heard[0].seconds > line / RATE - 0.6  # from the call, half a second after the start, to the bar line
    wait_for(lambda: "prompt " in client.lane_stats(number).heard)
    assert client.scheduled(number) == (0, "")
    for host, lane in zip(hosts, lanes, strict=True):
        host.close()
        client.close_lane(lane.lane)


def test_a_command_that_comes_twice_is_done_once_and_can_be_cancelled(client, engine):
    lane, ring = client.open_lane(-1, RATE)
    host = PlayingHost(ring, BPM)
    client.play(lane, 0.0)
    row = messages.LANE_MUTE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as patch:  # as Pd sends: nothing but i, f and s
        patch.connect(("127.0.0.1", engine.port))
        for _ in range(3):
            patch.send(row.pack(77, lane, 1, "bar 30"))
        assert parse(patch.recv(2000))[0].values == (77, row.address, 120.0, 0)
        wait_for(lambda: client.scheduled(lane).waiting)
        assert client.scheduled(lane) == (1, "77 mute 120")
        patch.send(messages.LANE_CANCEL.pack(78, lane, 77))
        wait_for(lambda: client.scheduled(lane) == (0, ""))
    host.close()
    client.close_lane(lane)


def test_a_port_in_use_is_said_at_once(engine):
    second = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "engine", "--port", str(engine.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 3
    assert str(engine.port) in second.stderr
    assert "| torch" not in second.stderr  # no heavy library was loaded for it


def test_a_cut_checkpoint_ends_the_engine_with_a_reason(start_engine, tiny_model, tmp_path):
    cut = tmp_path / "cut"
    cut.mkdir()
    for source in Path(tiny_model[1]).iterdir():
        data = source.read_bytes()
        (cut / source.name).write_bytes(data[: len(data) // 2] if source.name == "state_dict.bin" else data)
    engine = start_engine("--model", str(cut))
    assert engine.process.wait(110) == 4
    wait_for(lambda: "cannot be used" in engine.log)
    assert "state_dict.bin" in engine.log


def test_a_killed_engine_is_noticed_and_a_new_one_taken_up(start_engine):
    first = start_engine().wait_ready()
    with EngineClient(first.port, timeout_seconds=0.5) as client:
        lane, ring = client.open_lane(0, RATE)
        host = PlayingHost(ring, BPM)
        client.play(lane, 0.0)
        assert np.isfinite(host.render(3 * RATE)).all()  # a while: uptime tells engines apart
        assert host.reader.engine_alive()
        first.process.kill()
        first.process.wait()
        wait_for(lambda: not host.reader.engine_alive())
        with pytest.raises(NoAnswer):
            client.status()
        second = start_engine(port=first.port).wait_ready()
        assert not first.segments()  # the dead engine's segments are removed
        wait_for(lambda: client.restarts == 1)
        again = client.open_lane(0, RATE)
        assert again.ring != ring
        reader = RingReader.attach(again.ring)
        client.play(0, 0.0)
        out = np.full((BLOCK, 2), np.nan, np.float32)
        assert reader.read(0, out) == (0, BLOCK)
        reader.close()
        host.close()
        assert second.segments()
        assert second.end(signal.SIGTERM) == 0
        assert not second.segments()
        assert "ended" in second.log
