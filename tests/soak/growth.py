"""What was read during a soak, as slopes and as a table in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.world import BRAIN, BRIDGE, CMS, MODEL, MONGODB, NEO4J, OPERATOR, REDIS
from tests.soak.gauges import BESIDE_DATA, DATA, DESCRIPTORS, MEMORY, NOTES, SOCKETS, Sample
from tests.soak.slopes import VALUES_MIN, Slope, slope_of

WARM_UP: Final = 0.25
"""Of the samples, at the beginning, that do not count: pools, caches and compiled code are made then."""
HOUR_S: Final = 3600.0
ROOMS: Final = (OPERATOR, BRAIN, BRIDGE)
DEMO: Final = (CMS, MODEL)
STORES: Final = (MONGODB, NEO4J, REDIS)
FIXED: Final = {
    *BESIDE_DATA,
    *(f"{room}: {gauge}" for room in (*ROOMS, *DEMO) for gauge in (DESCRIPTORS, SOCKETS)),
    *(f"{room}: {MEMORY}" for room in ROOMS),
    *(f"{store}: {SOCKETS}" for store in STORES),
}
"""What may not grow. A store's memory is its caches', which its settings bound; its files are its data's."""
THOUSAND: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Growth:
    """One gauge: before the first run, at the first and the last moment that count, after the last run."""

    name: str
    before: float
    first: float
    last: float
    after: float
    slope: Slope
    unit: str

    @property
    def is_too_much(self) -> bool:
        """Return whether it grows and may not."""
        return self.name in FIXED and self.slope.grows


def growths(before: Sample, samples: Sequence[Sample], after: Sample) -> list[Growth]:
    """Return all gauges: what the stores hold over the notes, all else over time."""
    counted = samples[min(int(len(samples) * WARM_UP), max(0, len(samples) - VALUES_MIN)) :]
    notes = [one.values[NOTES] for one in counted]
    hours = [one.at_s / HOUR_S for one in counted]
    found = []
    for name in before.values:
        values = [one.values[name] for one in counted]
        places, unit = ([n / THOUSAND for n in notes], "1,000 notes") if name in DATA else (hours, "hour")
        slope = slope_of(places, values)
        found.append(
            Growth(name, before.values[name], values[0], values[-1], after.values[name], slope, unit)
        )
    return found


def table(found: Sequence[Growth]) -> str:
    """Return a row for each gauge."""
    lines = [
        "| what | before | first | last | after | slope and its standard error | grows |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in sorted(found, key=lambda one: (":" in one.name, one.name)):
        row = [one.name, *(f"{value:,.1f}" for value in (one.before, one.first, one.last, one.after))]
        slope = f"{one.slope.per_unit:+,.2f} ± {one.slope.error:,.2f} per {one.unit}"
        verdict = "**yes**" if one.is_too_much else "as data do" if one.slope.grows else "no"
        lines.append(f"| {' | '.join([*row, slope, verdict])} |")
    return "\n".join(lines)
