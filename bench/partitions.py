"""A model of DynamoDB's "split for heat" when the load on one item collection grows. It is not a
measurement.

    python -m bench.partitions

prints the table of docs/scaling.md and writes its chart, bench/partitions.svg.

All profiles have the same partition key. DynamoDB splits such a collection by sort key when one of
its partitions stays hot (AWS: "Burst and adaptive capacity"). AWS publishes the limit of a
partition, 1,000 write units a second, but not how long a split takes. The model assumes that a
partition which was throttled without a break for DETECTION_MINUTES is split in the middle of its
load, and that the split takes SPLIT_MINUTES. User ids are random UUIDs, so the load is even.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

PARTITION_LIMIT = 1000.0  # write units a second
DETECTION_MINUTES = 5.0
SPLIT_MINUTES = 10.0
STEP_SECONDS = 10
SIMULATED_MINUTES = 36 * 60
VISIBLE_SHARE = 0.001
"""A smaller share of throttled writes does not count as throttling."""
CHART = Path(__file__).parent / "partitions.svg"
CHART_COLOR = "#1f6feb"
CHART_TICKS = {
    1 / 60: "1 min",
    1 / 6: "10 min",
    1: "1 h",
    3: "3 h",
    6: "6 h",
    12: "12 h",
    24: "24 h",
}
"""Hours -> label."""


@dataclass(frozen=True)
class Scenario:
    """A load that grows evenly from nothing to `target` writes of one unit a second."""

    name: str
    target: float
    ramp_minutes: float
    partitions: int = 1
    """At the start, all of the same size."""
    is_in_chart: bool = True
    """False if nothing is throttled."""


AT_ONCE = 0.1  # minutes
HOUR = 60
DAY = 24 * HOUR
SCENARIOS = (
    Scenario("1,000 writes/s at once", 1_000, AT_ONCE, is_in_chart=False),
    Scenario("10,000 writes/s within an hour", 10_000, HOUR),
    Scenario("10,000 writes/s within a day", 10_000, DAY),
    Scenario("10,000 writes/s at once, shards on 4 partitions", 10_000, AT_ONCE, 4),
    Scenario(
        "10,000 writes/s at once, shards, pre-warmed to 16", 10_000, AT_ONCE, 16, is_in_chart=False
    ),
    Scenario("100,000 writes/s within a day", 100_000, DAY),
    Scenario("100,000 writes/s within a day, shards, pre-warmed to 64", 100_000, DAY, 64),
)


@dataclass
class Partition:
    """One partition, and the duration of its throttling and of its split."""

    load_share: float
    throttled_seconds: float = 0.0
    splitting_seconds: float | None = None
    """None before the split begins."""

    def serve(self, load: float) -> float:
        """Serve `load` writes a second for one step. Return how many of them are throttled."""
        throttled = max(0.0, load - PARTITION_LIMIT)
        if throttled:
            self.throttled_seconds += STEP_SECONDS
        else:
            self.throttled_seconds = 0.0
        if self.splitting_seconds is not None:
            self.splitting_seconds += STEP_SECONDS
        elif self.throttled_seconds >= DETECTION_MINUTES * 60:
            self.splitting_seconds = 0.0
        return throttled

    @property
    def is_split(self) -> bool:
        return self.splitting_seconds is not None and self.splitting_seconds >= SPLIT_MINUTES * 60

    def halves(self) -> list[Partition]:
        half = self.load_share / 2
        return [Partition(half), Partition(half)]


@dataclass(frozen=True)
class Step:
    """The state of the collection at one moment."""

    minute: float
    throttled_share: float
    """Of the writes, from 0 to 1."""
    partitions: int


def simulate(scenario: Scenario) -> list[Step]:
    """Run the model for SIMULATED_MINUTES."""
    share = 1 / scenario.partitions
    partitions = [Partition(share) for _ in range(scenario.partitions)]
    steps = []
    for second in range(0, SIMULATED_MINUTES * 60, STEP_SECONDS):
        minute = second / 60
        load = scenario.target * min(1.0, minute / scenario.ramp_minutes)
        throttled = sum(partition.serve(load * partition.load_share) for partition in partitions)
        partitions = _after_splits(partitions)
        throttled_share = throttled / load if load else 0.0
        steps.append(Step(minute, throttled_share, len(partitions)))
    return steps


def _after_splits(partitions: list[Partition]) -> list[Partition]:
    after = []
    for partition in partitions:
        if partition.is_split:
            after += partition.halves()
        else:
            after.append(partition)
    return after


def print_table(simulations: dict[Scenario, list[Step]]) -> None:
    """Print the table of docs/scaling.md."""
    print("| load | worst moment | throttled for | partitions at the end |\n|---|---|---|---|")
    for scenario, steps in simulations.items():
        worst = max(step.throttled_share for step in steps)
        throttled_steps = [step for step in steps if step.throttled_share > VISIBLE_SHARE]
        minutes = len(throttled_steps) * STEP_SECONDS / 60
        end = steps[-1].partitions
        print(f"| {scenario.name} | {worst:.0%} | {minutes:,.0f} min | {end} |")


def write_chart(simulations: dict[Scenario, list[Step]]) -> None:
    """Write the throttled share over time, one panel for each scenario, as SVG."""
    # With a fixed salt, the same chart always gives the same file.
    mpl.rcParams.update({"svg.hashsalt": "partitions", "font.size": 9})
    shown = [scenario for scenario in simulations if scenario.is_in_chart]
    figure = Figure(figsize=(9, 5.6))
    axes = figure.subplots(len(shown), 1, sharex=True, sharey=True)
    for axis, scenario in zip(axes, shown, strict=True):
        # The first step is at 0, which a logarithmic axis does not have.
        steps = simulations[scenario][1:]
        hours = [step.minute / 60 for step in steps]
        percent = [100 * step.throttled_share for step in steps]
        axis.plot(hours, percent, color=CHART_COLOR)
        axis.set_title(scenario.name, loc="left", fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xscale("log")
    axes[-1].set_xlim(1 / 60, 24)
    axes[-1].set_xticks(list(CHART_TICKS), labels=list(CHART_TICKS.values()))
    axes[-1].set_xticks([], minor=True)
    axes[-1].set_xlabel("time since the load began to grow")
    axes[-1].set_ylim(0, 100)
    figure.supylabel("throttled writes, %", fontsize=9)
    figure.tight_layout()
    figure.savefig(CHART, format="svg", metadata={"Date": None})


def main() -> None:
    simulations = {scenario: simulate(scenario) for scenario in SCENARIOS}
    print_table(simulations)
    write_chart(simulations)


if __name__ == "__main__":
    main()
