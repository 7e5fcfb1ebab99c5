"""What is looked at once all runs have ended: as it stands, and after each project's next worker."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import redis

from dev.errors import WaitTimeoutError
from dev.waiting import wait_for
from gather_contracts import names
from tests.chaos.audit import Audit, Counts
from tests.chaos.charges import read_charges
from tests.chaos.closing import close_projects
from tests.chaos.listeners import Listener
from tests.chaos.played_operator import PlayedOperator
from tests.chaos.world import MODEL, REDIS, World
from tests.support.crash_harness import read_charged

HEARD_TIMEOUT_S: Final = 60
SUMS_DIFFER_USD: Final = 1e-6
"""Of the same numbers added in another order, rounded at most."""


def look_at_all(
    world: World, operator: PlayedOperator, listeners: Sequence[Listener], say: Callable[[str], None]
) -> tuple[Counts, dict[str, list[str]]]:
    """Return what was there and the breaches by run or project, and let the listeners go."""
    wait_until_heard(world, listeners)
    breaches: dict[str, list[str]] = {}
    for error in operator.errors:
        breaches.setdefault("a slot", []).append(f"{type(error).__name__}: {error}")
    first = Audit(world, read_charges(world.services[MODEL].log))
    first.look(operator.runs, listeners)
    say(f"as it stands: {first.counts}")
    said_usd = read_charged(world.services[MODEL].uri).cost_usd
    if abs(said_usd - first.charges.last_life_usd) > SUMS_DIFFER_USD:
        breaches["model"] = [f"it says {said_usd} USD, its log {first.charges.last_life_usd}"]
    count = len(operator.runs)
    differences = close_projects(world, operator, say)
    second = Audit(world, read_charges(world.services[MODEL].log))
    second.look(operator.runs, [])
    if second.counts.unindexed:
        breaches["all"] = [f"{second.counts.unindexed} notes wait after their project's next worker"]
    say(f"after {len(operator.runs) - count} closing runs: {second.counts}")
    for found in (first.breaches, second.breaches, differences):
        for name, said in found.items():
            known = breaches.setdefault(name, [])
            known += [each for each in said if each not in known]
    for listener in listeners:
        listener.stop()
    return first.counts, breaches


def wait_until_heard(world: World, listeners: Sequence[Listener]) -> None:
    """Wait until the listeners have come back and heard the rest; what they lack then is a breach."""

    def have_all() -> bool:
        with redis.Redis.from_url(world.services[REDIS].uri) as client:
            return all(
                len(each.events) >= client.xlen(names.event_log(each.project_id)) for each in listeners
            )

    with suppress(WaitTimeoutError):
        wait_for("the listeners", have_all, HEARD_TIMEOUT_S)
