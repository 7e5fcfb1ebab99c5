"""Keep ten runs at work for hours, always with new projects, and say what grows beyond the data.

The services are those of `make chaos`, and nothing is done to them. What is read every 15 s is shown as it
was before the first run, at the first and the last moment that count, and after all runs have ended, with its
slope.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from dev.artefacts.store_binaries import StoreArtefacts
from dev.errors import WaitTimeoutError
from dev.waiting import wait_for
from tests.chaos.campaign import END_TIMEOUT_S
from tests.chaos.disturbances import start_ended
from tests.chaos.ending import look_at_all, wait_until_heard
from tests.chaos.listeners import Listener
from tests.chaos.real_operator import RealOperator, real_operator
from tests.chaos.world import BRIDGE, OPERATOR, World, world
from tests.soak.gauges import SOCKETS, Sample, of_process, sample
from tests.soak.growth import Growth, growths, table
from tests.soak.slopes import VALUES_MIN
from tests.support.workers.worker_forks import worker_forks

SAMPLE_S: Final = 15.0
RUNS: Final = 10
MINUTES: Final = 120.0
SAID_EVERY: Final = 20
"""Samples, which is five minutes."""
SAMPLES_FILE: Final = "samples.jsonl"
"""Every value that was read, in the folder that `--keep` keeps."""
QUIET_TIMEOUT_S: Final = 60
MINUTES_MIN: Final = VALUES_MIN * SAMPLE_S / 60


@dataclass
class Soak:
    """One soak in a world that runs."""

    world: World
    operator: RealOperator
    say: Callable[[str], None]
    samples: list[Sample] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """What was started again; of the operator that is no breach, since it ends with its Lease."""
    _in_slots: dict[int, Listener] = field(default_factory=dict)
    """The one that listens now, by the thread of its slot."""

    def run(self, minutes: float, runs: int) -> tuple[list[Growth], dict[str, list[str]]]:
        """Carry it out; return what was measured, and the breaches."""
        began_at = time.monotonic()
        before = self._sample(0.0)
        self.operator.on_project = self._listen
        self.operator.start(runs)
        number = 0
        while (elapsed_s := time.monotonic() - began_at) < minutes * 60:
            self.samples.append(self._sample(elapsed_s))
            if number % SAID_EVERY == 0:
                self.say(f"after {elapsed_s / 60:.0f} minutes: {len(self.operator.runs)} runs have begun")
            number += 1
            time.sleep(max(0.0, number * SAMPLE_S - (time.monotonic() - began_at)))
        self.operator.begin_no_more()
        self.say("the runs go on to their ends")
        self.operator.wait(END_TIMEOUT_S, self._keep_up)
        _, breaches = look_at_all(self.world, self.operator, self.listeners, self.say)
        if others := [each for each in self.ended if each.split()[0] != OPERATOR]:
            breaches["services"] = others
        self._until_quiet(before.values[f"{BRIDGE}: {SOCKETS}"])
        return growths(before, self.samples, self._sample(time.monotonic() - began_at)), breaches

    def _keep_up(self) -> None:
        self.ended += start_ended(self.world)

    def _sample(self, at_s: float) -> Sample:
        self._keep_up()
        found = sample(self.world, self.operator.objects(), at_s)
        with (self.world.folder / SAMPLES_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(found)) + "\n")
        return found

    def _until_quiet(self, sockets: float) -> None:
        """Wait until the bridge has let its listeners go; if it does not, the table shows it."""
        bridge = self.world.services[BRIDGE].pid
        with suppress(WaitTimeoutError):
            wait_for("the bridge", lambda: of_process(bridge)[SOCKETS] <= sockets, QUIET_TIMEOUT_S)

    def _listen(self, project_id: str) -> None:
        """Listen to a slot's next project; its last one is over, and has been heard whole."""
        if before := self._in_slots.get(threading.get_ident()):
            wait_until_heard(self.world, [before])
            before.stop()
        listener = Listener(self.world.uri(BRIDGE), project_id)
        self._in_slots[threading.get_ident()] = listener
        self.listeners.append(listener)
        listener.start()


def carry_out(minutes: float, runs: int, seed: int, kept: Path | None, say: Callable[[str], None]) -> int:
    """Soak and print what was found; return 1 if something grows or is lost."""
    folder = kept or Path(tempfile.mkdtemp(prefix="gather-soak-"))
    artefacts = StoreArtefacts.from_environment()
    try:
        with (
            worker_forks() as forks,
            world(folder, artefacts, has_small_disks=False) as made,
            real_operator(made, forks, seed) as operator,
        ):
            soak = Soak(made, operator, say)
            found, breaches = soak.run(minutes, runs)
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)
    say(table(found))
    say(f"started again: {', '.join(soak.ended) or 'nothing'}")
    for name, those in sorted(breaches.items()):
        for each in those:
            say(f"BREACH {name}: {each}")
    return int(bool(breaches) or any(one.is_too_much for one in found))


def main() -> None:
    """Carry out what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=...", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help="of runs at work (120)")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="runs at work at a time (10)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which runs are drawn (1)")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep data, logs and each sample in this new folder"
    )
    given = parser.parse_args()
    if given.minutes < MINUTES_MIN:
        parser.error(f"--minutes {given.minutes:g}: a slope needs {MINUTES_MIN:g} minutes at least")
    kept = given.keep.resolve() if given.keep else None  # services run in folders of their own
    sys.exit(carry_out(given.minutes, given.runs, given.seed, kept, lambda text: print(text, flush=True)))


if __name__ == "__main__":
    main()
