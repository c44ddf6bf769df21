"""Requests of the page: checked by the table, then sent to the engine, `segue watch`, `jam` or `midi`, or done here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.control import history_rows, messages
from bridge.control.arguments import Message
from bridge.control.take_rows import STEMS_PROGRESS
from bridge.errors import NotAllowed, NotReady, OutOfRange, UnknownAddress
from plugin_host.panel import panel_rows, table
from plugin_host.panel.files import Files
from plugin_host.panel.gate import OWNER
from plugin_host.panel.link import EngineLink
from plugin_host.panel.midi_view import MidiView
from plugin_host.panel.others import Others
from plugin_host.panel.ports import ProgramPort
from plugin_host.panel.programs import Program
from plugin_host.panel.state import PanelState

OnProgress = Callable[[int, int, str], None]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Places:
    """Ports of the engine, of `segue watch`, of the jam and of the MIDI map; the session's folder, a scratch folder."""

    engine: int
    watch: int
    jam: int
    midi: int
    session: Path
    scratch: Path
    secret_file: Path | None = None


@dataclass(frozen=True)
class Shared:
    """Addresses for other devices, empty without --lan, and codes to scan as data addresses."""

    owner: str = ""
    guest: str = ""
    owner_code: str = ""
    guest_code: str = ""


class Desk:
    """Does requests, each on a thread of the caller's. It owns the programs and their ports.  [any]"""

    def __init__(
        self, places: Places, link: EngineLink, state: PanelState, shared: Shared, start_engine: Callable[[str], None]
    ) -> None:
        self.places, self._link, self.state, self._shared = places, link, state, shared
        self.files = Files(places.scratch)
        self.programs = {name: Program(name, state) for name in panel_rows.PROGRAMS}
        self.watch = ProgramPort(places.watch, "watch", self._on_program)
        self.jam = ProgramPort(places.jam, "jam", self._on_program)
        self.midi = ProgramPort(places.midi, "midi", lambda row, values: self._midi.on_event(row, values))
        self._midi = MidiView(self.midi, state)
        self._ports = {table.WATCH: self.watch, table.JAM: self.jam, table.MIDI: self.midi}
        self._others = Others(self.watch, self.jam, self._midi, state)
        self._own: dict[str, Callable[[Values], dict[str, Any] | None]] = {
            panel_rows.START_HOST.address: self._start_host, panel_rows.START_JAM.address: self._start_jam,
            panel_rows.START_WATCH.address: self._start_watch, panel_rows.STOP.address: self._stop,
            panel_rows.START_MIDI.address: self._start_midi, panel_rows.MIDI_PORTS.address: _midi_ports,
            panel_rows.START_ENGINE.address: lambda values: start_engine(str(values.get("model", ""))),
            panel_rows.DOCTOR.address: _doctor, panel_rows.MONITOR.address: self._monitor,
            panel_rows.SHARE.address: lambda _: dict(vars(self._shared)),
        }  # fmt: skip

    def close(self) -> None:
        """End the programs.  [main]"""
        for program in self.programs.values():
            program.stop()
        self._others.close()
        for port in self._ports.values():
            port.close()

    def do(self, role: str, address: str, values: Values, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """A request's answer by name; raises the errors of the table, of the files and of those asked."""
        to, row = table.REQUESTS.get(address, ("", None))
        if row is None:
            raise UnknownAddress(f"the panel does not take {address[:80]!r}")
        if role != OWNER and address not in table.ASKS:
            raise NotAllowed("this address is for looking only")
        given = self._checked(row, values)
        if to == table.ENGINE:
            return self._link.ask(row, given, on_progress)
        if to == table.PANEL:
            return self._own[address](given) or {}
        found = self._ports[to].ask(row, given)
        if to == table.WATCH and not row.asks and row not in (history_rows.TAKES_LIST, history_rows.TAKES_NODE):
            self.state.tell("takes/changed", {})
        return found

    def _checked(self, row: Message, values: Values) -> dict[str, Any]:
        """Arguments by name, checked by the row; a `file` of the page becomes its path."""
        own = [each for each in row.arguments if not (table.numbered(row) and each is row.arguments[0])]
        has_path = any(each.name == table.PATH for each in own)
        given = dict(values)
        if has_path:
            given[table.PATH] = str(self._path(str(given.pop(table.FILE, ""))))
        unknown = set(given) - {each.name for each in own}
        missing = [each.name for each in own if each.default is None and each.name not in given]
        if unknown or missing:
            names = ", ".join(table.FILE if each.name == table.PATH else each.name for each in own) or "nothing"
            raise OutOfRange(f"{row.address} takes {names}; got {', '.join(sorted(values)) or 'nothing'}")
        for each in own:
            if each.name in given:
                each.check(given[each.name])
        return given

    def _path(self, name: str) -> Path:
        kind, _, number = name.partition(":")
        return self.take(int(number)) if kind == "take" and number.isdigit() else self.files.path(name)

    def take(self, number: int) -> Path:
        """The file of a take; OutOfRange if it has gone.  [any]"""
        path = self.watch.ask(history_rows.TAKES_NODE, {"take": number})["path"]
        if not path:
            raise OutOfRange(f"the file of take {number} is not there any more")
        return Path(str(path))

    def stem(self, order: str, variation: str, lane: str) -> Path:
        """The file of a stem that was made; OutOfRange.  [any]"""
        path = self.state.get("stem", f"{order} {variation} {lane}").get("path")
        if not path:
            raise OutOfRange("there is no such stem")
        return Path(str(path))

    def _on_program(self, row: Message, values: Mapping[str, Any]) -> None:
        if row is STEMS_PROGRESS:
            self.state.put("stems", values, values["order"])
            if values["state"] == "made":
                self.state.put("stem", values, f"{values['order']} {values['variation']} {values['lane']}")
                self.state.tell("takes/changed", {})
        elif row.address.endswith("state"):
            self.state.put("jam", values)
        else:
            self.state.tell("jam/press", values)

    # -- the panel's own --------------------------------------------------------------------------------

    def _of_engine(self) -> list[str]:
        secret = self.places.secret_file
        return ["--port", str(self.places.engine), *(["--secret-file", str(secret)] if secret else [])]

    def _start_host(self, values: Values) -> None:
        output, ending = str(values.get("output", "")), []
        if output == "file":
            out = self.places.session / "panel-host.wav"
            out.parent.mkdir(parents=True, exist_ok=True)
            ending = ["--out", str(out), "--bars", str(values.get("bars", 16))]
        elif output:
            ending = ["--sound-device", output]
        self.programs["host"].start([*self._of_engine(), "--bpm", f"{float(values.get('bpm', 120)):g}", *ending])

    def _start_jam(self, values: Values) -> None:
        options = ["--mode", str(values.get("mode", "trade")), "--control-port", str(self.places.jam)]
        if float(values.get("bpm", 96)):
            options += ["--bpm", f"{float(values.get('bpm', 96)):g}"]
        source = str(self.files.path(str(values["file"]))) if values.get("file") else str(values.get("source", ""))
        for name, text in (("--in", source), ("--sound-device", values.get("output", "")),
                           ("--prompt", values.get("prompt", ""))):  # fmt: skip
            if text:
                options += [name, str(text)]
        out = tempfile.mkdtemp(prefix="jam-", dir=self._session())
        self.programs["jam"].start([*self._of_engine(), *options, "--out", out])

    def _session(self) -> Path:
        self.places.session.mkdir(parents=True, exist_ok=True)
        return self.places.session

    def _start_watch(self, values: Values) -> None:
        if not self.state.get("engine").get("model"):
            raise NotReady("no model is loaded yet: takes are made when there is one")
        options = [str(self._session()), "--osc-port", str(self.places.watch), *self._of_engine()]
        self.programs["watch"].start(options)

    def _start_midi(self, values: Values) -> None:
        ports = ["--osc-port", str(self.places.midi)]
        self.programs["midi"].start([str(values["device"]), *ports, *self._of_engine()])

    def _stop(self, values: Values) -> None:
        self.programs[str(values["program"])].stop()

    def _monitor(self, values: Values) -> None:
        self._link.ask(messages.DUMP, {"on": "on" if values.get("on", 1) else "off"})


def _midi_ports(values: Values) -> dict[str, Any]:
    from plugin_host.sync.midi_ports import backend

    return {"names": "\n".join(backend().get_input_names())}


def _doctor(values: Values) -> dict[str, Any]:
    from plugin_host.doctor.doctor import examine

    lines = []
    for finding in examine():
        lines.append(f"{finding.mark}  {finding.what:<14} {finding.text}")
        if finding.advice:
            lines.append(f"    {'':<14} -> {finding.advice}")
    return {"report": "\n".join(lines)}
