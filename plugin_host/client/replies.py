"""Results of calls to the engine: one named tuple per row of the message table that answers with values.

The fields are the `reply` columns of the row, in their order; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Hello(NamedTuple):
    """The engine that answers."""

    protocol: int
    engine: str
    timeout_seconds: float


class Status(NamedTuple):
    """The engine's state."""

    state: str
    model: str
    device: str
    lanes_open: int
    lanes_max: int
    text: str


class ModelReply(NamedTuple):
    """The loaded model; `abilities` are words separated by spaces."""

    model: str
    rate_hz: int
    channels: int
    window_seconds: float
    abilities: str
    license: str
    precision: str
    notes: str


class ModelNames(NamedTuple):
    """Names of models separated by spaces: on the engine's machine, and available for download."""

    here: str
    known: str


class LoadReply(NamedTuple):
    """A model that was loaded; `notes` are sentences for the user, or empty."""

    model: str
    seconds: float
    notes: str


class Stats(NamedTuple):
    """The engine's measurements."""

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


class ParameterReply(NamedTuple):
    """A parameter's present value."""

    name: str
    value: float


class PlacedReply(NamedTuple):
    """The beat from which a change is heard; `late`: 1 if it missed its place."""

    beats: float
    late: int


class Set(NamedTuple):
    """A parameter's value from `beats` on."""

    name: str
    value: float
    beats: float
    late: int


class PresetReply(NamedTuple):
    """The lane's prompt from `beats` on."""

    prompt: str
    beats: float
    late: int


class Slot(NamedTuple):
    """The number of a lane's prompts from `beats` on."""

    prompts: int
    beats: float
    late: int


class Mix(NamedTuple):
    """The weights of prompts or styles from `beats` on, or at the end of a glide that begins there: '0.25 0.75'."""

    weights: str
    beats: float
    late: int


class PresetList(NamedTuple):
    """The number of presets, and a line for each from the first requested one on, as far as they fit."""

    presets: int
    list: str


class Reseed(NamedTuple):
    """The seed in use from `beats` on."""

    seed: int
    beats: float
    late: int


class Scheduled(NamedTuple):
    """The number of scheduled commands, and the first of them: '7 prompt 16, 8 mute 24'."""

    waiting: int
    list: str


class CommandHeard(NamedTuple):
    """A command is heard: id and address of its request, the beat, seconds from its arrival to its sound."""

    lane: int
    id: int
    address: str
    beats: float
    seconds: float


def heard(values: Mapping[str, Any]) -> CommandHeard:
    """The values of an `event/heard`.  [any]"""
    return CommandHeard(values["lane"], values["id"], values["address"], values["beats"], values["seconds"])


class Play(NamedTuple):
    """Where and how a stream starts; `late` 1: not in time for its place, but for the next such one.

    `needs_seconds`: how far ahead of the host such a play must come to be in time.
    """

    start_beats: float
    generation: int
    seed: int
    late: int
    needs_seconds: float


class LaneStatus(NamedTuple):
    """The state of a lane; `references` are roles separated by spaces, `listener` says which host plays it.

    `fault` says why its music failed and whether it is tried again; or is empty. The weights of prompts and styles are
    those that are heard: '0.25 0.75'.
    """

    state: str
    written_beats: float
    generation: int
    seed: int
    references: str
    listener: str
    fault: str
    prompt_weights: str
    style_weights: str


class LaneStats(NamedTuple):
    """The measurements of a lane."""

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


class LaneTokens(NamedTuple):
    """A part of the codes of a lane's music: base64 of 16-bit codes, frame by frame; `frames` are in all."""

    frames: int
    codebooks: int
    frames_per_second: float
    data: str


class Tap(NamedTuple):
    """The tapped tempo, 0 before the second tap, and the beats since the downbeat."""

    bpm: float
    beats: int


class Understood(NamedTuple):
    """The region as the engine uses it; `note` says what was changed in it, or is empty."""

    seconds: float
    channels: int
    rate_hz: int
    bars: float
    note: str
    beats: float
    late: int


class FoundTempo(NamedTuple):
    """The analysis of a file: tempo (0: none), first bar line and length in beats, key; each with its certainty."""

    bpm: float
    sure: float
    first_bar_beats: float
    bar_sure: float
    beats: float
    key: str
    key_sure: float
