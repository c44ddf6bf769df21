"""`segue jam`: joins engine, session, drive, hands and recording, and runs them to the last bar.

player --drive--> deck --tape--> session <--presses-- keys, foot switch, OSC
                   ^                |
                   +---- engine <---+---> recording, screen
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.time.transport import Grid
from bridge.time.units import seconds_to_samples
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_request import described
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.client.udp_connection import Event
from plugin_host.console.output import ready_folder
from plugin_host.host.jack_device import JACK
from plugin_host.host.timeline import Timeline
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.drive import Drive, FilePlayer, OfflineDrive, PacedDrive, read_player
from plugin_host.jam.engine import JamEngine, jam_engine
from plugin_host.jam.errors import JamError
from plugin_host.jam.figures import Figures, counted
from plugin_host.jam.first_loop import FirstLoop
from plugin_host.jam.input_filter import make_input_filter
from plugin_host.jam.jam_lanes import SEEDS, JamLanes
from plugin_host.jam.listening.loop_device import known_round_trip
from plugin_host.jam.live import open_live
from plugin_host.jam.modes import make_mode
from plugin_host.jam.options import DEFAULT_BPM, GENERATION_SECONDS, JamOptions
from plugin_host.jam.recording.recorder import JamRecorder, Recorded
from plugin_host.jam.rehearsal import rehearse
from plugin_host.jam.script import read_script
from plugin_host.jam.session import JamSession, Parts, count_in_samples
from plugin_host.jam.session_audio import BlockQueue, JamMemory
from plugin_host.jam.state import JamDisplay, Phase, Press, PressReply
from plugin_host.jam.timing import JamTiming
from plugin_host.jam.turns import TurnFiles
from plugin_host.playback.processor import Processor
from plugin_host.run.region_layout import CHANNELS
from plugin_host.sync.sync import Sync

WithSession = Callable[[JamSession, ExitStack, EngineClient], None]
LOOK_SECONDS = 0.005
SHOW_SECONDS = 0.05
FIGURES_SECONDS = 10.0
JOURNALS = "journal"  # folder of the engine's journals, in that of the recording
SWITCH_SECONDS = 0.0005  # between Python's threads, so that the audio thread waits for none


class Jam:
    """One jam from its options; `run` plays it, `press` and `end` may be called meanwhile from any thread."""

    def __init__(self, options: JamOptions, display: JamDisplay) -> None:
        self.options, self.display = options, display
        self.grid = Grid(options.rate_hz, options.bpm or DEFAULT_BPM, options.signature)
        self.free = options.mode == "loop" and options.bpm is None and options.sync.idle
        by_itself = options.sync.idle and not self.free
        beats = 0 if options.offline else options.count_in_beats
        clicks = count_in_samples(beats, self.grid) if by_itself else ()
        self.processors = tuple(Processor(options.rate_hz, CHANNELS) for _ in range(options.lanes))
        self.timeline = Timeline(self.grid)
        self.deck = JamDeck(self.processors, self.timeline, BlockQueue(options.rate_hz, CHANNELS), clicks)
        self.seed = options.seed if options.seed >= 0 else secrets.randbelow(SEEDS)
        self.session: JamSession | None = None
        self._ending, self._round_trip = threading.Event(), 0
        self._script = read_script(options.script) if options.script is not None else []
        self._turns: TurnFiles | None = None
        self.figures = Figures()

    # -- from any thread --------------------------------------------------------------------------------

    def press(self, press: Press, replied: Callable[[PressReply], None]) -> None:
        """Take a press.  [any]"""
        if self.session is not None:
            self.session.press(press, replied)

    def sample_at(self, seconds: float) -> int | None:
        """The session sample at a second of the monotonic clock; None before the jam runs.  [any]"""
        return None if self.session is None else self.session.time.sample_at(seconds)

    def _say(self, text: str) -> None:
        self.display.say(text)

    def end(self) -> None:
        """End the jam after the present block.  [any]"""
        self._ending.set()

    # -- the jam ----------------------------------------------------------------------------------------

    def run(self, with_session: WithSession = lambda session, stack, client: None) -> Recorded:
        """Play it to its end; raises a SegueError. `with_session` gets the session before it begins.  [main]"""
        options, player = self.options, self._player()
        self._round_trip = self._round_trip_samples() if player is None else 0  # also says if there is no sound card
        ready_folder(options.out)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-")))
            log = folder / "engine.log"
            journal = options.out / JOURNALS if options.keep else None
            engine = stack.enter_context(
                jam_engine(options.engine, log, self._say, self._receive, options.offline, journal)
            )
            for line in described(engine.client):
                self.display.say(line)
            recorder = JamRecorder(options.out, options.rate_hz, CHANNELS, self._say, waits=options.offline)
            stack.callback(recorder.close)
            stack.callback(lambda: self._turns.close() if self._turns is not None else None)
            timing = self._timing()
            abilities = self._abilities(engine)
            self._rehearse(engine, abilities, timing)
            lanes = [self._lane(engine, number, self.processors[number]) for number in range(options.lanes)]
            for lane in reversed(lanes):
                stack.callback(lane.close)
            self.session = self._session(lanes, recorder, abilities, timing)
            stack.callback(self._note_figures, self.session)
            stack.callback(self.session.close)
            for lane in lanes:
                lane.open()
            with_session(self.session, stack, engine.client)
            if options.offline:
                self._play_offline(self.session, player)
            else:
                self._play(self.session, engine, player, lanes)
            self.deck.stand()
        return recorder.close()

    def _player(self) -> FilePlayer | None:
        options = self.options
        if not isinstance(options.source, Path):
            if options.offline:
                raise JamError("--offline needs a file as the player: --in FILE")
            return None
        starts = 0 if self.free or not options.sync.idle else self.deck.starts_at
        return FilePlayer(read_player(options.source, options.rate_hz, CHANNELS), starts)

    def _receive(self, event: Event) -> None:
        said: dict[str, Any] = dict(event.values)
        if event.message is messages.EVENT_LANE and said["state"] == "failed":
            self.display.say(f"lane {said['lane']} has failed: {said['text']}")

    def _lane(self, engine: JamEngine, number: int, processor: Processor) -> LaneSession:
        options, prompts = self.options, self.options.prompts
        prompt = prompts[number % len(prompts)] if prompts else ""
        setup = Setup(prompt, options.preset, self.seed, {}, waits=options.offline)
        return LaneSession(engine.client, processor, setup, self._say)

    def _timing(self) -> JamTiming:
        fixed = self.options.generation_seconds
        if fixed is None and self.options.offline:
            fixed = GENERATION_SECONDS
        return JamTiming(fixed, self._round_trip / self.options.rate_hz)

    def _rehearse(self, engine: JamEngine, abilities: frozenset[str], timing: JamTiming) -> None:
        """Measure how long the engine takes, so that already the first answer is asked for in time."""
        options = self.options
        if timing.fixed:
            return
        sessions = [self._lane(engine, each, Processor(options.rate_hz, CHANNELS)) for each in range(options.lanes)]
        lanes_of = lambda found: JamLanes(found, self.seed, options.reference, abilities)  # noqa: E731
        bars = make_mode(options.mode, options.bars, timing).turn_bars
        seconds = rehearse(sessions, lanes_of, options.mode, bars, self.grid)
        if seconds:
            timing.rehearsed(seconds)
            self._say(f"generation takes {seconds:.1f} s here")

    def _abilities(self, engine: JamEngine) -> frozenset[str]:
        """What the model follows; a line if it cannot follow the player."""
        model, wanted = engine.client.model(), self.options.reference
        abilities = frozenset(model.abilities.split())
        if self.options.mode == "accompany" and wanted not in abilities:
            self._say(f"{model.model} follows no {wanted}: it plays beside you without hearing you")
        return abilities

    def _session(
        self, lanes: list[LaneSession], recorder: JamRecorder, abilities: frozenset[str], timing: JamTiming
    ) -> JamSession:
        options, from_file = self.options, isinstance(self.options.source, Path)
        round_trip = self._round_trip
        mode = make_mode(options.mode, options.bars, timing)
        jam_lanes = JamLanes(lanes, self.seed, options.reference, abilities, measured=not options.offline)
        memory = JamMemory(options.rate_hz, CHANNELS, round_trip)
        input_filter = make_input_filter(options.rate_hz, CHANNELS, leaks=not from_file)
        recorder.note("jam", 0, 0.0, mode=mode.name, bars=mode.bars, bpm=self.grid.tempo_bpm, seed=self.seed,
                      beats_per_bar=float(options.signature.beats_per_bar), round_trip_samples=round_trip)  # fmt: skip
        parts = Parts(self.deck, memory, input_filter, jam_lanes, recorder, timing, mode)
        first = FirstLoop(options.rate_hz, options.signature, options.bars) if self.free else None
        session = JamSession(parts, threaded=not options.offline, first_loop=first)
        if options.keep:
            self._turns = TurnFiles(options.out, options.rate_hz, CHANNELS, round_trip, self._say)
            session.on_phase, session.on_heard = self._phase_ended, self._turns.hear
        return session

    def _phase_ended(self, phase: Phase, bar: int, until: int) -> None:
        if self._turns is not None and self.session is not None and phase in ("playing", "both", "held"):
            session = self.session
            begin, end = (session.time.sample_of(number * session.time.per_bar) for number in (bar, until))
            self._turns.keep(session.parts.memory.own(begin, end), bar)
            session.notes.note("turn", session.time.beats, bar=bar, until=until)

    def _round_trip_samples(self) -> int:
        """As it was given, or measured by `segue doctor --audio`; else 0, and a line that says so."""
        options = self.options
        if options.round_trip_ms is not None:
            return round(seconds_to_samples(options.round_trip_ms / 1000, options.rate_hz))
        known = known_round_trip(*self._devices(), options.rate_hz)
        if known is None:
            self._say("the round trip of this sound card is not measured: `segue doctor --audio` does it, once")
        return known or 0

    def _end_sample(self, session: JamSession, player: FilePlayer | None) -> int | None:
        """The session sample of the end: so many bars, or the bar line behind the file's last sample."""
        bars = self.options.total_bars
        if not bars:
            return None if player is None else player.ends_at
        return session.time.sample_of(bars * session.time.per_bar) if session.time.begun else None

    def _over(self, session: JamSession, player: FilePlayer | None) -> bool:
        end = self.deck.ends_at = self._end_sample(session, player)
        return self._ending.is_set() or (end is not None and self.deck.sample >= end)

    def _press_script(self, session: JamSession) -> None:
        while self._script and (self._script[0].at_sample or 0) <= self.deck.sample:
            session.press(self._script.pop(0), lambda reply: None)

    def _play_offline(self, session: JamSession, player: FilePlayer | None) -> None:
        assert player is not None

        def step() -> None:
            self._press_script(session)
            session.step()
            if session.notes.message:
                self.display.show(session.state())

        OfflineDrive(self.deck, player).run(step, lambda: self._over(session, player))
        self.figures = counted(self.processors, 0)

    def _play(
        self, session: JamSession, engine: JamEngine, player: FilePlayer | None, lanes: list[LaneSession]
    ) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        drive, sync = self._drive(player), None
        drive.start()
        try:
            if not self.options.sync.idle:
                sync = Sync(self.timeline, self.options.sync, self._say, 0.0)
                if not sync.start():
                    self.timeline.play()
            shown = noted = 0.0
            while not self._over(session, player) and drive.running:
                self._press_script(session)
                session.step()
                engine.attend()
                for lane in lanes:
                    lane.look(self.timeline.now.grid, self.timeline.now.position_samples)
                if time.monotonic() - shown >= SHOW_SECONDS:
                    shown = time.monotonic()
                    self.display.show(session.state())
                if time.monotonic() - noted >= FIGURES_SECONDS:  # they are not lost with a jam that is killed
                    noted, self.figures = time.monotonic(), counted(self.processors, drive.flagged)
                    self._note_figures(session)
                time.sleep(LOOK_SECONDS)
        finally:
            if sync is not None:
                sync.stop()
            drive.stop()
            session.step()
            self.figures = counted(self.processors, drive.flagged)

    def _note_figures(self, session: JamSession) -> None:
        session.notes.note("figures", session.time.beats, **asdict(self.figures))

    def _drive(self, player: FilePlayer | None) -> Drive:
        if player is not None:
            return PacedDrive(self.deck, player)
        return open_live(self.deck, *self._devices(), self._say)

    def _devices(self) -> tuple[str | int | None, str | int | None]:
        """Input and output; a JACK client without the other one plays through JACK's sound card."""
        source = None if isinstance(self.options.source, Path) else self.options.source
        sink = self.options.sound_device
        through_jack = any(isinstance(each, str) and each.startswith(JACK) for each in (source, sink))
        return (source or JACK, sink or JACK) if through_jack else (source, sink)
