"""A jam with its hands, its OSC port and its screen, as the command runs it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from plugin_host.client.client import EngineClient
from plugin_host.console.keys import Keys
from plugin_host.console.screen import Screen
from plugin_host.jam.errors import JamError
from plugin_host.jam.hands.foot_switch import FootSwitch, open_foot_switch
from plugin_host.jam.hands.keys import KeyReader
from plugin_host.jam.hands.switches import parse_switches
from plugin_host.jam.jam import Jam
from plugin_host.jam.options import JamOptions
from plugin_host.jam.osc import JamPort
from plugin_host.jam.recording.recorder import Recorded
from plugin_host.jam.recording.repair import free_folder
from plugin_host.jam.screen.jam_screen import JamScreen
from plugin_host.jam.session import JamSession
from plugin_host.jam.state import JamState, Press, PressReply
from plugin_host.midi.session import MidiOptions, MidiSession


class JamLines(Screen):
    """The display of a jam before it begins, and offline: lines."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def show(self, text: str | JamState) -> None:
        """The message of a state, once.  [main]"""
        message = text.message if isinstance(text, JamState) else text
        if message and message != self._said:
            self.say(message)
        self._said = message


def run_jam(options: JamOptions) -> Recorded:
    """Play a jam into a folder without a recording, and say what was recorded; raises a SegueError.  [main]"""
    try:
        switches = parse_switches(options.switches)
    except ValueError as fault:
        raise JamError(f"--switches: {fault}") from None
    lines = JamLines()
    folder, repaired = free_folder(options.out)
    for line in repaired:
        lines.say(line)
    options = replace(options, out=folder)
    jam = Jam(options, lines)

    def press(press: Press) -> None:
        jam.press(press, lambda reply: None)

    def begin(session: JamSession, stack: ExitStack, client: EngineClient) -> None:
        if options.offline:
            return
        keys = stack.enter_context(Keys(KeyReader(press, jam.end, jam.sample_at)))
        screen = stack.enter_context(JamScreen(keys=keys.active))
        jam.display = screen
        stack.callback(setattr, jam, "display", lines)
        port = stack.enter_context(JamPort(options.control_port, jam.press, session.state))

        def replied(reply: PressReply) -> None:
            screen.reply(reply)
            port.pressed(reply)

        session.on_reply = replied
        if options.midi_switch:
            foot = FootSwitch(press, jam.sample_at, switches, options.latching)
            stack.callback(open_foot_switch(options.midi_switch, foot))
        if options.controller[0]:
            name, map_file = options.controller
            wanted = MidiOptions(name, map=map_file, jam=True, jam_port=port.port)
            stack.enter_context(MidiSession(wanted, client, screen.say))
        screen.say(f"presses by OSC on port {port.port}; recording into {options.out}")

    recorded = jam.run(begin)
    _tell(lines, jam, recorded)
    return recorded


def _tell(lines: JamLines, jam: Jam, recorded: Recorded) -> None:
    minutes, seconds = divmod(recorded.seconds, 60)
    lines.say(f"{recorded.folder}: {int(minutes)}:{seconds:04.1f} of input.wav, segue.wav, mix.wav; session.jsonl")
    figures = jam.figures
    if figures.missed_samples:
        held, silent = figures.held_samples / jam.options.rate_hz, figures.muted_samples / jam.options.rate_hz
        lines.say(f"the engine was late: {held:.2f} s of repeated bars, {silent:.2f} s silent")
    if figures.xruns:
        lines.say(f"the sound card reported {figures.xruns} xruns")
    if recorded.lost_samples:
        lines.say(f"{recorded.lost_samples} samples are silent in the recording: the disk was too slow")
    if recorded.clipped_samples:
        lines.say(f"{recorded.clipped_samples} samples of mix.wav are clipped at full scale")
