"""What a campaign found, as a table in Markdown."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.chaos.disturbances import Disturbance


@dataclass
class Done:
    """A disturbance that was carried out, and what it cost until the next one began."""

    what: Disturbance
    began_at: float
    ended_at: float
    seen: str
    until_at: float = 0.0
    attempts: int = 0
    """Of departments, that ended without being done."""
    pause_s: float = 0.0
    """The longest time in which no run had an answer of the model."""
    broken: list[str] = field(default_factory=list)
    """Runs with a breach that were at work meanwhile."""


def table(done: Sequence[Done], breaches: Mapping[str, Sequence[str]]) -> str:
    """Return a row for each kind of disturbance, what was seen, and the breaches."""
    by_name = defaultdict(list)
    for one in done:
        by_name[one.what.name].append(one)
    lines = [
        "| disturbance | times | attempts ended by it | standstill: median | most | runs with a breach |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, those in sorted(by_name.items()):
        pauses = [one.pause_s for one in those]
        attempts, broken = sum(one.attempts for one in those), {run for one in those for run in one.broken}
        paused = f"{median(pauses):.1f} s | {max(pauses):.1f} s"
        lines.append(f"| {name} | {len(those)} | {attempts} | {paused} | {len(broken)} |")
    total = sum(len(said) for said in breaches.values())
    attempts = sum(one.attempts for one in done)
    lines.append(f"| all | {len(done)} | {attempts} | | | {total} breaches |")
    seen = [f"{one.what.name}: {one.seen}" for one in done if one.seen]
    said = [f"BREACH {name}: {each}" for name, those in sorted(breaches.items()) for each in those]
    return "\n".join([*lines, *(["", "Seen:", *seen] if seen else []), *(["", *said] if said else [])])
