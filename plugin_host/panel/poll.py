"""States of an engine without subscriptions, asked for: the values of its rows under the names of `state/...`.

Not there: a lane's prompt, what is muted, levels, beats ahead of time. All of it [any].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.control.parameters import PARAMETERS
from bridge.control.rows import LANES_MAX
from bridge.errors import NoSuchLane
from bridge.time.units import seconds_to_beats
from plugin_host.client.client import EngineClient
from plugin_host.panel.peaks import LanePicture

States = Iterator[tuple[str, dict[str, Any]]]


def engine(client: EngineClient) -> States:
    """The engine's state."""
    found = client.status()
    values = found._asdict()
    values.pop("lanes_max")
    yield "engine", values


def lanes(client: EngineClient, known: set[int], count: int) -> set[int]:
    """The open lanes; those known are asked first, then the others until `count` are found."""
    found: set[int] = set()
    for lane in (*sorted(known), *(other for other in range(LANES_MAX) if other not in known)):
        if len(found) >= count:
            break
        try:
            client.lane_status(lane)
        except NoSuchLane:
            continue
        found.add(lane)
    return found


def lane(client: EngineClient, number: int, picture: LanePicture | None, parameters: bool) -> States:
    """The states of one lane; `parameters`: also those."""
    status, stats, scheduled = client.lane_status(number), client.lane_stats(number), client.scheduled(number)
    at = {"lane": number}
    yield "lane", at | {
        "state": status.state, "generation": status.generation, "seed": status.seed, "references": status.references,
        "muted": 0, "heard": int("plays" in status.listener), "fault": status.fault,
    }  # fmt: skip
    first = scheduled.list.split(",")[0].split()
    beats = float(first[-1]) if len(first) > 2 else -1.0
    seen = picture.host() if picture else None
    now = bpm = 0.0
    if seen is not None:
        transport = seen[0]
        grid = transport.grid
        now, bpm = float(grid.beats_at(transport.position_samples)), grid.tempo_bpm
        bar = grid.bar_at(transport.position_samples)
        meter = grid.signature
        yield "time", at | {
            "playing": int(transport.playing), "beats": now, "bar": bar, "bpm": bpm, "numerator": meter.numerator,
            "beat": max(0.0, now - float(grid.bar_start_beats(bar))), "denominator": meter.denominator,
            "seek": transport.seek_id,
        }  # fmt: skip
    yield "ring", at | {
        "fill_ms": 1000 * stats.fill_seconds,
        "fill_beats": float(seconds_to_beats(stats.fill_seconds, bpm)) if bpm else 0.0,
        "written_beats": status.written_beats, "late_blocks": stats.late_blocks,
        "underruns": picture.underruns if picture else 0,
    }  # fmt: skip
    yield "pending", at | {
        "waiting": scheduled.waiting, "list": scheduled.list, "next": first[1] if len(first) > 2 else "",
        "next_beats": beats, "beats_to_next": beats - now if beats >= now else -1.0,
    }  # fmt: skip
    if parameters:
        for name in PARAMETERS:
            yield "parameter", at | {"name": name, "value": client.get(number, name).value}
