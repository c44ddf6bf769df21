"""What calls to the engine return: one named tuple per row of the message table that answers with values.

The fields are the `reply` columns of the row, in their order; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Hello(NamedTuple):
    """Who answers."""

    protocol: int
    engine: str
    timeout_seconds: float


class Status(NamedTuple):
    """How the engine is."""

    state: str
    model: str
    device: str
    lanes_open: int
    lanes_max: int
    text: str


class ModelReply(NamedTuple):
    """What the loaded model is and can do; `abilities` are words separated by spaces."""

    model: str
    rate_hz: int
    channels: int
    window_seconds: float
    abilities: str
    license: str
    precision: str
    notes: str


class ModelNames(NamedTuple):
    """Names of models separated by spaces: on the engine's machine, and to be had."""

    here: str
    known: str


class LoadReply(NamedTuple):
    """A model that was loaded; `notes` are what its user should know, or empty."""

    model: str
    seconds: float
    notes: str


class Stats(NamedTuple):
    """What the engine measured."""

    uptime_seconds: float
    memory_mb: float
    step_ms: float
    decode_ms: float
    realtime_ratio: float
    messages: float
    refused: float


class OpenLane(NamedTuple):
    """The lane that was opened, and the name of its ring."""

    lane: int
    ring: str


class Parameter(NamedTuple):
    """A parameter as it is now."""

    name: str
    value: float


class PlacedReply(NamedTuple):
    """From which beat a change is heard; `late`: 1 when it missed the place it was meant for."""

    beats: float
    late: int


class Set(NamedTuple):
    """A parameter as it is from `beats` on."""

    name: str
    value: float
    beats: float
    late: int


class PresetReply(NamedTuple):
    """The lane's prompt from `beats` on."""

    prompt: str
    beats: float
    late: int


class Reseed(NamedTuple):
    """The seed that is used from `beats` on."""

    seed: int
    beats: float
    late: int


class Scheduled(NamedTuple):
    """How many commands wait for their beat, and the first of them: '7 prompt 16, 8 mute 24'."""

    waiting: int
    list: str


class CommandHeard(NamedTuple):
    """A command is heard now: id and address of its request, the beat, seconds from its arrival to its sound."""

    lane: int
    id: int
    address: str
    beats: float
    seconds: float


def heard(values: Mapping[str, Any]) -> CommandHeard:
    """What an `event/heard` says.  [any]"""
    return CommandHeard(values["lane"], values["id"], values["address"], values["beats"], values["seconds"])


class Play(NamedTuple):
    """Where and how a stream starts."""

    start_beats: float
    generation: int
    seed: int


class LaneStatus(NamedTuple):
    """How a lane is; `references` are roles separated by spaces, `listener` says who hears it.

    `fault` says why its music failed and whether that is tried again; empty where all is well.
    """

    state: str
    written_beats: float
    generation: int
    seed: int
    references: str
    listener: str
    fault: str


class LaneStats(NamedTuple):
    """What was measured on a lane."""

    fill_seconds: float
    fill_low_seconds: float
    first_sound_seconds: float
    realtime_ratio: float
    late_blocks: int
    rolls: int
    change_seconds: float
    heard: str
    faults: int
    faults_passed: int
    chosen: int
    off_ms: float
    beat_sure: float


class Tap(NamedTuple):
    """The tempo tapped, 0 before the second tap, and the beats since the downbeat."""

    bpm: float
    beats: int


class Understood(NamedTuple):
    """What the engine made of a region; `note` says what was changed on the way in, or is empty."""

    seconds: float
    channels: int
    rate_hz: int
    bars: float
    note: str
    beats: float
    late: int


class Listened(NamedTuple):
    """What was heard in a file: tempo (0: none), first bar line and length in beats, key; each with how sure."""

    bpm: float
    sure: float
    first_bar_beats: float
    bar_sure: float
    beats: float
    key: str
    key_sure: float
