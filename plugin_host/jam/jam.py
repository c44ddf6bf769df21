"""`segue jam`: joins engine, session, drive, hands and recording, and runs them to the last bar.

    player --drive--> deck --tape--> session <--presses-- keys, foot switch, OSC
                       ^                |
                       +---- engine <---+---> recording, screen
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.time.transport import Grid
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.client.udp_connection import Event
from plugin_host.console.screen import Screen
from plugin_host.demo.demo import described
from plugin_host.host.timeline import Timeline
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.drive import Drive, FilePlayer, OfflineDrive, PacedDrive, read_player
from plugin_host.jam.ears import make_ears
from plugin_host.jam.modes import make_mode
from plugin_host.jam.options import DEFAULT_BPM, GENERATION_SECONDS, JamOptions
from plugin_host.jam.pace import Pace
from plugin_host.jam.recording.recorder import JamRecorder, Recorded
from plugin_host.jam.session import JamSession, Parts, count_in_samples
from plugin_host.jam.tape import Memory, Tape
from plugin_host.jam.voice import SEEDS, Voice
from plugin_host.playback.processor import Processor
from plugin_host.run.region_layout import CHANNELS

LOOK_SECONDS = 0.005
CALL_SECONDS = 10.0


@dataclass(frozen=True)
class Engine:
    """A connected engine; `attend` restarts a child that has died."""

    client: EngineClient
    attend: Callable[[], None]


@contextmanager
def engine_of(options: JamOptions, log: Path, say: Callable[[str], None], hear: Callable[[Event], None]) -> Iterator[Engine]:
    """A context with the jam's engine, hot: a running one, or a child that ends with it.  [main]"""
    wish = options.engine

    def client_at(port: int) -> EngineClient:
        return EngineClient(port, name="segue jam", secret=wish.secret, on_event=hear, timeout_seconds=CALL_SECONDS)

    if wish.port:
        with client_at(wish.port) as client:
            yield Engine(client, lambda: None)
        return
    arguments = ["--model", wish.model, "--device", wish.device, "--precision", wish.precision]
    process = EngineProcess(free_port(), log, arguments)
    say(f"engine: starting, model {wish.model}, device {wish.device}")
    try:
        process.start()
        client = process.connect(lambda: client_at(process.port), say)
        try:
            yield Engine(client, lambda: process.revive(say))
        finally:
            client.close()
    finally:
        process.stop()


class Jam:
    """One jam from its options; `run` plays it. All [main]."""

    def __init__(self, options: JamOptions, screen: Screen) -> None:
        self.options, self.screen = options, screen
        self.grid = Grid(options.rate_hz, options.bpm or DEFAULT_BPM, options.signature)
        clicks = count_in_samples(0 if options.offline else options.count_in_beats, self.grid)
        self.processors = tuple(Processor(options.rate_hz, CHANNELS) for _ in range(options.lanes))
        self.timeline = Timeline(self.grid)
        self.deck = JamDeck(self.processors, self.timeline, Tape(options.rate_hz, CHANNELS), clicks)
        self.seed = options.seed if options.seed >= 0 else secrets.randbelow(SEEDS)

    def run(self) -> Recorded:
        """Play it to its end; raises a SegueError.  [main]"""
        options = self.options
        player = None
        if isinstance(options.source, Path):
            player = FilePlayer(read_player(options.source, options.rate_hz, CHANNELS), self.deck.starts_at)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-")))
            engine = stack.enter_context(engine_of(options, folder / "engine.log", self.screen.say, self._hear))
            for line in described(engine.client):
                self.screen.say(line)
            recorder = JamRecorder(options.out, options.rate_hz, CHANNELS, self.screen.say, waits=options.offline)
            stack.callback(recorder.close)
            sessions = [self._lane(engine, number) for number in range(options.lanes)]
            for session in reversed(sessions):
                stack.callback(session.close)
            jam = self._session(sessions, recorder)
            stack.callback(jam.close)
            for session in sessions:
                session.open()
            self._play(jam, engine, player, sessions)
        return recorder.close()

    def _hear(self, event: Event) -> None:
        said: dict[str, Any] = dict(event.values)
        if event.message is messages.EVENT_LANE and said["state"] == "failed":
            self.screen.say(f"lane {said['lane']} has failed: {said['text']}")

    def _lane(self, engine: Engine, number: int) -> LaneSession:
        options = self.options
        prompts = options.prompts
        prompt = prompts[number % len(prompts)] if prompts else ""
        setup = Setup(prompt, options.preset, self.seed, {}, waits=options.offline)
        return LaneSession(engine.client, self.processors[number], setup, self.screen.say)

    def _session(self, sessions: list[LaneSession], recorder: JamRecorder) -> JamSession:
        options = self.options
        fixed = options.generation_seconds
        if fixed is None and options.offline:
            fixed = GENERATION_SECONDS
        pace = Pace(fixed)
        mode = make_mode(options.mode, options.bars, pace)
        voice = Voice(sessions, self.seed, options.reference, measured=not options.offline)
        memory = Memory(options.rate_hz, CHANNELS)
        ears = make_ears(options.rate_hz, CHANNELS, leaks=not isinstance(options.source, Path))
        recorder.note("jam", 0, 0.0, mode=mode.name, bars=mode.bars, bpm=self.grid.tempo_bpm,
                      signature=str(options.signature), seed=self.seed, starts_at=self.deck.starts_at)  # fmt: skip
        parts = Parts(self.deck, memory, ears, voice, recorder, pace, mode)
        return JamSession(parts, self.screen.say, threaded=not options.offline)

    def _end_sample(self, player: FilePlayer | None) -> int | None:
        """The session sample of the end: so many bars, or the file's last bar."""
        bars = self.options.total_bars
        if not bars:
            if player is None:
                return None
            bars = self.grid.next_bar(player.n_samples)
        return self.deck.starts_at + self.grid.bar_start(bars)

    def _play(self, jam: JamSession, engine: Engine, player: FilePlayer | None, sessions: list[LaneSession]) -> None:
        end = self._end_sample(player)
        over = lambda: end is not None and self.deck.sample >= end  # noqa: E731
        if self.options.offline:
            assert player is not None
            self.deck.ends_at = end
            OfflineDrive(self.deck, player).run(jam.step, over)
            return
        drive = self._drive(player)
        drive.start()
        try:
            while not over() and drive.running:
                jam.step()
                engine.attend()
                for session in sessions:
                    now = self.timeline.now
                    session.look(now.grid, now.position_samples)
                time.sleep(LOOK_SECONDS)
        finally:
            drive.stop()
            jam.step()

    def _drive(self, player: FilePlayer | None) -> Drive:
        if player is not None:
            return PacedDrive(self.deck, player)
        raise NotImplementedError


def run_jam(options: JamOptions, screen: Screen) -> Recorded:
    """Play a jam; raises a SegueError.  [main]"""
    recorded = Jam(options, screen).run()
    screen.say(f"{recorded.folder}: {recorded.seconds:.1f} s, input.wav, segue.wav, mix.wav, session.jsonl")
    return recorded
