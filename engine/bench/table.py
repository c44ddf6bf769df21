"""The table: ratios first, then times; every line is labelled."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bench.results import MEASURED, SEGUE, BenchReport, BenchRow, Extras, Spread

HEAD = (
    f"{'model':<9} {'precision':<9} {'side':<24} {'faster':>15} {'of floor':>8} {'real time':>9} {'steps/s':>8}"
    f" {'start':>8} {'half':>17} {'full':>8} {'p99':>8} {'p99.9':>8}"
    f" {'logits off':>10} {'error':>8} {'drawn':>6}"
)
NOTES = (
    "faster     times as fast as transformers' generate at half fill, its best at this precision (int8, int4: its best",
    "           of all that were in the same process); (lowest-highest) over the rounds",
    "of floor   bytes that a step must read, over the fastest reading seen in this run, over the step at half fill",
    "real time  seconds of music a second, the language model alone; start, half, full: ms a step at that fill of the",
    "           cache; p99, p99.9 at half fill, '-' where there were too few steps to say",
    "logits off largest difference between the two sides' logits over their spread, on equal weights, before timing",
    "error      of the logits against Segue in float32, over their spread; drawn: tokens in 100 that would be drawn",
    "           otherwise, the numbers of the dice being equal. Both say little where weights are random",
)


def lines_of(report: BenchReport) -> Iterator[str]:
    """The whole table, line by line.  [any]"""
    yield machine_line(report)
    yield ""
    yield HEAD
    for model in dict.fromkeys(row.model for row in report.rows):
        rows = [row for row in report.rows if row.model == model]
        weights = next((row.weights for row in rows if row.weights), "")
        for row in sorted(rows, key=lambda one: (one.status != MEASURED, one.device != "cpu")):
            yield _row(row)
        if weights:
            yield f"{'':<9} weights: {weights}"
    yield ""
    yield from NOTES
    for extras in report.extras:
        yield ""
        yield from _extras(extras)


def machine_line(report: BenchReport) -> str:
    """Text: the computer, its threads, its load.  [any]"""
    machine = report.machine
    read = [one["read"] for one in report.bandwidth.values()]
    speed = f", reads {min(read) / 1e9:.1f} to {max(read) / 1e9:.1f} GB a second" if read else ""
    load = machine.get("load")
    busy = "" if load is None else f", load before {load:.1f}"
    return f"{machine.get('device', '')}, threads: {machine.get('threads', '')}{speed}{busy}"


def _row(row: BenchRow) -> str:
    side = row.side if row.device == "cpu" else f"{row.side} ({row.device})"
    begin = f"{row.model:<9} {row.precision:<9} {side:<24}"
    if row.status != MEASURED or "half" not in row.fills:
        return f"{begin} {row.status}: {row.reason or 'nothing was reported'}"
    half = row.fills["half"]
    return (
        f"{begin} {_ratio(row.times_as_fast):>15} {100 * half.of_floor:>7.0f}% {row.realtime or 0:>9.2f}"
        f" {row.steps_per_second or 0:>8.1f} {row.fills['start'].step_ms.median:>8.2f} {_spread(half.step_ms):>17}"
        f" {row.fills['nearly full'].step_ms.median:>8.2f} {_maybe(half.p99_ms):>8} {_maybe(half.p999_ms):>8}"
        f" {'' if row.logits_off is None else format(row.logits_off, '.0e'):>10}"
        f" {'' if row.error_std is None else format(row.error_std, '.4f'):>8}"
        f" {'' if row.drawn_otherwise is None else format(100 * row.drawn_otherwise, '.1f'):>6}"
        f"{'' if not row.reason else f'  ({row.reason})'}"
    )


def _extras(extras: Extras) -> Iterator[str]:
    title = f"{extras.model} in {extras.precision} on {extras.device}"
    parts = [
        ("first sound, 10 s of music before it", extras.first_sound_ms),
        ("prompt changed, to its sound", extras.change_ms),
        ("codec, a frame", extras.codec_frame_ms),
    ]
    for name, value in parts:
        if value is not None:
            yield f"{title}: {name:<38} {_spread(value):>22} ms"
    if extras.codec_share is not None:
        yield f"{title}: {'codec, share of a frame':<38} {100 * extras.codec_share:>22.0f} %"
    if extras.realtime is not None:
        yield f"{title}: {'real time, codec and all, half fill':<38} {extras.realtime:>22.2f} x"
    one = extras.lanes_ms.get("1")
    for number, value in extras.lanes_ms.items():
        times = f"{value.median / one.median:.2f} times one" if one is not None else ""
        yield f"{title}: {'lanes ' + number + ', all of them a step':<38} {_spread(value):>22} ms  {times}"
    for number, reason in extras.lanes_skipped.items():
        yield f"{title}: lanes {number} skipped: {reason}"
    if extras.peak_mb is not None:
        yield f"{title}: {'memory, peak of the whole contest':<38} {extras.peak_mb:>22.0f} MB"
    for note in extras.notes:
        yield f"{title}: {note}"


def _ratio(value: Spread | None) -> str:
    return "" if value is None else f"{value.median:.1f} ({value.low:.1f}-{value.high:.1f})"


def _spread(value: Spread) -> str:
    return f"{value.median:.2f} ({value.low:.2f}-{value.high:.2f})"


def _maybe(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def headline(report: BenchReport) -> Iterator[str]:
    """A line for each model: Segue's speed relative to transformers.  [any]"""
    for row in report.rows:
        if row.side == SEGUE and row.times_as_fast is not None:
            half = row.fills["half"]
            yield (
                f"{row.model} in {row.precision}: {_ratio(row.times_as_fast)} times as fast as transformers, "
                f"{100 * half.of_floor:.0f} % of the memory floor, {row.realtime or 0:.2f} times real time"
            )
