"""One lane's journal: the operations that change its music, each with where its host was.

    {"sample": 96000, "beat": 4.0, "kind": "renderer.retake_at", "args": [...], "taken": [1280], ...}

Only outermost operations are recorded: those that they call follow from them. Frames are recorded as they were drawn,
so that no language model is needed to hear them again; the rest is computed again, to the same bits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from bridge.ring.fader_block import Fader
from bridge.ring.form import Audio, PlaybackPlan, RingForm
from bridge.ring.writer import RingWriter
from bridge.time.transport import Transport
from engine.serve.journal.values import plain
from engine.serve.journal.writer import VERSION, JournalWriter

P = ParamSpec("P")
R = TypeVar("R")


Owner = TypeVar("Owner")
Operation = Callable[Concatenate[Owner, P], R]
State = dict[str, Any]


def recorded(
    owner_name: str, ring_of: Callable[[Any], RingWriter], state_of: Callable[[Any], State] = lambda owner: {}
) -> Callable[[Operation[Owner, P, R]], Operation[Owner, P, R]]:
    """Mark operations of a class as recorded in their lane's journal, if it has one.

    `state_of` is what they depend on besides their arguments and earlier operations.  [generate]
    """

    def mark(method: Operation[Owner, P, R]) -> Operation[Owner, P, R]:
        name = f"{owner_name}.{method.__name__}"

        @wraps(method)
        def operation(self: Owner, *args: P.args, **kwargs: P.kwargs) -> R:
            journal = journal_of(ring_of(self))
            if journal is None or not journal.outside:
                return method(self, *args, **kwargs)
            return journal.carry_out(name, state_of(self), lambda: method(self, *args, **kwargs), args, kwargs)

        return operation

    return mark


def journal_of(ring: RingWriter) -> LaneJournal | None:
    """The journal of a ring's lane, None if it has none.  [any]"""
    return ring.journal if isinstance(ring, RecordedRing) else None


class LaneJournal:
    """Records one lane; operations come from [generate], the host's position from any thread."""

    def __init__(self, writer: JournalWriter, form: RingForm, look: Callable[[], Transport | None]) -> None:
        """`look` reads the host's position.  [control]"""
        self._writer, self._look = writer, look
        self._lock = threading.Lock()
        self._host: Transport | None = None
        self._noted = 0  # its position in the last line
        self._in = 0  # operations within each other
        self._taken: list[tuple[int, int]] = []  # samples, and where the host was
        self._plans: list[int] = []  # where the host was
        writer.line({"sample": 0, "beat": 0.0, "kind": "journal", "version": VERSION, **asdict(form)})

    @property
    def outside(self) -> bool:
        """Whether no operation is being recorded.  [generate]"""
        return self._in == 0

    def follow(self, host: Transport) -> None:
        """Note a host each second, and whenever it does anything but play on.  [any]"""
        with self._lock:
            before = self._host
            same = before is not None and (before.playing, before.grid, before.loop_beats, before.seek_id) == (
                host.playing, host.grid, host.loop_beats, host.seek_id
            )  # fmt: skip
            if before is not None and not same and before.position_samples != self._noted:
                self._line("host", transport=before)  # where it was last seen
            self._host = host
            if not same or not 0 <= host.position_samples - self._noted < host.sample_rate_hz:
                self._line("host", transport=host)

    def note(self, kind: str, **values: Any) -> None:
        """Add a line with values.  [any]"""
        with self._lock:
            self._line(kind, **values)

    def here(self) -> int:
        """The host's position now.  [generate]"""
        self._look()
        return 0 if self._host is None else self._host.position_samples

    def wrote(self, taken: int, sample: int) -> None:
        """Count samples that the ring took, for a host at a sample.  [generate]"""
        self._taken.append((taken, sample))

    def planned(self) -> None:
        """Note a new plan.  [generate]"""
        self._plans.append(self.here())

    def carry_out(
        self, name: str, state: State, operation: Callable[[], R], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        """Carry out an operation and add its line.  [generate]"""
        self._look()
        self._taken, self._plans, self._in = [], [], self._in + 1
        fault = ""
        try:
            return operation()
        except Exception as error:
            fault = type(error).__name__
            raise
        finally:
            self._in -= 1
            self._add(name, args, kwargs, state, fault)

    def _add(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], state: dict[str, Any], fault: str) -> None:
        if name == "output.write" and not any(taken for taken, _ in self._taken) and not state.get("behind"):
            return  # nothing was written, many times a second
        sent = [None if callable(each) else each for each in args]
        named = {key: None if callable(each) else each for key, each in kwargs.items()}
        with self._lock:
            self._line(name, args=sent, named=named, taken=self._taken, plans=self._plans, fault=fault, **state)

    def _line(self, kind: str, **values: Any) -> None:
        host = self._host
        sample, beat = (0, 0.0) if host is None else (host.position_samples, round(host.position_beats, 4))
        self._noted = sample
        said = {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}
        try:
            row = {name: plain(value, self._writer.keep) for name, value in said.items()}
        except TypeError as error:  # the music goes on
            self._writer.end(f"{kind}: {error}")
            return
        self._writer.line({"sample": sample, "beat": beat, "kind": kind, **row})

    def end(self, why: str) -> None:
        """Record no more, with a last line that says why.  [any]"""
        self.note("ended", text=why)
        self._writer.end(why)

    def close(self) -> None:
        """Add the last line, and wait for the disk.  [any]"""
        self.note("closed")
        self._writer.close()


class RecordedRing(RingWriter):
    """A ring whose plans, faders and host are recorded."""

    journal: LaneJournal | None = None

    def record_in(self, writer: JournalWriter) -> None:
        """Record from now on.  [control]"""
        self.journal = LaneJournal(writer, self.form, self.transport)

    def write(
        self, position_samples: int, audio: Audio, plan_revision: int, seek_id: int = 0, shift_samples: int = 0
    ) -> int:
        """See `RingWriter`.  [generate]"""
        here = 0 if self.journal is None else self.journal.here()
        taken = super().write(position_samples, audio, plan_revision, seek_id, shift_samples)
        if self.journal is not None:
            self.journal.wrote(taken, here)
        return taken

    @recorded("ring", lambda ring: ring)
    def set_plan(self, plan: PlaybackPlan) -> None:
        """See `RingWriter`.  [generate]"""
        if self.journal is not None:
            self.journal.planned()
        super().set_plan(plan)

    def set_fader(self, fader: Fader) -> None:
        """See `RingWriter`.  [generate]"""
        if fader != self.fader:
            self._change_fader(fader)

    @recorded("ring", lambda ring: ring)
    def _change_fader(self, fader: Fader) -> None:
        super().set_fader(fader)

    def transport(self) -> Transport | None:
        """See `RingWriter`.  [generate]"""
        return self._noted(super().transport())

    def transport_said(self) -> tuple[Transport, float] | None:
        """See `RingWriter`.  [generate]"""
        said = super().transport_said()
        if said is not None:
            self._noted(said[0])
        return said

    def _noted(self, host: Transport | None) -> Transport | None:
        if host is not None and self.journal is not None:
            self.journal.follow(host)
        return host

    def close(self) -> None:
        """See `RingWriter`.  [any]"""
        if self.journal is not None:
            self.transport()  # where the host is at last
        journal, self.journal = self.journal, None
        super().close()
        if journal is not None:
            journal.close()
