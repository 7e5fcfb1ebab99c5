"""What `make simulate` says while it plays, at its end, and when it is interrupted."""

import signal
import subprocess
import sys

import pytest

from dev.paths import ROOT
from tests.simulation.campaign import Sums, progress, rest, table
from tests.support.simulation.simulation import Outcome

INTERRUPTED = 130
LIMIT_S = 120


def sums(runs: int, real_s: float, *, first_seed: int = 1, broken: tuple[int, ...] = ()) -> Sums:
    """Return what came of seeds with one run each."""
    found = Sums(first_seed)
    for seed in range(first_seed, first_seed + runs):
        violations = ["a note is there twice", "it hangs"] if seed in broken else []
        found.add(Outcome(seed, runs=1, processor_s=0.5, violations=violations))
    found.real_s = real_s
    return found


@pytest.mark.parametrize(
    ("played", "real_s", "said"),
    [
        (0, 3.0, "  0.1 min: 0 of 1,000 runs (0%), 0 faults, 0 seeds failed"),
        (
            100,
            60.0,
            "1.0 min: 100 of 1,000 runs (10%), 0 faults, 0 seeds failed; 1.7 runs a second, 9 min to go",
        ),
        (100, 600.0, "0.2 runs a second, the time ends in 20 min, at about 300 runs"),
        (1000, 600.0, " 10.0 min: 1,000 of 1,000 runs (100%), 0 faults, 0 seeds failed"),
    ],
)
def test_the_progress_says_when_it_will_end(played: int, real_s: float, said: str) -> None:
    """Of the two ends the one that comes first."""
    assert progress(sums(played, real_s), 1000, 1800.0).endswith(said)


def test_the_speed_is_that_of_the_last_minutes() -> None:
    """What else the machine did before says nothing of the end."""
    said = progress(sums(700, 1000.0), 1000, 1800.0, since=(900.0, 600))
    assert said.endswith("; 1.0 runs a second, 5 min to go")


def test_a_seed_that_broke_several_promises_has_failed_once() -> None:
    """In the progress and in the table."""
    found = sums(20, 60.0, broken=(3, 5))
    assert ", 2 seeds failed;" in progress(found, 1000, 1800.0)
    assert "promises broken              2   (by 2 seeds)" in table(found)


def test_the_table_says_which_seeds_were_played_and_what_a_run_costs() -> None:
    """In processor time, since a busy machine has less of it."""
    said = table(sums(20, 60.0, first_seed=41))
    assert "(41 to 60)" in said
    assert "10 s (0.50 s a run)" in said


def test_what_was_not_played_has_a_command_that_goes_on() -> None:
    """From the first seed that was not played, for the runs that are left."""
    found = sums(20, 60.0, first_seed=41)
    assert rest(found, 1000) == (
        'the time is over after 20 of 1,000 runs; to go on: make simulate ARGS="--first-seed 61 --runs 980"'
    )
    assert rest(found, 20) == ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_what_was_played_and_how_to_go_on(how: signal.Signals) -> None:
    """Without a traceback."""
    command = [sys.executable, "-m", "tests.simulation", "--first-seed", "7", "--processes", "1"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert "Ctrl-C" in process.stdout.readline()
    process.send_signal(how)
    said, errors = process.communicate(timeout=LIMIT_S)
    assert said.splitlines()[-1] == (
        'interrupted after 0 of 10,000 runs; to go on: make simulate ARGS="--first-seed 7 --runs 10000"'
    )
    assert ("Traceback" in errors, process.returncode) == (False, INTERRUPTED)
