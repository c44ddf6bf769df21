"""The log of a training run, stored beside the weights and plotted: one line every few steps, one picture a run.

    python -m engine.train.curves lm.pt.log [--out lm.pt.png]

A line is `step, minutes "min", frames seen "M", [loss a codebook]` from `lm_train`, or `step, seconds "s", "loss" loss,
...` from `codec_train`; a log covers all runs that continue the same file.

All of it [main].
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from bridge.system.whole_file import writing

_LM = re.compile(r"^(\d+) ([\d.]+) min ([\d.]+)M \[([\d., ]+)\]")
_CODEC = re.compile(r"^(\d+) ([\d.]+) s loss ([\d.]+)")


@dataclass(frozen=True)
class Point:
    """One line: progress in steps, minutes and million frames (0 where it is not logged), and the losses."""

    step: int
    minutes: float
    million_frames: float
    losses: tuple[float, ...]


def log_path(weights: Path) -> Path:
    """Where the log of a file of weights lies.  [any]"""
    return weights.with_name(weights.name + ".log")


def say(line: str, log: Path) -> None:
    """Print a line and add it to a log.  [any]"""
    print(line, flush=True)
    with log.open("a") as stream:
        stream.write(line + "\n")


def read_log(path: Path) -> list[Point]:
    """The points of a log, in its order; other lines are skipped.  ValueError when there is none.  [any]"""
    points = []
    for line in path.read_text().splitlines():
        if found := _LM.match(line):
            losses = tuple(float(loss) for loss in found[4].split(","))
            points.append(Point(int(found[1]), float(found[2]), float(found[3]), losses))
        elif found := _CODEC.match(line):
            points.append(Point(int(found[1]), float(found[2]) / 60.0, 0.0, (float(found[3]),)))
    if not points:
        raise ValueError(f"{path} has no line that training writes, as '25 1.0 min 0.10M [5.1, 6.2, 6.5, 6.6]'")
    return points


def draw(points: list[Point], out: Path, title: str) -> None:
    """Losses over frames seen (over steps, where frames are not logged) to a PNG.  [any]"""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    frames = points[-1].million_frames > 0
    x = [point.million_frames if frames else point.step for point in points]
    for k in range(len(points[-1].losses)):
        label = f"codebook {k}" if len(points[-1].losses) > 1 else "loss"
        axes.plot(x, [point.losses[k] for point in points], label=label, linewidth=1.2)
    axes.set_xlabel("frames seen, million" if frames else "step")
    axes.set_ylabel("cross-entropy, nats" if frames else "loss")
    axes.set_title(f"{title}: {points[-1].minutes:.0f} minutes, {points[-1].step} steps")
    axes.grid(alpha=0.3)
    axes.legend()
    with writing(out) as file:
        figure.savefig(file, format="png", dpi=100)


def draw_log(log: Path) -> None:
    """The picture of a log, beside it; nothing when the run was too short to write a line.  [any]"""
    if log.is_file() and log.stat().st_size:
        try:
            draw(read_log(log), log.with_suffix(".png"), log.stem)
        except ValueError:
            return


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    draw(read_log(args.log), args.out or args.log.with_suffix(".png"), args.log.stem)


if __name__ == "__main__":
    main()
