"""A model of one item collection under a growing load: how DynamoDB's split-for-heat keeps up, on paper.

    python -m bench.partitions        writes bench/partitions.svg, prints the table of docs/scaling.md

All profiles have one partition key. DynamoDB splits such a collection by sort key when a partition stays hot (AWS:
"Burst and adaptive capacity"). Published: 1,000 write units a second for a partition, a hard limit. Assumed, since AWS
publishes neither: a partition that was throttled for DETECT minutes without a break is split in the middle of its load,
and serves as one for SPLIT minutes more. Keys are UUIDs, so the load is even.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LIMIT = 1000.0  # write units a second for a partition
STEP = 10  # seconds
DETECT, SPLIT = 5.0, 10.0  # minutes
HERE = Path(__file__).parent


@dataclass
class Partition:
    """One partition: its part of the load, for how long it has been too hot, and for how long it is being split."""

    share: float
    hot_seconds: float = 0.0
    splitting_seconds: float | None = None

    def serve(self, load: float) -> float:
        """Serve `load` write units a second for a step; return how many of them a second were throttled."""
        throttled = max(0.0, load - LIMIT)
        self.hot_seconds = self.hot_seconds + STEP if throttled else 0.0
        if self.splitting_seconds is not None:
            self.splitting_seconds += STEP
        elif self.hot_seconds >= DETECT * 60:
            self.splitting_seconds = 0.0
        return throttled


def simulate(
    target: float, ramp_minutes: float, minutes: int, start: int = 1
) -> list[tuple[float, float, int]]:
    """Minute, part of the writes throttled, partitions, at each step of a ramp from 0 to `target` writes a second.

    `start`: the partitions that the collection has at first, all of one size.
    """
    partitions = [Partition(1 / start) for _ in range(start)]
    seen = []
    for second in range(0, minutes * 60, STEP):
        load = target * min(1.0, second / 60 / ramp_minutes)
        throttled = sum(partition.serve(load * partition.share) for partition in partitions)
        for partition in list(partitions):
            if (
                partition.splitting_seconds is not None
                and partition.splitting_seconds >= SPLIT * 60
            ):
                partitions.remove(partition)
                partitions += [Partition(partition.share / 2), Partition(partition.share / 2)]
        seen.append((second / 60, throttled / load if load else 0.0, len(partitions)))
    return seen


RAMPS = {
    "1,000 writes/s at once": (1_000, 0.1, 1),
    "10,000 writes/s within an hour": (10_000, 60, 1),
    "10,000 writes/s within a day": (10_000, 1440, 1),
    "10,000 writes/s at once, shards on 4 partitions": (10_000, 0.1, 4),
    "10,000 writes/s at once, shards, pre-warmed to 16": (10_000, 0.1, 16),
    "100,000 writes/s within a day": (100_000, 1440, 1),
    "100,000 writes/s within a day, shards, pre-warmed to 64": (100_000, 1440, 64),
}


def main() -> None:
    import matplotlib as mpl  # noqa: PLC0415 - installed for `make bench` alone

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "partitions"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axis = plt.subplots(figsize=(9, 3.4))
    print("| load | worst moment | throttled for | partitions at the end |\n|---|---|---|---|")
    for name, (target, ramp, start) in RAMPS.items():
        seen = simulate(target, ramp, 2160, start)
        minutes = sum(STEP / 60 for _, throttled, _ in seen if throttled > 0.001)
        print(
            f"| {name} | {max(throttled for _, throttled, _ in seen):.0%} | {minutes:,.0f} min | {seen[-1][2]} |"
        )
        if "1,000 writes/s at once" not in name[:22]:
            axis.plot(
                [minute / 60 for minute, _, _ in seen],
                [100 * part for _, part, _ in seen],
                label=name,
            )
    axis.set_xlabel("hours since the load began to grow")
    axis.set_ylabel("writes throttled, %")
    axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(HERE / "partitions.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
