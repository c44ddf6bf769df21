"""What makes a lane sound as it does: its settings, prompts, references and seed, as they were asked for and placed.

    asked --answered--> placed: heard from a beat on        asked --refused--> forgotten

Another engine gets it, after its client has opened the lane there and before it plays. The client sends what it set
itself again, which is older than what others have set since: only what it says differently from before counts as new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.control import messages
from bridge.control.arguments import At, Message, Value
from bridge.control.packet import Packet
from bridge.control.parameters import SEED

ENTRIES_MAX = 256  # then those that are overtaken are dropped
MUSIC_BYTES_MAX = 2**28  # of all references of a lane; older ones are then left to the lane's client
NOW = float("-inf")
Key = tuple[object, ...]
_GLIDES = (messages.LANE_MORPH, messages.LANE_SURFACE, messages.LANE_RECALL)
REGION = "region"
SEED_KEY: Key = ("set", SEED.name)


@dataclass(frozen=True)
class Chunks:
    """Music that came in chunks: the values of its `region/begin` and the data by number."""

    begin: Mapping[str, Value]
    data: dict[int, str] = field(default_factory=dict)

    def same(self) -> tuple[Any, ...]:
        """What makes two of them the same.  [any]"""
        begin = {name: value for name, value in self.begin.items() if name not in ("id", "lane", "transfer")}
        return begin, self.data

    def n_bytes(self) -> int:
        """How much it is.  [any]"""
        return sum(map(len, self.data.values()))


Music = bytes | Chunks | None  # of a reference: a file, or chunks


@dataclass(frozen=True)
class Entry:
    """A request that changes a lane. `at_beats`: from where it is heard, NOW if it has been from its arrival on."""

    row: Message
    values: Mapping[str, Value]
    client: int
    id: int
    music: Music = None
    at_beats: float = NOW

    @property
    def key(self) -> Key:
        """What it sets: a later one with the same key takes its place.  [any]"""
        row, values = self.row, self.values
        if row in (messages.REGION_FILE, messages.REGION_END, messages.REGION_CLEAR):
            begin = self.music.begin if isinstance(self.music, Chunks) else values
            return REGION, begin["role"]
        name = {messages.LANE_SET: "name", messages.LANE_SLOT: "slot", messages.LANE_MORPH: "what",
                messages.LANE_SURFACE: "what", messages.LANE_PRESET: "preset",
                messages.LANE_RECALL: "preset"}.get(row)  # fmt: skip
        return (row.address.rpartition("/")[2], *([values[name]] if name else []))

    def says(self) -> tuple[Any, ...]:
        """What it says, whoever said it and when.  [any]"""
        left = ("id", "lane", "at", "beats") if self.row in _GLIDES else ("id", "lane", "at")
        kept = {name: value for name, value in self.values.items() if name not in left}
        if isinstance(self.music, Chunks):
            return self.row.address, self.music.same()
        return self.row.address, {**kept, "path": ""} if self.music is not None else kept, self.music

    def music_bytes(self) -> int:
        """How much music it has.  [any]"""
        return self.music.n_bytes() if isinstance(self.music, Chunks) else len(self.music or b"")

    def again(self, position_beats: float) -> Entry:
        """For another engine: a place that is still to come stays, a glide that has begun is at its goal.

        [any]
        """
        pending = self.at_beats > position_beats
        values = {**self.values, "at": At(beats=self.at_beats) if pending else At("now")}
        if self.row in _GLIDES and not pending:
            values["beats"] = 0.0
        return replace(self, values=values)


def packet_of(row: Message, values: Mapping[str, Value], **others: Value) -> Packet:
    """A request with these values.  [any]"""
    said = {**values, **others}
    return Packet(row.address, tuple(each.wire(said[each.name]) for each in row.arguments if each.name in said))


class LaneJournal:
    """One lane's journal; `client` has opened it. All of it [main]."""

    def __init__(self, client: int) -> None:
        self.client = client
        self.seed: int | None = None
        self.lost = False  # its engine is gone
        self._entries: list[Entry] = []
        self._own: dict[Key, Any] = {}  # what the client said last, by key
        self._said: dict[Key, Any] | None = None  # by the client since it opened the lane on another engine

    # -- what is asked and answered -----------------------------------------------------------------------

    def asked(self, entry: Entry, position_beats: float) -> None:
        """A request goes to the engine.  [main]"""
        key, says = entry.key, entry.says()
        if key == SEED_KEY and self._said is None:
            self.seed = None  # for a later play, so for the next one
        if entry.client == self.client:
            known = self._own.get(key)
            self._own[key] = says
            if self._said is not None:
                self._said[key] = says
                if known == says:
                    return
        self._entries.append(entry)
        if len(self._entries) > ENTRIES_MAX or entry.music is not None:
            self._entries = self._in_force(position_beats)

    def placed(self, client: int, id: int, row: Message, answer: Mapping[str, Any]) -> None:
        """A request was carried out: when it is heard, and which seed it has.  [main]"""
        if row in (messages.LANE_PLAY, messages.LANE_RESEED):
            self.seed = int(answer["seed"])
            if row is messages.LANE_PLAY and client == self.client:
                self._own[SEED_KEY] = _seed(self.seed).says()
        elif row is messages.LANE_STOP:
            self.seed = None
        for at, entry in enumerate(self._entries):
            if (entry.client, entry.id, entry.row) == (client, id, row) and id and "beats" in answer:
                self._entries[at] = replace(entry, at_beats=float(answer["beats"]))

    def refused(self, client: int, id: int, row: Message) -> None:
        """A request was not carried out.  [main]"""
        for at in reversed(range(len(self._entries))):
            entry = self._entries[at]
            if (entry.client, entry.id, entry.row) == (client, id, row):
                del self._entries[at]
                return

    def cancelled(self, client: int, which: int, position_beats: float) -> None:
        """Scheduled commands are cancelled: one, or with 0 all.  [main]"""
        self._entries = [each for each in self._entries if each.at_beats <= position_beats
                         or (which and (each.client, each.id) != (client, which))]  # fmt: skip

    def __contains__(self, asked: tuple[int, int, Message]) -> bool:
        """Whether a client's request with this id is in it: it came twice.  [main]"""
        return any((each.client, each.id, each.row) == asked for each in self._entries)

    # -- on another engine ------------------------------------------------------------------------------

    @property
    def restoring(self) -> bool:
        """Whether the lane is open on another engine, and does not play there yet.  [main]"""
        return self._said is not None

    def opened_again(self) -> None:
        """The lane's client has opened it on another engine.  [main]"""
        self.lost, self._said = False, {}

    def to_send(self, position_beats: float) -> list[Entry]:
        """What the other engine has to be told beside what the lane's client has said there. Ends the restoring.

        [main]
        """
        self._entries = self._in_force(position_beats)
        said, self._said = self._said or {}, None
        settings = [each for each in self._entries if each.key[0] != REGION]
        regions = [each for each in self._entries if each.key[0] == REGION]
        left = SEED_KEY if self.seed is not None else None
        known = {key: says for key, says in said.items() if key[0] != REGION and key != left}
        lasting = [each for each in settings if each.key != left]
        as_said = known == {each.key: each.says() for each in lasting}
        sent = [] if as_said and all(each.at_beats <= position_beats for each in lasting) else lasting
        for region in regions:
            if region.key != (REGION, "continue") and said.get(region.key) != region.says():
                sent.append(region)
            elif region.key == (REGION, "continue") and region.key not in said:
                sent.append(region)  # else: the music that was heard last
        kept = {each.key for each in regions}
        sent += [_cleared(key) for key in said if key[0] == REGION and key not in kept and key[1] != "continue"]
        if self.seed is not None and said.get(SEED_KEY) != (seed := _seed(self.seed)).says():
            sent.append(seed)
        return [each.again(position_beats) for each in sent]

    def _in_force(self, position_beats: float) -> list[Entry]:
        """The last one heard for each key, in order, and all that are to come."""
        found, seen, music = list[Entry](), set[Key](), 0
        for entry in reversed(self._entries):
            if entry.at_beats <= position_beats:
                if entry.key in seen:
                    continue
                seen.add(entry.key)
                if entry.row is messages.REGION_CLEAR or _is_over(entry):
                    continue
            music += entry.music_bytes()
            if music <= MUSIC_BYTES_MAX or entry.music is None:
                found.append(entry)
        return found[::-1]


def _cleared(key: Key) -> Entry:
    return Entry(messages.REGION_CLEAR, {"id": 0, "lane": 0, "role": str(key[1]), "at": At("now")}, 0, 0)


def _seed(seed: int) -> Entry:
    values: dict[str, Value] = {"id": 0, "lane": 0, "name": SEED.name, "value": float(seed), "at": At("now")}
    return Entry(messages.LANE_SET, values, 0, 0)


def _is_over(entry: Entry) -> bool:
    """Whether it ended by itself: a mute for some beats."""
    return entry.row is messages.LANE_MUTE and float(str(entry.values["beats"])) > 0


def is_change(row: Message) -> bool:
    """Whether a request belongs in a journal. Regions in chunks do so at their end.  [any]"""
    return row in _CHANGES


_CHANGES = (
    messages.LANE_SET, messages.LANE_PROMPT, messages.LANE_SLOT, messages.LANE_MORPH, messages.LANE_SURFACE,
    messages.LANE_PRESET, messages.LANE_RECALL, messages.LANE_MUTE, messages.REGION_CLEAR,
)  # fmt: skip
