"""Plot events per second by number of events, and time per hour by number of hours.

Runs in the environment of `matplotlib`.
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


def main() -> None:
    """Plot the figures of the first argument, a JSON file, to the second, an image file."""
    figures = json.loads(Path(sys.argv[1]).read_text())
    _, (left, right) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
    for axes, draw, part in ((left, _events, "events"), (right, _hours, "hours")):
        if part in figures:
            draw(axes, figures[part])
        else:
            axes.set_axis_off()
    plt.savefig(sys.argv[2], dpi=120)


def _events(axes, sizes):
    lines = {}
    for measured in sizes.values():
        for entry in measured["contenders"]:
            if "events_per_second" in entry:
                point = (measured["world"]["lines"], entry["events_per_second"])
                lines.setdefault(entry["name"], []).append(point)
    for name, points in lines.items():
        style = "-" if name.startswith("ours") else "--" if name.startswith("limit") else ":"
        axes.plot(*zip(*sorted(points), strict=True), style, marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="events of one day", ylabel="events per second")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12))


def _hours(axes, spans):
    lines = {}
    for span in spans.values():
        for entry in span["contenders"]:
            if "seconds" in entry:
                point = (span["hours"], 1000 * entry["seconds"] / span["hours"])
                lines.setdefault(entry["name"], []).append(point)
    for name, points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set(xscale="log", xlabel="near-empty hours", ylabel="ms an hour, all four assets")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


if __name__ == "__main__":
    main()
