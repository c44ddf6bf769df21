"""A lane made again: the lines of its journal, one after the other. All [generate]."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from bridge.ring.form import RingForm
from bridge.ring.shared_memory import Segment, segment_name
from bridge.time.transport import Transport
from engine.model import LoadedModel
from engine.serve.journal.values import JournalError, read_audio, real
from engine.serve.journal.writer import REFERENCES
from engine.serve.replay.played import PlayedRenderer, PlayedRing
from engine.serve.timeline.samples import HostSample

OPERATIONS = {
    "renderer": ("restart", "redraw", "retake", "retake_at", "move", "make_again", "steer", "end_at", "quiet_change"),
    "output": ("loop_changed", "host_beyond_end", "refade", "write", "passed", "announce", "shift", "take_turn"),
    "ring": ("set_plan", "_change_fader"),
}
ROOM = 4  # times as much as the first ring: what its host had read stays out of the way
SAMPLES_MAX = 192_000 * 3600 * 48  # two days
HOLE_SECONDS = 60  # a longer hole stays one
Play = Callable[[Transport, int], None]


class PlayedLane:
    """One lane; `play(host, sample)` is called before each operation: its host plays up to a sample."""

    def __init__(
        self, folder: Path, model: Callable[[str, dict[str, Any]], LoadedModel], play: Play, repair: bool = False
    ) -> None:
        """`repair`: music that was never made, as the engine was late, is drawn now."""
        self._folder, self._model, self._play, self._repair = folder, model, play, repair
        self._audio: dict[str, Tensor] = {}
        self._renderer: PlayedRenderer | None = None
        self._host: Transport | None = None
        self.ring: PlayedRing | None = None
        self.ended = ""
        self.drawn_frames = 0

    def open(self, first: dict[str, Any]) -> PlayedRing:
        """The ring of the journal's first line; JournalError for a line that is none."""
        try:
            names = ("sample_rate_hz", "channels", "block_samples", "capacity_blocks")
            rate, channels, block, capacity = (int(first[name]) for name in names)
            form = RingForm(rate, channels, block, ROOM * capacity, int(first["lane"]))
            self.ring = PlayedRing(Segment.create(segment_name(form.lane), form.n_bytes), form)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise JournalError(f"the journal's first line is incomplete: {error}") from None
        self.ring.heard_by(self._play_to)
        return self.ring

    def _play_to(self, sample: int) -> None:
        if self._host is not None:
            self._play(self._host, sample)

    def run(self, rows: Iterable[dict[str, Any]]) -> None:
        """Carry out lines; JournalError names the one that cannot be, or that is too far from the one before."""
        for number, row in enumerate(rows, 2):
            if self.ended:
                return
            try:
                self._carry_out(row)
            except JournalError as error:
                raise JournalError(f"line {number} ({row.get('kind')}): {error}") from None
            except Exception as error:  # it may come from anywhere: whatever its values lead to
                raise JournalError(f"line {number} ({row.get('kind')}): {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Free the ring."""
        if self.ring is not None:
            self.ring.close()

    def _carry_out(self, row: dict[str, Any]) -> None:
        kind = str(row["kind"])
        if abs(int(row["sample"])) > SAMPLES_MAX:
            raise JournalError(f"sample {row['sample']} is beyond {SAMPLES_MAX}")
        if kind == "host":
            host = self._value(row["transport"])
            if not isinstance(host, Transport) or abs(host.position_samples) > SAMPLES_MAX:
                raise JournalError(f"a host at a place beyond {SAMPLES_MAX}, or none")
            self._play(host, host.position_samples)
            self._host = host
            return
        self._play_to(int(row["sample"]))
        if kind == "begin":
            self._begin(row)
        elif kind in ("closed", "ended"):
            if self._repair and self._renderer is not None:
                self._fill(
                    self._renderer, HostSample(int(row["sample"]) + self._renderer.output.ring.form.block_samples), row
                )
            self.ended = str(row.get("text", "")) or "closed"
        elif "." in kind:
            owner, _, name = kind.partition(".")
            self._operate(owner, name, row)

    def _begin(self, row: dict[str, Any]) -> None:
        assert self.ring is not None
        model = self._model(str(row["model"]), row)
        settings, placement, region = (self._value(row.get(name)) for name in ("settings", "placement", "region"))
        self._renderer = PlayedRenderer(model, self.ring, settings, placement, int(row["seed"]), region)

    def _operate(self, owner: str, name: str, row: dict[str, Any]) -> None:
        if name not in (*OPERATIONS.get(owner, ()), "keep"):
            raise JournalError(f"there is no operation {owner}.{name}")
        assert self.ring is not None
        args = self._value(row.get("args", []))
        named = dict(self._value(row["named"])) if "named" in row else {}
        self.ring.allow(row)
        if owner == "ring":
            cast(Any, self.ring.set_plan if name == "set_plan" else self.ring.set_fader)(*args)
            return
        renderer = self._renderer
        if renderer is None:
            raise JournalError("there is no music yet")
        free = row.get("free")
        renderer.as_it_was(int(row.get("behind", 0)), float(row["gain"]), free, bool(row.get("finished")))
        renderer.output.held.hold(int(row.get("held", 0)))
        if name == "keep":
            renderer.read(args[0])
            return
        if self._repair and name in ("move", "restart"):
            self._fill(renderer, args[2] if name == "move" else args[1].start_samples, row)
        target = renderer if owner == "renderer" else renderer.output
        try:
            getattr(target, name)(*args, **named)
        except (ValueError, RuntimeError):
            if not row.get("fault"):
                raise

    def _fill(self, renderer: PlayedRenderer, until: HostSample, row: dict[str, Any]) -> None:
        """Before the music comes in again at `until`: what the engine did not make up to there."""
        made, host = renderer.placement.host_of(renderer.output.stream_made), self._host
        late = host is not None and host.playing and host.seek_id == renderer.placement.seek_id
        if not late or not 0 < until - made < HOLE_SECONDS * renderer.placement.grid.sample_rate_hz:
            return
        assert self.ring is not None
        self.ring.allow_all()
        renderer.output.write()
        self.drawn_frames += renderer.draw_on(until)
        renderer.output.write()
        self.ring.allow(row)

    def _value(self, value: Any) -> Any:
        return real(value, self._find)

    def _find(self, name: str) -> Tensor:
        if name not in self._audio:
            self._audio[name] = read_audio(self._folder / REFERENCES, name)
        return self._audio[name]
