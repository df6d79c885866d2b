"""The chart of bench/results.md."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.results import Metric, PackageResult, Results

SERVICE_COLOR = "#1f6feb"
PEER_COLOR = "#b1bac4"
REFERENCE_LINE_COLOR = "#57606a"
LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""Hides the reference line behind a label."""


def write_chart(results: Results, file: Path) -> None:
    """Write bars of the ratios to the reference package, as SVG."""
    # With a fixed salt, the same chart always gives the same file.
    mpl.rcParams.update({"svg.hashsalt": "bench", "font.size": 9})
    # matplotlib draws the first bar at the bottom. The service is last here, and so at the top.
    packages = list(reversed(results.packages))
    names = [package.name for package in packages]
    colors = [PEER_COLOR] * (len(names) - 1) + [SERVICE_COLOR]
    panels = {
        "cold start: init": [_ratio(results, package, "init_ms") for package in packages],
        "CPU of a warm GET": [_ratio(results, package, "get_cpu_ms") for package in packages],
        "CPU of a warm POST": [_ratio(results, package, "post_cpu_ms") for package in packages],
        "zip": [results.zip_ratio(package) for package in packages],
    }
    figure = Figure(figsize=(11, 2.8))
    axes = figure.subplots(1, len(panels), sharey=True)
    for axis, (title, ratios) in zip(axes, panels.items(), strict=True):
        bars = axis.barh(names, ratios, color=colors)
        labels = [f"{ratio:.2f}x" for ratio in ratios]
        axis.bar_label(bars, labels, padding=3, bbox=LABEL_BOX)
        axis.axvline(1, color=REFERENCE_LINE_COLOR, linewidth=0.8, linestyle="--", zorder=0)
        axis.set_title(title)
        axis.set_xlim(0, max(ratios) * 1.35)
        axis.set_xticks([])
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, format="svg", metadata={"Date": None})


def _ratio(results: Results, package: PackageResult, metric: Metric) -> float:
    return package.summary(metric, results.reference).ratio
